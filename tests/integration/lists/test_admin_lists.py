"""Lists: every condition finds what it says, pages leave nothing out, and no page takes longer at the end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.admin import filters
from engine.admin.lists import batch, counts
from engine.admin.resources import AUDIT, DELIVERIES, EMAILS, EVENTS, JOBS, ORDERS, SUBSCRIPTIONS
from engine.admin.standing import GROUPS
from engine.db.tables import delivery_attempts, email_attempts, emails, orders
from engine.models import DeliveryState, EmailState, OrderState
from tests.helpers.admin_lists import HOUR, START, everything, key
from tests.helpers.rows import now

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from engine.admin.resources import Resource

    Row = dict[str, Any]


def all_of(connection: Connection, resource: Resource) -> list[Row]:
    """Every row with all its columns, the newest first."""
    table = resource.table
    return [dict(row._mapping) for row in connection.execute(select(table).order_by(resource.key.desc()))]  # noqa: SLF001 SQLAlchemy's documented name


def logged(connection: Connection, resource: Resource) -> dict[int, Row]:
    """The one line of each row in the log of attempts."""
    log, owner = (email_attempts, "email_seq") if resource is EMAILS else (delivery_attempts, "delivery_seq")
    return {getattr(row, owner): dict(row._mapping) for row in connection.execute(select(log))}  # noqa: SLF001 SQLAlchemy's documented name


def in_state(state: str) -> tuple[dict[str, str], Callable[[Row], bool]]:
    return {"state": state}, lambda row: row["state"] == state


def is_open(row: Row) -> bool:
    return row["due_at"] is not None or row["paused_by"] is not None


def is_due(row: Row) -> bool:
    return row["due_at"] is not None and row["due_at"] <= now()


def is_later(row: Row) -> bool:
    """Whether it is due later; a row that a worker has in hand is not."""
    return row["due_at"] is not None and now() < row["due_at"] and row["state"] != EmailState.SENDING


def untried(row: Row) -> bool:
    """Whether an e-mail counts as due, though a worker looks at it later."""
    return is_later(row) and row["attempts"] == 0


def of_paused(row: Row) -> bool:
    """Whether a delivery's subscription is paused."""
    return bool((row["subscription_seq"] - 1) % 3 == 0)


