"""Recurring orders in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.test_recurring import stored

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site


def test_they_are_listed_paused_resumed_and_deleted(site: Site, store: Store) -> None:
    its_id = stored(store, name="ukesbrev")
    page = f"/console/recurring/{its_id}"
    ola = site.browser("ola")
    listed = ola.get("/console/recurring").text
    assert f'<a href="{page}">ukesbrev</a>' in listed
    assert "never" in listed
    assert "kari@example.no" in ola.get(page).text
    ola.post(f"{page}/pause", reason="wrong text")
    assert "Paused by an operator: wrong text" in ola.get(page).text
    assert page in ola.get("/console/recurring?state=paused").text
    ola.post(f"{page}/resume")
    assert page not in ola.get("/console/recurring?state=paused").text
    assert "Delete the recurring order ukesbrev of ttd?" in ola.get(f"{page}/delete").text
    ola.post(f"{page}/delete")
    assert ola.get(page).status_code == 404
    assert "No recurring orders" in ola.get("/console/recurring").text


def test_viewers_see_no_personal_data_and_change_nothing(site: Site, store: Store) -> None:
    its_id = stored(store)
    kari = site.browser("kari")
    page = kari.get(f"/console/recurring/{its_id}").text
    assert "minutely" in page
    assert "kari@example.no" not in page
    for act in ("pause", "resume", "delete"):
        assert f"/{act}" not in page
        assert kari.post(f"/console/recurring/{its_id}/{act}").status_code == 403
    assert kari.get("/console/recurring/nonsense").status_code == 404
