"""Pausing in the console: it asks with numbers, wants a reason, and takes an end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from engine.db.tables import pauses
from tests.helpers.rows import add_email, add_order, now

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site

SLOW = {"kind": "domain", "value": "Slow.example"}
WHY = "their server is down"


def test_it_asks_with_what_it_stops(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection), address="a@slow.example")
    page = site.browser("anna").get("/console/pause?kind=domain&value=Slow.example").text
    assert "<h1>Pause mail to slow.example?</h1>" in page
    assert "Stopped at once: 1 e-mail." in page
    assert 'id="warning"' not in page


@pytest.mark.parametrize(
    ("typed", "field", "told"),
    [
        ({"reason": " "}, "reason", "Say why"),
        ({"reason": "x" * 201}, "reason", "At most 200"),
        ({"reason": WHY, "until": "soon"}, "until", "For how long"),
        ({"reason": WHY, "until": "2020-01-01 08:00"}, "until", "This time is past."),
        ({"reason": WHY, "until": "08:00", "for": "1h"}, "until", "empty one of both"),
    ],
)
def test_what_cannot_be_used_is_told_beside_its_field_and_stays(
    site: Site, store: Store, typed: dict[str, str], field: str, told: str
) -> None:
    answer = site.browser("anna").post("/console/pause", **SLOW, **typed)
    assert answer.status_code == 400
    assert f'aria-invalid="true" aria-describedby="fault-{field}"' in answer.text
    assert told in answer.text.partition(f'id="fault-{field}"')[2]
    assert all(f'value="{text.strip()}"' in answer.text for text in typed.values())
    with store.read() as connection:
        assert connection.execute(select(pauses)).all() == []


@pytest.mark.parametrize(
    ("ends", "within"), [({"for": "30m"}, timedelta(minutes=30)), ({"until": "08:00"}, timedelta(days=1))]
)
def test_its_reason_and_end_are_kept_and_shown(
    site: Site, store: Store, ends: dict[str, str], within: timedelta
) -> None:
    admin = site.browser("anna")
    assert admin.post("/console/pause", **SLOW, reason=WHY, **ends).status_code == 303
    with store.read() as connection:
        row = connection.execute(select(pauses)).one()
    assert (row.kind, row.value, row.who, row.reason) == ("domain", "slow.example", "anna", WHY)
    assert now() < row.ends <= row.at + within
    page = admin.get("/console/overview").text
    assert "Paused: mail to slow.example." in page
    assert ", until <time" in page
    assert WHY in page
    assert admin.get("/console/pause?kind=domain&value=slow.example").status_code == 409


def test_a_forgotten_pause_is_said(site: Site, store: Store) -> None:
    admin = site.browser("anna")
    admin.post("/console/pause", **SLOW, reason=WHY)
    assert "Forgotten?" not in admin.get("/console/overview").text
    with store.write() as connection:
        connection.execute(update(pauses).values(at=now() - timedelta(hours=25)))
    site.app.state.snapshot.read_at = float("-inf")
    page = admin.get("/console/overview").text
    assert "Forgotten? The recipients&#39; domain slow.example is paused by anna, without an end" in page
