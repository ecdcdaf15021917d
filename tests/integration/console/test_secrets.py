"""What the console shows of the database, and to whom."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from engine.admin.masking import is_masked
from engine.admin.resources import RESOURCES
from engine.admin.searching import OPEN
from tests.helpers.console import SECRET, Site, fill, pages

if TYPE_CHECKING:
    from engine.db.store import Store

NOTHING_PERSONAL = ("/console/overview", "/console/rates", "/console/recurring", "/console/senders")
HIDDEN = ("\u202e", "\u2066", "\x07", "\x1b", "\u200b")


def test_whatever_stands_in_the_database_is_text_on_every_page(site: Site, keys: dict[str, Any]) -> None:
    browser = site.browser("anna")
    for path in pages(keys):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img" not in answer.text, path
        assert not [character for character in HIDDEN if character in answer.text], path
    assert "alert(1)&lt;/script&gt;" in browser.get(f"/console/emails/{keys['emails']}").text
    assert "202E" in browser.get(f"/console/emails/{keys['emails']}").text


@pytest.mark.parametrize("name", ["kari", "ola", "anna"])
def test_what_is_personal_or_secret_is_shown_on_each_page_to_those_who_may_see_it(
    site: Site, store: Store, name: str
) -> None:
    keys, may_see, browser = fill(store, SECRET, "label"), name != "kari", site.browser(name)
    messages = [f"/console/emails/{keys['emails']}/{part}" for part in ("html", "source")]
    for path in [*pages(keys), *messages]:
        answer = browser.get(path)
        assert answer.status_code == (200 if may_see or path not in messages else 403), path
        assert (SECRET in answer.text) == (may_see and path not in NOTHING_PERSONAL), path
        if not may_see:
            assert "secret" not in answer.text.replace("rotate-secret", ""), path


def test_of_what_is_masked_the_host_and_the_domain_stay_readable(site: Site, store: Store) -> None:
    keys = fill(store, SECRET, "label")
    viewer = site.browser("kari")
    assert "s•••@example.no" in viewer.get("/console/emails").text.replace("<wbr>", "")
    assert "https://hooks.example/•••" in viewer.get("/console/deliveries").text
    assert "https://hooks.example/•••" in viewer.get(f"/console/events/{keys['events']}").text
    assert "https://condition.example/•••" in viewer.get(f"/console/orders/{keys['orders']}").text
    assert "https://source.example/•••" in viewer.get("/console/events").text


def test_a_viewer_learns_nothing_by_narrowing_a_list(site: Site, store: Store) -> None:
    fill(store, SECRET, "label")
    viewer = site.browser("kari")
    allowed = {resource.name: list(resource.fields) for resource in RESOURCES.values()}
    for resource in RESOURCES.values():
        for field in resource.fields:
            answer = viewer.get(f"/console/{resource.name}?{urlencode({field: SECRET[:6]})}")
            if answer.status_code == 403:
                assert f"({field}): that is masked" in answer.text
                allowed[resource.name].remove(field)
            elif answer.status_code == 200:
                assert "Nothing matches" in answer.text, field
            else:  # one of few values, a number, a time
                assert answer.status_code == 400
    assert allowed == {
        "orders": ["state", "priority", "creator", "since", "until", "order", "chain", "job", "ids"],
        "emails": [
            "state",
            "priority",
            "creator",
            "error",
            "code",
            "failure",
            "relay",
            "failed",
            "ended",
            "upto",
            "since",
            "until",
            "order",
            "email",
            "job",
            "ids",
        ],
        "events": ["type", "resource", "id", "since", "until", "event"],
        "subscriptions": ["state", "consumer", "resource", "subscription"],
        "deliveries": ["state", "subscription", "event", "error", "since", "until", "delivery", "job", "ids"],
        "audit": ["who", "action", "target", "since", "until"],
        "jobs": [],
        "recurring": ["state", "creator"],
        "keys": ["state", "kind", "creator"],
        "senders": ["creator"],
    }
    for name, shown in allowed.items():
        fields = re.findall(r'id="f-([a-z]+)"', viewer.get(f"/console/{name}").text)
        assert {*fields} == {*shown} - {"job", "ids"}  # nobody types them


def test_a_viewer_finds_by_identifiers_alone(site: Site, store: Store) -> None:
    keys = fill(store, SECRET, "label")
    viewer = site.browser("kari")
    for typed in (SECRET, SECRET[:3], "12345678910"):
        answer = viewer.get(f"/console/find?{urlencode({'q': typed})}")
        assert "Nothing was found" in answer.text
        assert "are masked, and cannot be looked for" in answer.text
    page = viewer.get(f"/console/find?q={str(keys['emails'])[:13]}").text
    assert f'href="/console/emails/{keys["emails"]}"' in page
    assert SECRET not in page
    with store.read() as connection:
        for look in OPEN:
            for typed in (SECRET, str(keys["emails"]), str(keys["events"]), "label"):
                assert not [name for way in look(connection, typed) for name in way.given if is_masked(name)]


def test_a_live_list_ends_for_an_operator_who_becomes_a_viewer(site: Site, store: Store) -> None:
    fill(store, SECRET, "label")
    browser = site.browser("ola")
    file = site.app.state.settings.operators_file

    async def watched() -> str:
        query = f"/console/emails?recipient={SECRET}"
        reading = asyncio.create_task(browser.client.get(query, headers={"Accept": "text/event-stream"}))
        file.write_text(file.read_text().replace('role = "operator"', 'role = "viewer"'))
        return (await reading).text  # ends by itself, or this never does

    asyncio.run(watched())
    assert browser.get(f"/console/emails?recipient={SECRET}").status_code == 403
