"""What is asked about something large costs the same, whether it is alone, the oldest of some, or the newest.

PostgreSQL would look for what is new through all that is older, since it expects so many rows to be everywhere; and for
what comes last of something old, through all that is newer.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest
from sqlalchemy import func, insert, select, text, update

from engine.admin import details
from engine.admin.belonging import of_order
from engine.admin.subscriptions import LOOKED_AT
from engine.db.tables import deliveries, emails, events, subscriptions
from engine.events.storing import persist
from engine.models import Caller, DeliveryState, OrderState
from engine.orders import reading, withdrawing
from engine.subscriptions import registry
from tests.helpers.effort import effort
from tests.helpers.large_orders import add_large_order
from tests.helpers.rows import add_subscription, an_event, now

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

One = TypeVar("One")

pytestmark = pytest.mark.dialects
MANY, FEW = 4_000, 50
OTHERS = 4
SLACK = 150  # steps or blocks: SQLite tells hundreds
TTD = Caller("ttd", frozenset(), platform=False, identity="/org/ttd")


def check(store: Store, make: Callable[[Connection], One], ask: Callable[[Connection, One], object]) -> None:
    with store.write() as connection:
        first = make(connection)
        _analyze(connection)
        ask(connection, first)  # databases have read their tables' shapes
        alone = effort(connection, partial(ask, connection, first))
        newest = [make(connection) for _ in range(OTHERS)][-1]
        _analyze(connection)
        costs = [effort(connection, partial(ask, connection, one)) for one in (first, newest)]
    assert max(costs) <= 1.5 * alone + SLACK, (alone, *costs)


def _analyze(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE"))


def large_order(connection: Connection) -> UUID:
    return add_large_order(connection, MANY, OrderState.PROCESSED)[0]


def test_an_email_of_a_large_order(store: Store) -> None:
    check(store, large_order, of_order)


def test_the_first_emails_of_a_large_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", FEW)
    check(store, large_order, lambda connection, its: reading.notifications(connection, "ttd", its))


def test_the_last_emails_of_a_large_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", FEW)

    def ask(connection: Connection, its: tuple[UUID, int]) -> None:
        order, last = its
        reached = reading.Reached(last - FEW // 2, last)
        _, found, behind = reading.notifications(connection, "ttd", order, reached)
        assert (len(found), behind) == (FEW // 2, None)

    def make(connection: Connection) -> tuple[UUID, int]:
        return large_order(connection), connection.execute(select(func.max(emails.c.seq))).scalar_one()

    check(store, make, ask)


def test_a_large_order_is_put_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawing, "BATCH", FEW)
    aim = withdrawing.Aim(now() + timedelta(days=1))

    def ask(connection: Connection, its: UUID) -> None:
        assert withdrawing.withdraw(connection, "ttd", its, aim, calendars=None).more  # type: ignore[arg-type]

    check(store, large_order, ask)


def add_subscription_with(connection: Connection, count: int, **values: object) -> int:
    seq = add_subscription(connection, "https://example.no/")
    row = {"state": DeliveryState.DEAD, "created": now(), "last_update": now(), "subscription_seq": seq} | values
    connection.execute(insert(deliveries), [row] * count)
    return seq


def test_a_subscription_with_many_deliveries_is_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AT_ONCE", FEW)

    def ask(connection: Connection, seq: int) -> None:
        registry.remove(connection, TTD, seq)
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(removed=None))

    check(store, lambda connection: add_subscription_with(connection, MANY), ask)


def test_the_page_of_a_subscription_with_many_deliveries(store: Store) -> None:
    """It looks at the newest 10,000; a test of its endpoint, which is none of them, is not looked for among all."""
    with store.write() as connection:
        persist(connection, [an_event()])
        event = connection.execute(select(events.c.seq)).scalar_one()
        made = [add_subscription_with(connection, count, event_seq=event) for count in (LOOKED_AT, 3 * LOOKED_AT)]
        _analyze(connection)
        few, many = (effort(connection, partial(details.subscription, connection, seq)) for seq in made)
    assert many <= 1.2 * few
