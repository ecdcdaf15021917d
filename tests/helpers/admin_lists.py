"""Operators' lists, read from beginning to end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from engine.admin.filters import first_id
from engine.admin.lists import page
from engine.db.tables import deliveries, delivery_attempts, email_attempts, events
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.admin.resources import Resource

    Row = dict[str, Any]

HOUR = timedelta(hours=1)
START = datetime(2026, 5, 1, 12, tzinfo=UTC)
ROWS = 60


def made(number: int, at: datetime) -> UUID:
    """A version 7 UUID with that time."""
    return type(first_id(at))(int=first_id(at).int | 7 << 76 | 2 << 62 | number)


def add_orders_and_emails(connection: Connection) -> None:
    states = [*OrderState]
    for number in range(ROWS):
        state = states[(number + number // len(states)) % len(states)]  # in other company each time
        at = START + number * HOUR
        waits = state in (OrderState.REGISTERED, OrderState.PROCESSING)
        seq = add_order(
            connection,
            id=made(number, at),
            created=at,
            state=state,
            **(_stands(number, 5, 7) if waits else {"due_at": None}),
            attempts=number % 2,
            priority=number % 3,
            creator=("ttd", "skd", "100%_sure")[number % 3],
            senders_reference=f"reference-{number % 9}" if number % 2 else None,
            recipients=f'[{{"emailAddress":"Person{number}@Example.no"}}]',
        )
        _email(connection, number, seq, at)


def _stands(number: int, held: int, later: int) -> dict[str, Any]:
    """Some rows are paused, some are due later, most are due."""
    return PAUSED if number % held == 0 else {"due_at": _due_at(number, later)}


def _due_at(number: int, later: int) -> datetime:
    return now().replace(microsecond=0) + (number + 1) * HOUR if number % later == 1 else START + number % later * HOUR


def _email(connection: Connection, number: int, order: int, at: datetime) -> None:
    states = [*EmailState]
    state = states[(number + number // len(states)) % len(states)]  # in other company each time
    waits = state in (EmailState.NEW, EmailState.SENDING)
    seq = add_email(
        connection,
        order,
        id=made(number, at),
        state=state,
        **(_stands(number, 4, 6) if waits else {"due_at": None}),
        attempts=number % 3,
        priority=number % 2,
        address=f"Person{number % 10}@{('example.no', 'other.example', 'a_b.example')[number % 3]}",
    )
    outcomes = [("deferred", None), ("deferred", 451), ("rejected", 550), ("in_doubt", None), ("expired", None)]
    outcome, code = (*outcomes, ("abandoned", None), ("accepted", 250))[number % 7]
    line = {"email_seq": seq, "claim": 1, "at": at, "duration_ms": 3, "phase": "rcpt", "reply": "what it said"}
    connection.execute(insert(email_attempts).values(line | {"relay": "relay", "outcome": outcome, "code": code}))


def add_events_and_deliveries(connection: Connection) -> None:
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
        state = states[(number + number // len(states)) % len(states)]  # in other company each time
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