FAILED = {state for state in EmailState if state.startswith("Failed")}
ORDER_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    *(in_state(state) for state in OrderState),
    ({"state": "waiting"}, lambda row: row["state"] == "Registered" and is_open(row)),
    ({"state": "due"}, is_due),
    ({"state": "later"}, is_later),
    ({"state": "retrying"}, lambda row: is_later(row) and row["attempts"] > 0),
    ({"state": "held"}, lambda row: row["paused_by"] is not None),
    ({"priority": "Bulk"}, lambda row: row["priority"] == 2),
    ({"creator": "skd"}, lambda row: row["creator"] == "skd"),
    ({"creator": "skd", "state": "waiting"}, lambda row: row["creator"] == "skd" and row["state"] == "Registered"),
    ({"creator": "SKD"}, lambda _: False),
    ({"creator": "%"}, lambda _: False),
    ({"reference": "reference-3"}, lambda row: row["senders_reference"] == "reference-3"),
    ({"reference": "reference-*"}, lambda row: bool(row["senders_reference"])),
    ({"recipient": "person1@EXAMPLE"}, lambda row: "Person1@" in row["recipients"]),
    ({"recipient": "_erson1"}, lambda _: False),
    ({"since": "2026-05-02T00:00:00Z"}, lambda row: row["created"] >= START + 12 * HOUR),
    ({"until": "2026-05-02T02:00:00+02:00"}, lambda row: row["created"] < START + 12 * HOUR),
    (
        {"state": "waiting", "since": "2026-05-02", "until": "2026-05-03"},
        lambda row: row["state"] == "Registered" and START + 12 * HOUR <= row["created"] < START + 36 * HOUR,
    ),
]
_OF_ORDERS = {"order", "chain", "idempotency"}
EMAIL_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    *(in_state(state) for state in EmailState),
    ({"state": "failed"}, lambda row: row["state"] in FAILED),
    ({"priority": "Instant", "state": "due"}, lambda row: row["priority"] == 0 and (is_due(row) or untried(row))),
    ({"state": "waiting"}, lambda row: row["state"] == "New"),
    ({"state": "due"}, lambda row: is_due(row) or untried(row)),
    ({"state": "later"}, lambda row: is_later(row) and not untried(row)),
    ({"state": "retrying"}, lambda row: is_later(row) and row["attempts"] > 0),
    ({"state": "held"}, lambda row: row["paused_by"] is not None),
    ({"recipient": "person3@EX"}, lambda row: row["address"].startswith("Person3@example")),
    ({"recipient": "person3@EXAMPLE.n*"}, lambda row: row["address"] == "Person3@example.no"),
    ({"recipient": "person3@EXAMPLE.no"}, lambda row: row["address"] == "Person3@example.no"),
    ({"recipient": "@other.example"}, lambda row: row["address"].endswith("@other.example")),
    ({"recipient": "person3"}, lambda row: row["address"].startswith("Person3")),
    ({"recipient": "@a%b.example"}, lambda _: False),
    ({"recipient": "@a_b.example"}, lambda row: row["address"].endswith("@a_b.example")),
    ({"error": "unreachable"}, lambda row: row["log"]["code"] is None and row["log"]["outcome"] == "deferred"),
    ({"error": "4xx"}, lambda row: row["log"]["code"] == 451),
    ({"error": "5xx"}, lambda row: row["log"]["code"] == 550),
    ({"code": "550"}, lambda row: row["log"]["code"] == 550),
    ({"code": "5.1.1"}, lambda _: False),
    *(
        ({"error": error}, lambda row, error=error: row["log"]["outcome"] == error)
        for error in ("in_doubt", "expired", "abandoned")
    ),
    ({"state": "failed", "error": "5xx"}, lambda row: row["state"] in FAILED and row["log"]["code"] == 550),
    ({"since": "2026-05-02"}, lambda row: row["seq"] > 12),
    ({"until": "2026-05-02"}, lambda row: row["seq"] <= 12),
]
EVENT_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    ({"type": "app.CREATED"}, lambda row: "created" in row["type"]),
    ({"type": "."}, lambda _: True),
    ({"type": "_"}, lambda _: False),
    ({"source": "example.no/2/100%"}, lambda row: "/2/" in row["source"]),
    ({"source": "example%"}, lambda _: False),
    ({"resource": "urn:altinn:resource:app_1"}, lambda row: row["resource"].endswith("app_1")),
    ({"resource": "app_1"}, lambda _: False),
    ({"subject": "/party/3"}, lambda row: row["subject"] == "/party/3"),
    ({"id": "event-17"}, lambda row: row["id"] == "event-17"),
    ({"event": "17"}, lambda row: row["seq"] == 17),
    ({"since": "2026-05-02"}, lambda row: row["registered"] >= START + 12 * HOUR),
    ({"until": "2026-05-02"}, lambda row: row["registered"] < START + 12 * HOUR),
    ({"since": "2027-01-01"}, lambda _: False),
    ({"until": "2026-01-01"}, lambda _: False),
    (
        {"resource": "urn:altinn:resource:app_1", "type": "changed", "until": "2026-05-03"},
        lambda row: (
            row["resource"].endswith("1") and "changed" in row["type"] and row["registered"] < START + 36 * HOUR
        ),
    ),
]
SUBSCRIPTION_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    ({"state": "paused"}, lambda row: row["paused_reason"] is not None),
    ({"state": "failing"}, lambda row: row["last_error"] is not None),
    ({"state": "unvalidated"}, lambda row: not row["validated"]),
    ({"consumer": "/org/1"}, lambda row: row["consumer"] == "/org/1"),
    ({"endpoint": "RECEIVER3.example"}, lambda row: "receiver3." in row["endpoint"]),
    ({"endpoint": "receiver_"}, lambda _: False),
    ({"resource": "app_5"}, lambda row: row["resource_filter"].endswith("app_5")),
    ({"subscription": "2"}, lambda row: row["seq"] == 2),
]
DELIVERY_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    *(in_state(state) for state in DeliveryState),
    ({"state": "due"}, lambda row: is_due(row) and not of_paused(row)),
    ({"state": "later"}, lambda row: is_later(row) and not of_paused(row)),
    ({"state": "retrying"}, lambda row: is_later(row) and not of_paused(row) and row["attempts"] > 0),
    ({"state": "held"}, lambda row: row["due_at"] is not None and of_paused(row)),
    ({"subscription": "3"}, lambda row: row["subscription_seq"] == 3),
    ({"event": "3"}, lambda row: row["event_seq"] == 3),
    ({"delivery": "3"}, lambda row: row["seq"] == 3),
    (
        {"error": "unreachable"},
        lambda row: row["log"]["status"] is None and row["log"]["outcome"] in ("deferred", "rejected"),
    ),
    ({"error": "3xx"}, lambda row: row["log"]["status"] == 302),
    ({"error": "4xx"}, lambda row: row["log"]["status"] in (403, 404)),
    ({"error": "5xx"}, lambda row: row["log"]["status"] == 503),
    ({"error": "expired"}, lambda row: row["log"]["outcome"] == "expired"),
    ({"error": "unauthorized"}, lambda row: row["log"]["outcome"] == "unauthorized"),
    ({"since": "2026-05-02"}, lambda row: row["created"] >= START + 12 * HOUR),
    ({"until": "2026-05-02"}, lambda row: row["created"] < START + 12 * HOUR),
    ({"state": "Dead", "subscription": "3"}, lambda row: row["state"] == "Dead" and row["subscription_seq"] == 3),
]
AUDIT_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    ({"who": "anna"}, lambda row: row["who"] == "anna"),
    ({"action": "pause"}, lambda row: row["action"] == "pause"),
    ({"target": "lane/3"}, lambda row: row["target"] == "lane/3"),
    ({"since": "1h"}, lambda _: True),
    ({"until": "1h"}, lambda _: False),
]


