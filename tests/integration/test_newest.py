"""What is asked about something large costs the same, whether it is alone, the oldest of some, or the newest.

PostgreSQL would look for what is new through all that is older, since it expects so many rows to be everywhere; and for
what comes last of something old, through all that is newer.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text, update

from engine.admin import details, lists
from engine.admin.belonging import of_order
from engine.admin.lists import Place, Sort
from engine.admin.resources import DELIVERIES, EVENTS, ORDERS
from engine.admin.subscriptions import LOOKED_AT
from engine.db.tables import deliveries, emails, events, orders, subscriptions
from engine.events import reading as events_read
from engine.events.reading import Query, page
from engine.events.status import SOURCE
from engine.events.storing import persist
from engine.models import Caller, DeliveryState, OrderState
from engine.orders import reading, shipments, withdrawing
from engine.queue.calendars import Calendars
from engine.resources import status_resource
from engine.subscriptions import registry
from tests.helpers.effort import effort
from tests.helpers.large_orders import add_large_order
from tests.helpers.rows import add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.admin.resources import Resource
    from engine.db.store import Store

Made = TypeVar("Made")
Given: TypeAlias = "tuple[Resource, Mapping[str, str]]"
ORDER_COMPLETED = "no.varsel.order.completed"

pytestmark = pytest.mark.dialects
MANY, FEW = 4_000, 50
OTHERS = 4
SLACK = 150  # steps or blocks: SQLite's steps are counted in hundreds
TTD = Caller("ttd", frozenset(), platform=False, identity="/org/ttd")


def check(store: Store, make: Callable[[Connection], Made], ask: Callable[[Connection, Made], object]) -> None:
    """What is asked costs the same of what is made first, while it is alone and when others follow, and of the last."""
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
    check(
        store, large_order, lambda connection, its: reading.emails_of(connection, reading.head(connection, "ttd", its))
    )


def test_the_last_emails_of_a_large_order(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "PIECE", FEW)

    def ask(connection: Connection, its: tuple[UUID, int]) -> None:
        order, last = its
        reached = reading.Progress(last - FEW // 2, last)
        found, after = reading.emails_of(connection, reading.head(connection, "ttd", order), reached)
        assert (len(found), after) == (FEW // 2, None)

    def make(connection: Connection) -> tuple[UUID, int]:
        return large_order(connection), connection.execute(select(func.max(emails.c.seq))).scalar_one()

    check(store, make, ask)


def test_a_batch_of_a_large_order_that_is_put_off(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It costs the same however many e-mails the order has."""
    monkeypatch.setattr(withdrawing, "BATCH", FEW)
    aim = withdrawing.Aim(now() + timedelta(days=1))

    def ask(connection: Connection, its: UUID) -> None:
        assert withdrawing.withdraw(connection, "ttd", its, aim, Calendars()).more

    with store.write() as connection:
        made = [add_large_order(connection, size, OrderState.PROCESSED)[0] for size in (MANY, 4 * MANY)]
        _analyze(connection)
        few, many = (effort(connection, partial(ask, connection, order)) for order in made)
    assert many <= 1.5 * few + SLACK, (few, many)


def add_subscription_with(connection: Connection, count: int, **values: object) -> int:
    seq = add_subscription(connection, "https://example.no/")
    row = {"state": DeliveryState.DEAD, "created": now(), "last_update": now(), "subscription_seq": seq} | values
    connection.execute(insert(deliveries), [row] * count)
    return seq


def large_subscription(connection: Connection) -> int:
    return add_subscription_with(connection, MANY)


def test_a_subscription_with_many_deliveries_is_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "AT_ONCE", FEW)

    def ask(connection: Connection, seq: int) -> None:
        registry.remove(connection, TTD, seq)
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(removed=None))

    check(store, large_subscription, ask)


