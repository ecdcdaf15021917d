"""The e-mails of one order, small or large, narrowed to a state: right, and in steps of a bounded number of rows."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from engine.admin import lists
from engine.admin.pausing import pause
from engine.admin.resources import EMAILS
from engine.admin.standing import GROUPS
from engine.db.tables import emails, orders
from engine.events import tallies
from engine.models import EmailState, OrderState, new_id
from tests.helpers.admin_lists import everything, made
from tests.helpers.plans import plans, scans
from tests.helpers.rows import PAUSED, add_email, add_order, now

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

HOUR = timedelta(hours=1)
OPEN: list[dict[str, Any]] = [
    {"due_in": -HOUR},
    {"due_in": HOUR, "attempts": 1},
    {"due_in": HOUR, "state": EmailState.SENDING, "unresolved": 1},
    PAUSED,
]
SETTLED = (EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.FAILED_BOUNCED, EmailState.FAILED_TTL)
ABSENT = EmailState.DELIVERED


@pytest.fixture(params=["large", "small", "of an older version"])
def order(store: Store, request: pytest.FixtureRequest) -> UUID:
    """An order among others; a large one is counted, and one of an older version has identifiers by chance."""
    at = now().replace(microsecond=0)
    with store.write() as connection:
        for number, seq in enumerate([add_order(connection, created=at, state=OrderState.PROCESSED) for _ in range(2)]):
            for place, values in enumerate([*OPEN, *({"state": state, "due_at": None} for state in SETTLED)]):
                old = request.param == "of an older version"
                id_ = new_id(at - HOUR) if old else made(10 * number + place, at)
                add_email(connection, seq, id=id_, **values)
            if request.param == "large":
                states = Counter(str(EmailState.NEW) for _ in OPEN) + Counter(map(str, SETTLED))
                tallies.begin(connection, {seq: states}, always={seq})
        found: UUID = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
    return found


def listed(connection: Connection, order: UUID, state: str) -> list[Any]:
    return [row["id"] for row in everything(connection, EMAILS, {"order": str(order), "state": state})]


def expected(connection: Connection, order: UUID) -> dict[str, list[Any]]:
    """The e-mails of the order by state and group, the newest first."""
    rows = everything(connection, EMAILS, {"order": str(order)})
    found: dict[str, list[Any]] = {state: [] for state in (*EmailState, "waiting", "failed", "retrying")}
    found |= {group: [] for group in GROUPS}
    for row in rows:
        found[row["state"]].append(row["id"])
        if row["standing"] in GROUPS:
            found[row["standing"]].append(row["id"])
        if row["standing"] == "later" and row["attempts"]:
            found["retrying"].append(row["id"])
        if row["standing"]:
            found["waiting"].append(row["id"])
        if row["state"].startswith("Failed"):
            found["failed"].append(row["id"])
    return found


@pytest.mark.parametrize("window", [10_000, 3])
def test_a_list_has_all_and_no_others(store: Store, order: UUID, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "WINDOW", window)
    with store.read() as connection:
        for state, ids in expected(connection, order).items():
            assert listed(connection, order, state) == ids, state
        assert len(listed(connection, order, "waiting")) == len(OPEN)


def test_of_a_paused_lane_nothing_is_due(store: Store, order: UUID) -> None:
    with store.write() as connection:
        pause(connection, "anna", "lane", "emails")
        its = expected(connection, order)
        assert (its["due"], len(its["held"])) == ([], 2)
        assert (listed(connection, order, "due"), listed(connection, order, "held")) == ([], its["held"])


def test_a_state_that_none_has_is_known_at_once(
    store: Store, order: UUID, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 3)
    with store.read() as connection:
        page = lists.page(connection, EMAILS, {"order": str(order), "state": ABSENT})
    counted = request.node.callspec.params["order"] == "large"
    assert (page.items, page.looked_back) == ([], not counted)


@pytest.mark.dialects
def test_no_list_walks_through_all_emails(store: Store, order: UUID) -> None:
    with store.read() as connection:
        for state in expected(connection, order):
            look = partial(lists.page, connection, EMAILS, {"order": str(order), "state": state})
            for said, plan in plans(connection, look):
                assert not scans(plan, "emails", "email_attempts"), said


def test_what_failed_lately_is_found_by_when_it_did(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection)
        for ago in (1, 3):
            seq = add_email(connection, of, state=EmailState.FAILED, due_at=None, last_update=now() - ago * HOUR)
            line = {"email_seq": seq, "claim": 1, "at": now() - ago * HOUR, "duration_ms": 1, "relay": "relay:25"}
            tried = emails.metadata.tables["email_attempts"].insert()
            connection.execute(tried.values(line | {"outcome": "rejected", "code": 550, "reply": "no such user"}))
    with store.read() as connection:
        found = {ago: len(everything(connection, EMAILS, {"state": "failed", "failed": ago})) for ago in ("2h", "4h")}
    assert found == {"2h": 1, "4h": 2}