@pytest.mark.parametrize(
    ("resource", "cases"),
    [
        (ORDERS, ORDER_CASES),
        (EMAILS, EMAIL_CASES),
        (EVENTS, EVENT_CASES),
        (SUBSCRIPTIONS, SUBSCRIPTION_CASES),
        (DELIVERIES, DELIVERY_CASES),
        (AUDIT, AUDIT_CASES),
    ],
    ids=lambda given: given.name if hasattr(given, "name") else "",
)
def test_every_condition_finds_what_it_says_and_pages_leave_nothing_out(
    filled: Connection, resource: Resource, cases: list[tuple[dict[str, str], Callable[[Row], bool]]]
) -> None:
    rows = all_of(filled, resource)
    if resource in (EMAILS, DELIVERIES):
        lines = logged(filled, resource)
        rows = [row | {"log": lines[row["seq"]]} for row in rows]
    named = {name for given, _ in cases for name in given}
    of_emails = {
        "order",
        "email",
        "creator",
        "reference",
        "queue",
        "failure",
        "relay",
        "failed",
        "ended",
        "upto",
    }  # test_failures has them, and tests of their own
    indirect = {"job", "ids"} | (of_emails if resource is EMAILS else _OF_ORDERS)
    assert named == {*resource.fields} - indirect
    matched = dict.fromkeys(named, 0)
    for given, fits in cases:
        expected = [row for row in rows if fits(row)]
        shown = everything(filled, resource, given)
        by_due = (*GROUPS, "waiting", "Registered", "New", "Sending")
        if given.get("state") in by_due and resource in (ORDERS, EMAILS):
            expected.sort(key=lambda row: (row["due_at"] is None, row["due_at"] or START, row["seq"]))
        assert [key(resource, row) for row in shown] == [key(resource, row) for row in expected], given
        number, part = counts(filled, resource, given, resource.key.is_not(None), resource.key.is_(None), 1_000)
        assert (number, part) == (len(expected), 0), given
        for name in given:
            matched[name] += 0 < len(expected) < len(rows)
    assert all(matched.values()) or resource is AUDIT, matched


def test_emails_are_found_by_when_they_were_settled(filled: Connection) -> None:
    rows = filled.execute(
        select(emails.c.seq, emails.c.id, emails.c.state, emails.c.due_at, emails.c.paused_by).order_by(emails.c.id)
    ).all()
    for row in rows:
        ended = filters.created(row.id) + timedelta(minutes=90)
        filled.execute(update(emails).where(emails.c.seq == row.seq).values(last_update=ended))
    first, end = (filters.created(rows[place].id) + timedelta(minutes=90) for place in (5, -5))
    given = {"ended": first.isoformat(), "upto": end.isoformat()}
    settled = [row for row in rows[5:-5] if row.due_at is row.paused_by is None]
    assert 0 < len(settled) < len(rows) - 10
    for state, fits in (("", settled), ("failed", [row for row in settled if row.state.startswith("Failed")])):
        shown = everything(filled, EMAILS, given | ({"state": state} if state else {}))
        assert [row["id"] for row in shown] == [row.id for row in fits][::-1]
        assert shown


def test_emails_are_found_by_what_their_order_says(filled: Connection) -> None:
    chosen = select(emails.c.id, orders.c.creator, orders.c.senders_reference).join(orders)
    rows = filled.execute(chosen.order_by(emails.c.id.desc())).all()
    for name, value, column in (("creator", "skd", "creator"), ("reference", "reference-3", "senders_reference")):
        shown = [row["id"] for row in everything(filled, EMAILS, {name: value})]
        assert shown == [row.id for row in rows if getattr(row, column) == value]
        assert shown
    order = filled.execute(select(orders.c.id, orders.c.seq).limit(1)).one()
    its = filled.scalars(select(emails.c.id).where(emails.c.order_seq == order.seq)).all()
    assert {row["id"] for row in everything(filled, EMAILS, {"order": str(order.id)})} == set(its)
    assert [row["order_id"] for row in everything(filled, EMAILS, {"email": str(its[0])})] == [order.id]
    assert everything(filled, ORDERS, {"order": str(order.id)})[0]["id"] == order.id
    assert everything(filled, JOBS, {}) == []


def test_batches_are_pages_of_keys(filled: Connection) -> None:
    seen: list[Any] = []
    cursor = None
    while True:
        keys, cursor = batch(filled, EMAILS, {"state": "failed"}, emails.c.attempts > 0, cursor, 4)
        assert len(keys) <= 4
        seen += keys
        if cursor is None:
            break
    expected = [row["id"] for row in all_of(filled, EMAILS) if row["state"] in FAILED and row["attempts"] > 0]
    assert seen == expected
    assert len(expected) > 4