def test_the_page_of_a_subscription_with_many_deliveries(store: Store) -> None:
    """It looks at the newest 10,000; a test of its endpoint, which is none of them, is not looked for among all."""
    with store.write() as connection:
        persist(connection, [an_event()])
        event = connection.execute(select(events.c.seq)).scalar_one()
        made = [add_subscription_with(connection, count, event_seq=event) for count in (LOOKED_AT, 3 * LOOKED_AT)]
        _analyze(connection)
        few, many = (effort(connection, partial(details.subscription, connection, seq)) for seq in made)
    assert many <= 1.2 * few


def test_what_a_consumer_was_pushed(store: Store) -> None:
    def ask(connection: Connection, seq: int) -> None:
        pushed = partial(registry.pushed, connection, TTD.identity, seq, state=None, size=FEW)
        [*_, (last, _)], more = pushed(after_id=0)
        assert more
        assert len(pushed(after_id=last.seq)[0]) == FEW

    check(store, large_subscription, ask)


def large_resource(connection: Connection) -> tuple[str, str]:
    """A creator whose resource has many events about the end of an order, and the identifier of the last."""
    creator = uuid4().hex
    order = connection.scalar(select(orders.c.id).where(orders.c.seq == add_order(connection)))
    row: dict[str, object] = {
        "resource": status_resource(creator),
        "type": ORDER_COMPLETED,
        "source": SOURCE,
        "subject": f"/order/{order}",
        "text": "{}",
    }
    row |= {"time": now(), "registered": now()}
    ids = [str(uuid4()) for _ in range(MANY)]
    connection.execute(insert(events), [row | {"id": id_} for id_ in ids])
    return creator, ids[-1]


@pytest.mark.parametrize("types", [(), ("%none%",)])
def test_events_of_a_resource(store: Store, monkeypatch: pytest.MonkeyPatch, types: tuple[str, ...]) -> None:
    """The first ones, and those that are new to who has read all."""
    monkeypatch.setattr(events_read, "MOST_LOOKED_AT", FEW)

    def ask(connection: Connection, its: tuple[str, str]) -> None:
        creator, last = its
        query = partial(Query, size=FEW, resource=status_resource(creator), types=types)
        assert len(page(connection, query()).rows) == (0 if types else FEW)
        assert not page(connection, query(after=last)).rows

    check(store, large_resource, ask)


@pytest.mark.parametrize("newest_first", [False, True])
def test_the_feed_of_a_creators_orders(store: Store, *, newest_first: bool) -> None:
    def ask(connection: Connection, its: tuple[str, str]) -> None:
        read = partial(shipments.feed, connection, its[0], size=FEW, newest_first=newest_first)
        first = read(seen=0)
        second = read(seen=first[-1].number)
        assert len({entry.number for entry in (*first, *second)}) == 2 * FEW

    check(store, large_resource, ask)


def events_of(connection: Connection) -> Given:
    return EVENTS, {"resource": status_resource(large_resource(connection)[0])}


def deliveries_of(connection: Connection) -> Given:
    return DELIVERIES, {"subscription": str(large_subscription(connection))}


def orders_of(connection: Connection) -> Given:
    creator = uuid4().hex
    for _ in range(MANY // 4):
        add_order(connection, creator=creator, state=OrderState.COMPLETED, due_in=None)
    return ORDERS, {"creator": creator}


@pytest.mark.parametrize("make", [events_of, deliveries_of, orders_of])
@pytest.mark.parametrize("sort", [None, Sort.ASCENDING])
def test_a_list(
    store: Store, monkeypatch: pytest.MonkeyPatch, make: Callable[[Connection], Given], sort: Sort | None
) -> None:
    monkeypatch.setattr(lists, "COUNTED", FEW)

    def ask(connection: Connection, given: Given) -> None:
        first = lists.page(connection, *given, size=FEW, sort=sort)
        second = lists.page(connection, *given, cursor=first.next, size=FEW, sort=sort)
        assert len(first.items) == len(second.items) == FEW
        before = Place(before=second.next, sort=sort)
        assert lists.view(connection, *given, before, FEW).page.items == second.items

    check(store, make, ask)
