"""Numbers of lanes: exact up to a bound, and beyond as the clock has counted them; no look walks through a table."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, select, update

from engine.admin import counts, kept, lanes, leaving, near
from engine.admin.holding import stopped_by, told
from engine.admin.overview import overview
from engine.admin.paused import paused
from engine.admin.pausing import all_of, pause
from engine.db.tables import deliveries, lane_counts, orders
from engine.events.storing import persist
from engine.models import EmailState, OrderState
from engine.queue import lateness
from scheduler import jobs
from tests.helpers.clocks import clock_of
from tests.helpers.plans import plans, scans
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.admin.lanes import LaneFigures
    from engine.db.store import Store

HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
BOUND = 3
MANY = 5
TABLES = ("orders", "emails", "events", "deliveries", "email_attempts")


@pytest.fixture(autouse=True)
def _few_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (counts, lanes):
        monkeypatch.setattr(module, "COUNTED", BOUND)
    monkeypatch.setattr(near, "SURE", BOUND - 1)


def lane(connection: Connection, name: str) -> LaneFigures:
    return next(each for each in lanes.lanes(connection) if each.name == name)


def count(store: Store) -> None:
    """As the clock does."""
    with store.read() as connection:
        found = counts.large(connection)
    with store.write() as connection:
        counts.keep(connection, now(), found)


def add_many(store: Store) -> None:
    """MANY e-mails are due, come later, are paused, and have failed; so do orders but for what comes later."""
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED)
        for _ in range(MANY):
            add_order(connection, due_in=-HOUR)
            add_order(connection, **PAUSED)
            add_order(connection, state=OrderState.SET_ASIDE)
            add_email(connection, of, due_in=-HOUR)
            add_email(connection, of, due_in=HOUR, attempts=1)
            add_email(connection, of, **PAUSED)
            add_email(connection, of, state=EmailState.FAILED_BOUNCED, due_at=None)


def test_numbers_up_to_the_bound_are_exact_and_larger_ones_say_that_there_are_more(store: Store) -> None:
    with store.write() as connection:
        for number in range(1, BOUND + 2):
            add_order(connection, due_in=-HOUR)
            found = lane(connection, "orders")
            assert (found.due, list(found.more)) == (min(number, BOUND), ["due"] if number >= BOUND else [])
        assert found.amount("due").of("orders") == "3+ orders"
        assert lane(connection, "emails").more == []


def test_what_the_clock_has_counted_is_told_in_their_place(store: Store) -> None:
    add_many(store)
    with store.read() as connection:
        found = lane(connection, "emails")
        assert list(found.more) == ["dead", "due", "held", "waiting"]
        assert (found.due, found.waiting, found.held, found.dead, found.counted) == (3, 3, 3, 3, None)
    count(store)
    with store.read() as connection:
        for name in ("emails", "orders"):
            found = lane(connection, name)
            assert (found.due, found.held, found.dead, list(found.more)) == (MANY, MANY, MANY, [])
            assert found.counted
            assert now() - HOUR < found.counted
        assert lane(connection, "emails").waiting == MANY


def test_what_is_few_again_is_exact_at_once(store: Store) -> None:
    add_many(store)
    count(store)
    with store.write() as connection:
        settled = {"state": OrderState.COMPLETED, "due_at": None}
        due = orders.c.due_at.is_not(None)
        few = orders.select().with_only_columns(orders.c.seq).where(due).limit(MANY - 1)
        connection.execute(update(orders).where(orders.c.seq.in_(few)).values(settled))
        found = lane(connection, "orders")
    assert (found.due, found.more, found.held) == (1, [], MANY)


def test_what_was_large_a_moment_ago_is_told_as_the_clock_counted_it_until_it_is_few(store: Store) -> None:
    add_many(store)
    count(store)
    with store.write() as connection:
        due = select(orders.c.seq).where(orders.c.due_at.is_not(None))
        settled = {"state": OrderState.COMPLETED, "due_at": None}
        connection.execute(update(orders).where(orders.c.seq.in_(due.limit(MANY - BOUND + 1))).values(settled))
        assert lane(connection, "orders").due == MANY, "SURE are due still"
        connection.execute(update(lane_counts).values(at=now() - kept.NEW - SECOND))
        found = lane(connection, "orders")
        assert (found.due, list(found.more)) == (BOUND - 1, []), "no clock has counted for a while"


def test_counts_that_are_too_old_are_not_told(store: Store) -> None:
    add_many(store)
    count(store)
    with store.write() as connection:
        connection.execute(update(lane_counts).values(at=now() - counts.LASTING - SECOND))
        found = lane(connection, "orders")
    assert (found.due, found.counted) == (BOUND, None)
    assert "due" in found.more


def test_counts_from_before_the_databases_clock_was_set_back_are_not_told_and_made_again(store: Store) -> None:
    add_many(store)
    count(store)
    with store.write() as connection:
        connection.execute(update(lane_counts).values(at=now() + HOUR))
        assert lane(connection, "orders").counted is None
        add_order(connection, due_in=-HOUR)
    jobs.count(clock_of(store))
    with store.read() as connection:
        assert lane(connection, "orders").due == MANY + 1


def test_nothing_is_kept_of_what_is_few(store: Store) -> None:
    add_many(store)
    count(store)
    with store.write() as connection:
        connection.execute(delete(deliveries))
        connection.execute(update(orders).values(due_at=None, state=OrderState.COMPLETED, paused_by=None))
    count(store)
    with store.read() as connection:
        places = {row.lane for row in connection.execute(lane_counts.select())}
        assert places == {"emails"}
        assert kept.age(connection, lane_counts.c.at) is not None


def test_deliveries_are_counted_by_where_they_stand(store: Store) -> None:
    with store.write() as connection:
        add_subscription(connection, "https://paused.example/hook", paused_reason="Paused by an operator.")
        add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event() for _ in range(MANY)])
        connection.execute(update(deliveries).where(deliveries.c.seq == 2).values(due_at=now() + HOUR, attempts=1))
        bounded = lane(connection, "webhooks")
    assert bounded.due + bounded.held + bounded.waiting == BOUND
    assert {"due", "held", "waiting"} <= {*bounded.more}
    count(store)
    with store.read() as connection:
        found = lane(connection, "webhooks")
    assert (found.due, found.waiting, found.held) == (MANY - 1, 1, MANY)
    assert not {"due", "held", "waiting"} & {*found.more}
    add_many(store)
    with store.write() as connection:
        connection.execute(update(deliveries).where(deliveries.c.seq > 1).values(due_at=None))
        found = lane(connection, "webhooks")
        assert (found.due, found.waiting, found.held) == (0, 0, 1), "of few, nothing is told that was counted before"


def test_of_a_paused_lane_what_would_be_due_is_held_with_its_bound(store: Store) -> None:
    add_many(store)
    with store.write() as connection:
        pause(connection, "anna", "lane", "orders")
        found = lane(connection, "orders")
        assert (found.due, found.held) == (0, 2 * BOUND)
        assert [name for name in found.more if name in ("due", "held")] == ["held"]
        [said] = paused(all_of(connection), [found], now())
        assert said["text"].endswith("The pause holds 6+ orders"), said


def test_a_lane_with_more_than_is_counted_has_no_time_at_which_it_is_empty(store: Store) -> None:
    add_many(store)
    with store.read() as connection:
        assert lane(connection, "emails").moving(60.0, blocked=False).empty_in_seconds is None
    count(store)
    with store.read() as connection:
        assert lane(connection, "emails").moving(60.0, blocked=False).empty_in_seconds == MANY


def test_questions_say_where_they_have_counted_to(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_many(store)
    with store.write() as connection:
        assert told(stopped_by(connection, "lane", "emails"))[0] == "Stopped at once: 3+ e-mails."
        pause(connection, "anna", "creator", "ttd")
        exact = leaving.leaving(connection, "creator", ["ttd"])
        assert {name: (each.number, each.more) for name, each in exact.items()} == {
            "orders": (2 * MANY, False),
            "emails": (2 * MANY, False),
        }
    monkeypatch.setattr("engine.admin.reach.LOOKED_AT", MANY)
    monkeypatch.setattr(leaving, "LOOKED_AT", MANY)
    with store.read() as connection:
        assert leaving.leaving(connection, "creator", ["ttd"])["orders"].of("orders") == "10+ orders"


@pytest.mark.dialects
def test_no_look_at_the_lanes_walks_through_a_table(store: Store) -> None:
    add_many(store)
    with store.write() as connection:
        pause(connection, "anna", "creator", "ttd")
    with store.read() as connection:
        looks = {
            "overview": lambda: overview(connection),
            "clock": lambda: lateness.next_due(connection),
            "large": lambda: counts.large(connection),
            "pause": lambda: stopped_by(connection, "domain", "example.no"),
            "resume": lambda: leaving.leaving(connection, "creator", ["ttd"]),
        }
        walked = [
            (name, said, scans(plan, *TABLES))
            for name, look in looks.items()
            for said, plan in plans(connection, look)
            if scans(plan, *TABLES)
        ]
    assert walked == []


def test_the_clock_counts_what_is_large_and_rests(store: Store) -> None:
    assert (jobs.count, jobs.KEEP_EVERY) in jobs.JOBS
    clock = clock_of(store)
    jobs.count(clock)
    with store.read() as connection:
        assert kept.age(connection, lane_counts.c.at) is None
    add_many(store)
    jobs.count(clock)
    with store.write() as connection:
        assert lane(connection, "orders").due == MANY
        add_order(connection, due_in=-HOUR)
        connection.execute(update(lane_counts).values(at=now()))
    jobs.count(clock)  # another clock has just done it
    with store.write() as connection:
        assert lane(connection, "orders").due == MANY
        connection.execute(update(lane_counts).values(at=now() - jobs.KEEP_EVERY))
    jobs.count(clock)
    with store.read() as connection:
        assert lane(connection, "orders").due == MANY + 1


def test_of_many_orders_those_in_hand_and_tried_again_are_found_among_the_soon_due(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "SEEN", 2)
    with store.write() as connection:
        add_order(connection, state=OrderState.PROCESSING, unresolved=1, due_in=timedelta(seconds=20))
        add_order(connection, state=OrderState.PROCESSING, attempts=1, due_in=HOUR)
        for _ in range(3):
            add_order(connection, due_in=30 * HOUR)
        found = lane(connection, "orders")
        assert (found.in_flight, found.retrying) == (1, 1)
        assert {"in_flight", "retrying"} <= set(found.more)
        assert found.waiting == BOUND - 1  # counted up to the bound, of which one is in hand
