"""Events that match many subscriptions, on both databases: fan-out in steps, once each, in order, fair and complete."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, func, select, update

from engine.admin.details import event as event_details
from engine.admin.lanes import lanes
from engine.db.dialects import Now, after
from engine.db.retention import prune_some
from engine.db.tables import (
    audit_log,
    deliveries,
    events,
    fan_outs,
    pauses,
    subscription_filters,
    subscriptions,
    waiting_events,
)
from engine.events.large_fan_outs import AT_ONCE, RETRIES, STEP, STEP_EVENTS, FanOut, FanOuts, owner
from engine.events.storing import persist
from engine.queue import due
from engine.webhooks.deliveries import fetch
from tests.helpers.claims import a_subscription
from tests.helpers.rows import add_subscription, an_event, count, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.models import CloudEvent

LEASE = LONG
MANY = AT_ONCE + STEP + 1  # subscriptions: more than one transaction queues, and no whole number of steps
OTHER = "urn:altinn:resource:app_nav_sykmelding"


def subscribe(store: Store, count: int, **values: Any) -> list[int]:
    """Subscriptions to the same resource."""
    with store.write() as connection:
        first = add_subscription(connection, "https://example.no/", **values)
        if count == 1:
            return [first]
        row = dict(connection.execute(select(subscriptions).where(subscriptions.c.seq == first)).mappings().one())
        del row["seq"]
        rows = [row | {"fingerprint": f"{first} {number}"} for number in range(count - 1)]
        more = connection.scalars(subscriptions.insert().returning(subscriptions.c.seq), rows).all()
        keys = connection.execute(select(subscription_filters).where(subscription_filters.c.subscription_seq == first))
        its = [dict(key) | {"subscription_seq": seq} for key in keys.mappings() for seq in more]
        connection.execute(subscription_filters.insert(), its)
        return [first, *sorted(more)]


def publish(store: Store, *given: CloudEvent) -> FanOut:
    with store.write() as connection:
        return persist(connection, given)


def advance(connection: Connection) -> bool:
    """Do a step as a worker does; False: none waits."""
    fan_outs = FanOuts()
    claimed = fan_outs.claim(connection, LEASE).rows
    fan_outs.record(connection, [fan_outs.decided(row) for row in claimed])
    return bool(claimed)


def step(store: Store) -> bool:
    with store.write() as connection:
        return advance(connection)


def finish(store: Store) -> list[int]:
    """Do all steps; returns how many deliveries each queued."""
    sizes = [len(queued(store))]
    while step(store):
        sizes.append(len(queued(store)))
    return [after - before for before, after in pairwise(sizes)]


def queued(store: Store) -> Sequence[tuple[int, int]]:
    """The deliveries in order: the numbers of subscription and event."""
    chosen = select(deliveries.c.subscription_seq, deliveries.c.event_seq).order_by(deliveries.c.seq)
    with store.read() as connection:
        return [(row.subscription_seq, row.event_seq) for row in connection.execute(chosen)]


def test_few_matches_are_queued_where_the_event_is_stored(store: Store) -> None:
    subscribe(store, AT_ONCE)
    assert publish(store, an_event()) == (AT_ONCE, 0)
    assert not step(store)


def test_many_matches_are_queued_in_bounded_steps_once_each(store: Store) -> None:
    seqs = subscribe(store, MANY)
    assert publish(store, an_event(), an_event()) == (0, 2)
    assert queued(store) == []
    assert max(finish(store)) <= STEP
    assert Counter(queued(store)) == Counter((seq, event) for seq in seqs for event in (1, 2))
    assert (count(store, fan_outs), count(store, waiting_events)) == (0, 0)
    with store.read() as connection:
        due_now = select(func.count()).where(subscriptions.c.due_at.is_not(None))
        assert connection.execute(due_now).scalar_one() == MANY


def test_events_of_few_matches_in_a_large_batch_are_bounded_too(store: Store) -> None:
    subscribe(store, 3)
    total = AT_ONCE // 3 + 1
    assert publish(store, *(an_event() for _ in range(total))) == (0, total)
    sizes = finish(store)
    assert max(sizes) <= 3 * STEP_EVENTS
    assert sum(sizes) == 3 * total


def test_an_event_published_again_is_queued_once(store: Store) -> None:
    subscribe(store, MANY)
    event = an_event()
    publish(store, event)
    step(store)
    assert publish(store, event) == (0, 0)
    finish(store)
    assert publish(store, event) == (0, 0)
    assert not step(store)
    assert len(queued(store)) == MANY


def test_a_subscription_gets_what_was_published_after_it_was_made_and_nothing_before(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event())
    (young,) = subscribe(store, 1)
    publish(store, an_event())
    finish(store)
    assert [event for subscription, event in queued(store) if subscription == young] == [2]
    assert len(queued(store)) == 2 * MANY + 1


def test_a_subscription_that_is_removed_meanwhile_gets_nothing_and_a_paused_one_waits(store: Store) -> None:
    seqs = subscribe(store, MANY)
    publish(store, an_event())
    with store.write() as connection:
        connection.execute(delete(subscriptions).where(subscriptions.c.seq == seqs[-1]))
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seqs[-2]).values(paused_reason="Paused."))
    finish(store)
    assert sorted(subscription for subscription, _ in queued(store)) == seqs[:-1]
    with store.read() as connection:
        its = select(subscriptions.c.due_at).where(subscriptions.c.seq == seqs[-2])
        assert connection.execute(its).scalar_one() is None


def test_what_comes_later_on_the_resource_waits_behind_so_an_ordered_subscription_keeps_its_order(
    store: Store,
) -> None:
    subscribe(store, MANY, types=("large",))
    (ordered,) = subscribe(store, 1, ordered=True)
    assert publish(store, an_event(type="large")) == (0, 1)
    step(store)
    assert publish(store, an_event(type="small")) == (0, 1)
    with store.read() as connection:
        row = a_subscription(connection, ordered)
        assert fetch(connection, row, (), 1_000_000) == ([], True)
    finish(store)
    assert publish(store, an_event(type="small")) == (1, 0)
    assert [event for subscription, event in queued(store) if subscription == ordered] == [1, 2, 3]
    with store.read() as connection:
        assert [delivery.event_seq for delivery in fetch(connection, row, (), 1_000_000)[0]] == [1]


def test_others_events_in_the_same_transaction_do_not_wait(store: Store) -> None:
    subscribe(store, MANY)
    (other,) = subscribe(store, 1, resource_filter=OTHER)
    assert publish(store, an_event(), an_event(resource=OTHER), an_event()) == (1, 2)
    assert queued(store) == [(other, 2)]


def test_large_fan_outs_of_two_owners_take_turns(store: Store) -> None:
    subscribe(store, MANY)
    subscribe(store, MANY, resource_filter=OTHER)
    publish(store, *(an_event() for _ in range(20)))
    publish(store, an_event(resource=OTHER))
    for _ in range(2 * (MANY // STEP + 1)):
        step(store)
    assert sum(event == 21 for _, event in queued(store)) == MANY


def test_an_organisations_apps_share_a_turn(store: Store) -> None:
    apps = [f"urn:altinn:resource:app_ttd_app-{number}" for number in range(3)]
    for app in apps:
        subscribe(store, MANY, resource_filter=app)
    publish(store, *(an_event(resource=app) for app in apps))
    assert count(store, fan_outs) == 1
    assert {owner(app) for app in apps} == {"urn:altinn:resource:app_ttd"}
    assert owner("urn:altinn:resource:nav_under_score") == "urn:altinn:resource:nav_under_score"


def test_a_step_that_breaks_off_is_undone_and_done_again(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event())
    step(store)
    done = queued(store)

    def break_off(connection: Connection) -> None:
        advance(connection)
        raise InterruptedError

    with pytest.raises(InterruptedError), store.write() as connection:
        break_off(connection)
    assert queued(store) == done
    assert sum(finish(store)) == MANY - len(done)
    assert len(set(queued(store))) == len(queued(store)) == MANY


def lose(store: Store, number: int) -> None:
    """Claim the fan-out so many times, each by a worker that ends at once."""
    for _ in range(number):
        with store.write() as connection:
            [row] = FanOuts().claim(connection, LEASE).rows
            assert row.seq
            connection.execute(update(fan_outs).values(due_at=now()))


def test_after_two_lost_workers_a_step_is_one_event_as_often_as_the_lost_step_had_events(store: Store) -> None:
    seqs = subscribe(store, 3)
    publish(store, *(an_event() for _ in range(AT_ONCE)))
    lose(store, due.LOST_IS_SUSPECT)
    step(store)
    assert queued(store) == [(seq, 1) for seq in seqs]
    for number in range(2, STEP_EVENTS + 1):
        step(store)
        assert len(queued(store)) == 3 * number
    step(store)
    assert len(queued(store)) == 3 * 2 * STEP_EVENTS


def test_an_event_that_ends_five_workers_is_set_aside_and_those_behind_it_go_on(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    subscribe(store, MANY)
    publish(store, an_event(), an_event())
    step(store)
    lose(store, due.LOST_IS_DEAD)
    assert step(store)
    assert {event for _, event in queued(store)} == {1}
    assert len(queued(store)) == STEP
    assert "event 1 set aside" in caplog.text
    with store.read() as connection:
        line = connection.execute(select(audit_log)).one()
        assert (line.who, line.action, line.target) == ("varsel", "set-aside", "events/1")
    assert sum(finish(store)) == MANY
    assert {event for _, event in queued(store)[STEP:]} == {2}
    assert (count(store, fan_outs), count(store, waiting_events)) == (0, 0)


def test_a_step_that_keeps_ending_in_an_error_is_tried_more_and_more_seldom(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event())
    work = FanOuts()

    def fail() -> timedelta:
        with store.write() as connection:
            connection.execute(update(fan_outs).values(due_at=Now()))
            [row] = work.claim(connection, LEASE).rows
            step = work.broken(row, work.decided(row), RuntimeError())
            work.record(connection, [step])
            work.recorded([step])
            waits: timedelta = connection.scalars(select(fan_outs.c.due_at)).one() - now()
            return waits

    waits = [fail() for _ in range(len(RETRIES) + 1)]
    for waited, planned in zip(waits, [*RETRIES, RETRIES[-1]], strict=True):
        assert planned * 0.8 < waited < planned * 1.2
    with store.write() as connection:
        connection.execute(update(fan_outs).values(due_at=Now()))
        [row] = work.claim(connection, LEASE).rows
        step = work.decided(row)
        work.record(connection, [step])
        work.recorded([step])
    assert fail() < RETRIES[1] * 0.8, "a step that succeeded begins anew"
    with store.read() as connection:
        assert next(lane for lane in lanes(connection) if lane.name == "fan_outs").due == 1, "operators see it"


def test_the_last_event_that_is_set_aside_ends_the_fan_out(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event())
    lose(store, due.LOST_IS_DEAD)
    assert step(store)
    assert queued(store) == []
    assert (count(store, fan_outs), count(store, waiting_events)) == (0, 0)


def test_subscriptions_that_do_not_match_after_all_end_the_fan_out(store: Store) -> None:
    subscribe(store, MANY, validated=False)
    (last,) = subscribe(store, 1)
    publish(store, an_event())
    assert finish(store) == [1]
    assert queued(store) == [(last, 1)]


def test_a_paused_lane_waits(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event())
    with store.write() as connection:
        connection.execute(pauses.insert().values(kind="lane", value="fan_outs", at=now(), who="anna", reason=""))
    assert not step(store)


def test_operators_see_what_waits(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event(), an_event())
    with store.write() as connection:
        connection.execute(update(events).where(events.c.seq == 1).values(registered=after(-timedelta(hours=1))))
    with store.read() as connection:
        (lane,) = [lane for lane in lanes(connection) if lane.name == due.FAN_OUTS.name]
        assert (lane.due, lane.waiting, lane.dead) == (2, 0, 0)
        assert lane.oldest_due_seconds >= 3600
        assert event_details(connection, 1)["fan_out_waits"]
    finish(store)
    with store.read() as connection:
        (lane,) = [lane for lane in lanes(connection) if lane.name == due.FAN_OUTS.name]
        assert (lane.due, lane.oldest_due_seconds) == (0, 0)
        assert not event_details(connection, 1)["fan_out_waits"]


def test_events_that_wait_are_kept(store: Store) -> None:
    subscribe(store, MANY)
    publish(store, an_event())
    with store.write() as connection:
        connection.execute(update(events).values(registered=after(-timedelta(days=365))))
        prune_some(connection, timedelta(days=90))
    assert sum(finish(store)) == MANY


def test_an_event_that_ends_workers_is_set_aside_after_five_wherever_it_waits(store: Store) -> None:
    subscribe(store, 3)
    publish(store, *(an_event() for _ in range(AT_ONCE)))
    deadly, lost = 10, 0
    while count(store, audit_log) == 0 and lost < 10 * due.LOST_IS_DEAD:
        with store.write() as connection:
            work = FanOuts()
            [row] = work.claim(connection, LEASE).rows
            most = 1 if due.is_suspect(row) or row.attempts else STEP_EVENTS
            first = select(waiting_events.c.event_seq).order_by(waiting_events.c.event_seq).limit(most)
            if deadly in connection.scalars(first).all() and not due.is_lost(row):
                connection.execute(update(fan_outs).values(due_at=now()))  # the worker ends with this event
                lost += 1
            else:
                work.record(connection, [work.decided(row)])
    assert lost <= due.LOST_IS_DEAD + due.LOST_IS_SUSPECT
