"""Lists: every condition finds what it says, pages leave nothing out, and no page takes longer at the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, text

from engine.admin import lists
from engine.admin.filters import first_id
from engine.admin.lists import batch, count, page
from engine.admin.resources import AUDIT, DELIVERIES, EMAILS, EVENTS, JOBS, ORDERS, RESOURCES, SUBSCRIPTIONS
from engine.admin.standing import GROUPS
from engine.db.tables import deliveries, delivery_attempts, email_attempts, emails, events, orders
from engine.errors import Invalid
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState
from engine.observability.audit import note
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.admin.resources import Resource
    from engine.db.store import Store

    Row = dict[str, Any]

HOUR = timedelta(hours=1)
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROWS = 60


def made(number: int, at: datetime) -> UUID:
    """A version 7 identifier of that time."""
    return type(first_id(at))(int=first_id(at).int | 7 << 76 | 2 << 62 | number)


@pytest.fixture
def filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Rows of all kinds, an hour apart, in which every condition has matches and others; windows are small."""
    monkeypatch.setattr(lists, "WINDOW", 7)
    with store.write() as connection:
        _orders_and_emails(connection)
        _events_and_deliveries(connection)
        for number in range(12):
            note(connection, ("anna", "ola")[number % 2], ("pause", "resume")[number % 3 > 0], f"lane/{number % 4}")
    with store.read() as connection:
        yield connection


def _orders_and_emails(connection: Connection) -> None:
    states = [*OrderState]
    for number in range(ROWS):
        state = states[number % len(states)]
        at = START + number * HOUR
        waits = state in (OrderState.REGISTERED, OrderState.PROCESSING)
        seq = add_order(
            connection,
            id=made(number, at),
            created=at,
            state=state,
            **(_stands(number, 5, 7) if waits else {"due_at": None}),
            attempts=number % 2,
            creator=("ttd", "skd", "100%_sure")[number % 3],
            senders_reference=f"reference-{number % 9}" if number % 2 else None,
            recipients=f'[{{"emailAddress":"Person{number}@Example.no"}}]',
        )
        _email(connection, number, seq, at)


def _stands(number: int, held: int, later: int) -> dict[str, Any]:
    """Some are held back, some due later, most are due."""
    return PAUSED if number % held == 0 else {"due_at": _due_at(number, later)}


def _due_at(number: int, later: int) -> datetime:
    return now().replace(microsecond=0) + (number + 1) * HOUR if number % later == 1 else START + number % later * HOUR


def _email(connection: Connection, number: int, order: int, at: datetime) -> None:
    states = [*EmailState]
    state = states[number % len(states)]
    waits = state in (EmailState.NEW, EmailState.SENDING)
    seq = add_email(
        connection,
        order,
        id=made(number, at),
        state=state,
        **(_stands(number, 4, 6) if waits else {"due_at": None}),
        attempts=number % 3,
        address=f"Person{number % 10}@{('example.no', 'other.example', 'a_b.example')[number % 3]}",
    )
    outcomes = [("deferred", None), ("deferred", 451), ("rejected", 550), ("in_doubt", None), ("expired", None)]
    outcome, code = (*outcomes, ("abandoned", None), ("accepted", 250))[number % 7]
    line = {"email_seq": seq, "claim": 1, "at": at, "duration_ms": 3, "phase": "rcpt", "reply": "what it said"}
    connection.execute(insert(email_attempts).values(line | {"relay": "relay", "outcome": outcome, "code": code}))


