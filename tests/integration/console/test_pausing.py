"""Pausing in the console: it asks with numbers, wants a reason, and takes an end."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from engine.db.tables import pauses, subscriptions
from engine.events.storing import persist
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

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


def test_a_subscriptions_pause_asks_with_numbers_for_a_reason_and_an_end(site: Site, store: Store) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event(), an_event()])
    operator, path = site.browser("ola"), f"/console/subscriptions/{seq}"
    assert f'action="{path}/pause"><button>Pause' in operator.get(path).text
    asked = operator.get(f"{path}/pause").text
    assert "<h1>Pause pushing to https://receiver.example/hook?</h1>" in asked
    assert "Stopped at once: 2 webhooks." in asked
    wrong = operator.post(f"{path}/pause", reason=WHY, until="soon")
    assert (wrong.status_code, 'aria-describedby="fault-until"' in wrong.text) == (400, True)
    assert f'value="{WHY}"' in wrong.text
    assert operator.post(f"{path}/pause", reason=WHY, **{"for": "30m"}).status_code == 303
    with store.read() as connection:
        row = connection.execute(select(subscriptions)).one()
    assert row.paused_reason == f"Paused by an operator: {WHY}"
    assert now() < row.paused_until <= row.paused_at + timedelta(minutes=30)
    shown = operator.get(path).text
    assert "<dt>Ends</dt><dd><time" in shown
    assert re.search(r"ola</a> paused <a [^>]*>subscription \d+</a> until <time[^>]*>[^<]*</time>: their", shown)
    assert 'paused</span> <span class="soft">until <time' in operator.get("/console/subscriptions").text
    assert "The pause ends by itself at <time" in operator.get(f"{path}/resume").text
    assert operator.get(f"{path}/pause").status_code == 409


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
    assert "Forgotten? Mail to slow.example is paused by anna, without an end" in page
