"""What is near of a lane where much waits: what the clock has found among many, and what is so at this moment."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, update

from engine.admin import counts, kept, lanes, near
from engine.admin.standing import RETRYING
from engine.db.tables import deliveries, emails, lane_counts, milliseconds, orders, subscriptions
from engine.events.storing import persist
from engine.models import EmailState, OrderState
from scheduler import jobs
from tests.helpers.clocks import clock_of
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.admin.lanes import LaneFigures
    from engine.db.store import Store

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
READ = 4  # rows that who looks reads where the clock has not looked
SURE = 3  # where it has


@pytest.fixture(autouse=True)
def _few_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "SURE", SURE)
    monkeypatch.setattr(near, "SEEN", READ)


def lane(store: Store, name: str = "emails") -> LaneFigures:
    with store.read() as connection:
        return next(each for each in lanes.lanes(connection) if each.name == name)


def add_many(connection: Connection, waiting: int = 2) -> int:
    """Behind READ e-mails that come next: one in flight, two tried before, some that wait for a pace; their order."""
    order = add_order(connection, state=OrderState.COMPLETED)
    for _ in range(READ):
        add_email(connection, order, due_in=MINUTE)
    add_email(connection, order, due_in=2 * MINUTE, state=EmailState.SENDING, unresolved=1)
    for _ in range(2):
        add_email(connection, order, due_in=HOUR, attempts=1)
    for _ in range(waiting):
        add_email(connection, order, due_in=2 * HOUR, **paced(since=now() - HOUR))
    return order


def add_and_look(store: Store, waiting: int = 2) -> int:
    """Likewise, and the clock looks."""
    with store.write() as connection:
        order = add_many(connection, waiting)
    jobs.count(clock_of(store))
    return order


def paced(since: datetime) -> dict[str, Any]:
    return {"waits_for": "domain example.no", "rank": milliseconds(since), "expires_at": since + 48 * HOUR}


def test_beyond_the_rows_that_everybody_reads_it_is_what_the_clock_has_found(store: Store) -> None:
    with store.write() as connection:
        add_many(connection)
    before = lane(store)
    assert (before.in_flight, before.retrying, before.due, before.oldest_due_seconds) == (0, 0, 0, 0.0)
    jobs.count(clock_of(store))
    found = lane(store)
    assert (found.in_flight, found.retrying, found.due, found.waiting) == (1, 2, 2, READ + 2)
    assert found.oldest_due_seconds == pytest.approx(HOUR.total_seconds(), abs=60)
    assert (found.more, found.counted is not None) == ([], True)


def test_numbers_say_that_there_may_be_more_where_not_all_was_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write() as connection:
        order = add_many(connection)
        add_email(connection, order, due_in=MINUTE / 2, attempts=1)
    before = lane(store)
    assert (before.retrying, list(before.more)) == (1, ["retrying"])
    monkeypatch.setattr(near, "FAR", READ + 2)
    jobs.count(clock_of(store))
    found = lane(store)
    assert (found.in_flight, found.retrying, list(found.more)) == (1, 1, ["in_flight", "retrying"])


def test_more_than_the_clock_has_found_says_that_there_may_be_more_still(store: Store) -> None:
    """As when a relay goes down: many are put off at once, and whoever looks reads few of them."""
    order = add_and_look(store)
    with store.write() as connection:
        for _ in range(SURE + 1):
            add_email(connection, order, due_in=MINUTE / 2, **paced(since=now() - 2 * HOUR))
    found = lane(store)
    assert (found.due, list(found.more)) == (SURE, ["due"])
    assert found.oldest_due_seconds == pytest.approx(2 * HOUR.total_seconds(), abs=60)
    jobs.count(clock_of(store))
    with store.write() as connection:
        connection.execute(update(lane_counts).values(at=now() - jobs.KEEP_EVERY))
    jobs.count(clock_of(store))
    found = lane(store)
    assert (found.due, found.more) == (2 + SURE + 1, [])


def test_more_are_in_flight_at_this_moment_than_the_clock_has_found(store: Store) -> None:
    order = add_and_look(store)
    with store.write() as connection:
        for _ in range(2):
            add_email(connection, order, due_in=MINUTE / 2, state=EmailState.SENDING, unresolved=1)
    found = lane(store)
    assert (found.in_flight, list(found.more), found.is_worked_on) == (2, ["in_flight"], False)


def test_what_was_early_when_the_clock_looked_and_is_late_now_is_counted_once(store: Store) -> None:
    """As when a relay comes back: what was put off is due at once."""
    early = 2 + SURE
    add_and_look(store, waiting=early)
    assert (lane(store).due, lane(store).waiting) == (early, READ + 2)
    with store.write() as connection:
        due_now = {"due_at": now(), "waits_for": None, "rank": milliseconds(now())}
        connection.execute(update(emails).where(emails.c.waits_for.is_not(None)).values(due_now))
    assert (lane(store).due, lane(store).waiting) == (early, READ + 2)
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.due_at > now()).values(due_at=now()))
    found = lane(store)
    assert (found.due, found.waiting, found.in_flight, found.retrying) == (READ + 3 + early, 0, 0, 0)


def test_more_that_is_late_hides_nothing_that_is_early_without_saying_so(store: Store) -> None:
    """As when an order comes while a relay is down: what is late is not what was early."""
    order = add_and_look(store, waiting=2 + SURE)
    with store.write() as connection:
        for _ in range(2):
            add_email(connection, order, due_in=-MINUTE)
    found = lane(store)
    assert (found.due, list(found.more), found.counted is not None) == (2 + SURE, ["due"], True)


def test_where_little_waits_again_nothing_is_told_that_was_found_before(store: Store) -> None:
    add_and_look(store)
    with store.write() as connection:
        connection.execute(delete(emails).where(emails.c.seq >= SURE))
    found = lane(store)
    assert (found.waiting, found.in_flight, found.retrying, found.due, found.counted) == (SURE - 1, 0, 0, 0, None)


def test_what_the_clock_found_too_long_ago_is_not_told(store: Store) -> None:
    add_and_look(store)
    with store.write() as connection:
        connection.execute(update(lane_counts).values(at=now() - kept.NEW - MINUTE))
    assert lane(store).retrying == 0


def test_the_oldest_of_many_that_are_due_is_the_one_that_the_clock_has_found(store: Store) -> None:
    """An e-mail that was put off is due from its send time on, and stands behind others."""
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        for _ in range(READ):
            add_email(connection, order, due_in=-2 * MINUTE)
        add_email(connection, order, due_in=-MINUTE, expires_at=now() + timedelta(hours=47))
    assert lane(store).oldest_due_seconds < 10 * 60
    jobs.count(clock_of(store))
    assert lane(store).oldest_due_seconds == pytest.approx(HOUR.total_seconds(), abs=60)
    with store.write() as connection:
        connection.execute(delete(emails).where(emails.c.seq > 1))
    assert lane(store).oldest_due_seconds < 10 * 60, "few are due: it is so at this moment"


def test_a_lane_of_which_nothing_is_due_is_not_late(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        for _ in range(READ + 1):
            add_email(connection, order, due_in=HOUR)
        for _ in range(READ):
            add_email(connection, order, due_in=-2 * MINUTE)
    jobs.count(clock_of(store))
    with store.write() as connection:
        connection.execute(
            update(emails).where(emails.c.due_at < now()).values(due_at=None, state=EmailState.SUCCEEDED)
        )
    found = lane(store)
    assert (found.due, found.oldest_due_seconds, found.oldest_seconds) == (0, 0.0, 0.0)


def test_of_many_orders_too(store: Store) -> None:
    with store.write() as connection:
        for _ in range(READ):
            add_order(connection, due_in=MINUTE)
        add_order(connection, due_in=HOUR, attempts=1)
    assert lane(store, "orders").retrying == 0
    jobs.count(clock_of(store))
    assert lane(store, "orders").retrying == 1
    with store.write() as connection:
        connection.execute(update(orders).values(due_at=None))
    assert lane(store, "orders").retrying == 0


def test_of_many_deliveries_the_clock_keeps_the_ones_tried_before_and_the_oldest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "COUNTED", READ)
    monkeypatch.setattr(lanes, "COUNTED", READ)
    with store.write() as connection:
        add_subscription(connection, "https://receiver.example/hook")
        add_subscription(connection, "https://paused.example/hook", paused_reason="Paused by an operator.")
        persist(connection, [an_event() for _ in range(READ + 1)])
        connection.execute(update(deliveries).values(due_at=now() - MINUTE))
        last = deliveries.c.seq > 2 * READ
        connection.execute(update(deliveries).where(last).values(due_at=now() - HOUR))
        connection.execute(update(deliveries).where(deliveries.c.seq == 1).values(due_at=now() + HOUR, attempts=1))
        connection.execute(update(subscriptions).values(due_at=now() - HOUR))
    assert lane(store, "webhooks").oldest_seconds < 10 * 60
    jobs.count(clock_of(store))
    found = lane(store, "webhooks")
    assert (found.retrying, found.waiting, found.due, found.held) == (1, 1, READ, READ + 1)
    assert (found.oldest_due_seconds, found.oldest_seconds) == pytest.approx((HOUR.total_seconds(),) * 2, abs=60)
    assert (found.more, found.counted is not None) == ([], True)
    with store.write() as connection:  # as the clock of an older program keeps them
        connection.execute(delete(lane_counts).where(lane_counts.c.place.in_([RETRYING, "due from", "held from"])))
    found = lane(store, "webhooks")
    assert (found.waiting + found.due + found.held, list(found.more)) == (READ, ["due", "held", "retrying", "waiting"])
    assert found.counted is None