def _events_and_deliveries(connection: Connection) -> None:
    for number in range(ROWS):
        resource = f"urn:altinn:resource:app_{number % 3}"
        made_event = an_event(
            id=f"event-{number}",
            type=f"App.{('created', 'changed')[number % 2]}.{number}",
            source=f"https://Example.no/{number % 4}/100%",
            resource=resource,
            subject=f"/party/{number % 5}",
        )
        persist(connection, [made_event])
    seqs = connection.scalars(select(events.c.seq).order_by(events.c.seq)).all()
    for seq in seqs:
        connection.execute(events.update().where(events.c.seq == seq).values(registered=START + seq * HOUR))
    subscribed = [
        add_subscription(
            connection,
            f"https://receiver{number}.example/100%",
            consumer=f"/org/{number % 3}",
            validated=number % 2 == 0,
            paused_reason="Paused by an operator." if number % 3 == 0 else None,
            last_error="status 503" if number % 4 == 0 else None,
            resource_filter=f"urn:altinn:resource:app_{number}",
        )
        for number in range(8)
    ]
    states = [*DeliveryState]
    for number, event in enumerate(seqs):
        state = states[number % len(states)]
        at_time = START + number * HOUR
        values = {"subscription_seq": subscribed[number % 8], "event_seq": event, "state": state, "created": at_time}
        due_at = now() + HOUR if number % 5 == 1 else at_time
        values |= {"due_at": due_at if state == DeliveryState.WAITING else None, "attempts": number % 3}
        made_push = insert(deliveries).values(values | {"last_update": at_time}).returning(deliveries.c.seq)
        seq = connection.execute(made_push).scalar_one()
        outcomes = [("deferred", None), ("rejected", 302), ("rejected", 404), ("deferred", 503), ("expired", None)]
        outcome, status = (*outcomes, ("unauthorized", 403), ("accepted", 200))[number % 7]
        line = {"delivery_seq": seq, "at": at_time, "duration_ms": 4, "reply": "", "outcome": outcome, "status": status}
        connection.execute(insert(delivery_attempts).values(line))


def everything(connection: Connection, resource: Resource, given: dict[str, str], size: int = 3) -> list[Row]:
    """All pages of a list, one after the other."""
    found: list[Row] = []
    cursor = None
    for _ in range(10 * ROWS):
        part = page(connection, resource, given, cursor, size)
        assert len(part.items) <= size
        assert part.looked_back == (part.next is not None and len(part.items) < size) or len(part.items) == size
        found += part.items
        cursor = part.next
        if cursor is None:
            return found
    msg = "the pages do not end"
    raise AssertionError(msg)


def key(resource: Resource, row: Row) -> Any:
    return row[resource.key.name]


def all_of(connection: Connection, resource: Resource) -> list[Row]:
    """Every row with all its columns, the newest first."""
    table = resource.table
    return [dict(row._mapping) for row in connection.execute(select(table).order_by(resource.key.desc()))]  # noqa: SLF001 SQLAlchemy's documented name


def logged(connection: Connection, resource: Resource) -> dict[int, Row]:
    """The one line that each row has in the log of attempts."""
    log, owner = (email_attempts, "email_seq") if resource is EMAILS else (delivery_attempts, "delivery_seq")
    return {getattr(row, owner): dict(row._mapping) for row in connection.execute(select(log))}  # noqa: SLF001 SQLAlchemy's documented name


def in_state(state: str) -> tuple[dict[str, str], Callable[[Row], bool]]:
    return {"state": state}, lambda row: row["state"] == state


def is_open(row: Row) -> bool:
    return row["due_at"] is not None or row["paused_by"] is not None


def is_due(row: Row) -> bool:
    return row["due_at"] is not None and row["due_at"] <= now()


def is_later(row: Row) -> bool:
    """But for what a worker has in hand."""
    return row["due_at"] is not None and now() < row["due_at"] and row["state"] != EmailState.SENDING


def untried(row: Row) -> bool:
    """An e-mail that is due, though looked at later."""
    return is_later(row) and row["attempts"] == 0


def of_paused(row: Row) -> bool:
    """Of a delivery: its subscription is."""
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
    ({"creator": "skd"}, lambda row: row["creator"] == "skd"),
    ({"creator": "skd", "state": "waiting"}, lambda row: row["creator"] == "skd" and row["state"] == "Registered"),
    ({"creator": "SKD"}, lambda _: False),
    ({"creator": "%"}, lambda _: False),
    ({"reference": "reference-3"}, lambda row: row["senders_reference"] == "reference-3"),
    ({"recipient": "person1@EXAMPLE"}, lambda row: "Person1@" in row["recipients"]),
    ({"recipient": "_erson1"}, lambda _: False),
    ({"since": "2026-05-02T00:00:00Z"}, lambda row: row["created"] >= START + 12 * HOUR),
    ({"until": "2026-05-02T02:00:00+02:00"}, lambda row: row["created"] < START + 12 * HOUR),
    (
        {"state": "waiting", "since": "2026-05-02", "until": "2026-05-03"},
        lambda row: row["state"] == "Registered" and START + 12 * HOUR <= row["created"] < START + 36 * HOUR,
    ),
]
EMAIL_CASES: list[tuple[dict[str, str], Callable[[Row], bool]]] = [
    ({}, lambda _: True),
    *(in_state(state) for state in EmailState),
    ({"state": "failed"}, lambda row: row["state"] in FAILED),
    ({"state": "waiting"}, lambda row: row["state"] == "New"),
    ({"state": "due"}, lambda row: is_due(row) or untried(row)),
    ({"state": "later"}, lambda row: is_later(row) and not untried(row)),
    ({"state": "retrying"}, lambda row: is_later(row) and row["attempts"] > 0),
    ({"state": "held"}, lambda row: row["paused_by"] is not None),
    ({"recipient": "person3@EXAMPLE.no"}, lambda row: row["address"] == "Person3@example.no"),
    ({"recipient": "@other.example"}, lambda row: row["address"].endswith("@other.example")),
    ({"recipient": "person3"}, lambda row: row["address"].startswith("Person3")),
    ({"recipient": "@a%b.example"}, lambda _: False),
    ({"recipient": "@a_b.example"}, lambda row: row["address"].endswith("@a_b.example")),
    ({"error": "unreachable"}, lambda row: row["log"]["code"] is None and row["log"]["outcome"] == "deferred"),
    ({"error": "4xx"}, lambda row: row["log"]["code"] == 451),
    ({"error": "5xx"}, lambda row: row["log"]["code"] == 550),
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
    indirect = {"order", "email", "creator", "reference"} if resource is EMAILS else {"order"}
    assert named == {*resource.fields} - indirect
    matched = dict.fromkeys(named, 0)
    for given, fits in cases:
        expected = [row for row in rows if fits(row)]
        shown = everything(filled, resource, given)
        by_due = (*GROUPS, "waiting", "Registered", "New", "Sending")
        if given.get("state") in by_due and resource in (ORDERS, EMAILS):
            expected.sort(key=lambda row: (row["due_at"] is None, row["due_at"] or START, row["seq"]))
        assert [key(resource, row) for row in shown] == [key(resource, row) for row in expected], given
        assert count(filled, resource, given, resource.key.is_not(None), 1_000) == len(expected), given
        for name in given:
            matched[name] += 0 < len(expected) < len(rows)
    assert all(matched.values()) or resource is AUDIT, matched


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


@pytest.mark.parametrize("typed", ["@blåbær.no", "@xn--blbr-roah.no", "@Xn--Blbr-Roah.NO"])
def test_emails_to_a_domain_are_found_whichever_of_its_forms_is_typed(store: Store, typed: str) -> None:
    addresses = ["a@blåbær.no", "b@Xn--blbr-roah.no", "c@blåbær.NO"]
    with store.write() as connection:
        seq = add_order(connection)
        for address in (*addresses, "d@blabar.no"):
            add_email(connection, seq, address=address)
        found = everything(connection, EMAILS, {"recipient": typed})
    assert {row["address"] for row in found} == set(addresses)


def test_what_comes_in_between_two_pages_moves_nothing(store: Store) -> None:
    with store.write() as connection:
        for _ in range(7):
            add_order(connection)
    with store.read() as connection:
        before = [row["id"] for row in everything(connection, ORDERS, {})]
        first = page(connection, ORDERS, {}, None, 3)
    with store.write() as connection:
        add_order(connection)
    with store.read() as connection:
        rest = page(connection, ORDERS, {}, first.next, 100)
    assert [row["id"] for row in first.items + rest.items] == before


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


@pytest.mark.parametrize(
    ("resource", "given", "field"),
    [
        ("orders", {"nonsense": "x"}, "nonsense"),
        ("orders", {"state": "waits"}, "state"),
        ("orders", {"order": "17"}, "order"),
        ("orders", {"since": "yesterday"}, "since"),
        ("orders", {"until": "2026-13-01"}, "until"),
        ("orders", {"creator": "a\x00b"}, "creator"),
        ("orders", {"creator": "a" * 401}, "creator"),
        ("emails", {"error": "6xx"}, "error"),
        ("emails", {"recipient": "\u202eon.elpmaxe@irak"}, "recipient"),
        ("events", {"event": "1e3"}, "event"),
        ("events", {"event": "٣"}, "event"),
        ("deliveries", {"subscription": "9" * 19}, "subscription"),
    ],
)
def test_a_wrong_condition_is_named(store: Store, resource: str, given: dict[str, str], field: str) -> None:
    with store.read() as connection, pytest.raises(Invalid) as refused:
        page(connection, RESOURCES[resource], given)
    assert list(refused.value.errors) == [field]


@pytest.mark.parametrize(
    ("resource", "given"), [(ORDERS, {}), (ORDERS, {"state": "waiting"}), (EVENTS, {})], ids=["id", "due", "seq"]
)
def test_a_wrong_cursor_is_refused(store: Store, resource: Resource, given: dict[str, str]) -> None:
    for cursor in ("", "x", "1.x", "9" * 30, "-1", "1.2.3", "\x00", "٣", f"{'9' * 18}.1"):
        with store.read() as connection, pytest.raises(Invalid) as refused:
            page(connection, resource, given, cursor)
        assert list(refused.value.errors) == ["cursor"]


def test_the_database_reads_no_more_than_it_shows(store: Store, database: str) -> None:
    """Each list begins on an index, in its own order: no sort, and no scan of a table."""
    with store.write() as connection:
        _orders_and_emails(connection)
        _events_and_deliveries(connection)
        if database == "postgresql":
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL enable_bitmapscan = off"))
            connection.execute(text("SET LOCAL enable_sort = off"))  # as it does where there are many rows
        for resource in (ORDERS, EMAILS, EVENTS, DELIVERIES):
            for given in ({}, *({"state": state} for state in resource.choices.get("state", ()))):
                plan = _plan(connection, resource, given)
                assert not re.search(r"Seq Scan|Sort|TEMP B-TREE", plan), (resource.name, given, plan)


def _plan(connection: Connection, resource: Resource, given: dict[str, str]) -> str:
    narrowed = resource.narrow(connection, dict(given))
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    lines: list[str] = []
    for part in narrowed.parts:
        chosen = lists._ordered(resource, narrowed, part).where(*narrowed.rest).limit(50)  # noqa: SLF001 the statement itself
        compiled = chosen.compile(connection, compile_kwargs={"literal_binds": True})
        rows = connection.exec_driver_sql(f"{explain} {compiled}".replace("%", "%%"))
        lines += (str(row[-1]) for row in rows)
    return "\n".join(lines)


def test_a_list_of_what_waits_goes_on_from_any_row_also_among_what_is_held_back(store: Store) -> None:
    with store.write() as connection:
        for number in range(6):
            add_order(connection, **({"due_at": now() + number * HOUR} if number % 2 else PAUSED))
    with store.read() as connection:
        whole = [key(ORDERS, row) for row in page(connection, ORDERS, {"state": "waiting"}).items]
        assert len(whole) == 6
        for size in range(1, 7):
            shown = everything(connection, ORDERS, {"state": "waiting"}, size)
            assert [key(ORDERS, row) for row in shown] == whole
        for wrong in ("1.2.3", "x", "", "1."):
            with pytest.raises(Invalid):
                page(connection, ORDERS, {"state": "waiting"}, wrong)


def test_times_ago_count_from_now(store: Store) -> None:
    with store.write() as connection:
        add_order(connection)
    with store.read() as connection:
        assert len(page(connection, ORDERS, {"since": "1m"}).items) == 1
        assert page(connection, ORDERS, {"until": "1m"}).items == []
        assert page(connection, ORDERS, {"since": (now() + HOUR).isoformat()}).items == []
