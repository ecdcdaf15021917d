"""Failed pushes: attempts, circuits, and subscriptions that are paused."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from engine.admin import details
from engine.db.dialects import after
from engine.db.tables import deliveries, subscriptions
from engine.models import DeliveryState
from engine.subscriptions import registry
from engine.webhooks.schedule import LIFETIME, OPENS_AFTER, SCHEDULE, VALIDATION
from tests.helpers.outbound import LATE
from tests.helpers.rows import an_event
from tests.helpers.subscribers import (
    SECOND,
    TTD,
    attempts,
    deliveries_of,
    hurry,
    publish,
    push,
    run,
    spec_for,
    subscribe,
    subscription,
)
from tests.helpers.waiting import LONG, SHORT, due_between
from tests.servers.http import Close, Hang, Receiver, Say

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.pushing import Pushing


@pytest.mark.parametrize(
    ("action", "status", "reply"),
    [
        (Say(500, b"no \0 disk"), 500, "no \ufffd disk"),
        (Say(404), 404, ""),
        (Say(302, headers=(("Location", "http://127.0.0.1:1/"),)), 302, ""),
        (Say(200, b"x", (("Content-Length", "a"),)), None, None),
        (Close(), None, None),
        (Hang(), None, None),
    ],
)
def test_what_is_not_2xx_comes_again(store: Store, action: Any, status: int | None, reply: str | None) -> None:
    with Receiver(action) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        began = push(store, within=SHORT if isinstance(action, Hang) else LONG)
        assert len(receiver.requests) == 1
    [delivery], [attempt], row = deliveries_of(store, seq), attempts(store, seq), subscription(store, seq)
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert (attempt.outcome, attempt.status) == ("deferred", status)
    reply = LATE if isinstance(action, Hang) else reply
    assert attempt.reply == reply if reply is not None else attempt.reply
    assert "not accepted" in row.last_error
    assert (row.failures, row.unresolved, row.open_until) == (1, 0, None)
    assert due_between(row.due_at, began, 9 * SECOND, 11 * SECOND)


def test_the_twelfth_attempt_is_the_last_and_a_retry_begins_again(store: Store) -> None:
    with Receiver(Say(503, b"later")) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        for _ in range(len(SCHEDULE) + 2):
            push(store)
            hurry(store, seq)
        assert len(receiver.requests) == len(SCHEDULE) + 1 == 12
        assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    [dead] = deliveries_of(store, seq)
    assert (dead.state, dead.due_at, dead.attempts) == (DeliveryState.DEAD, None, 12)
    assert [attempt.outcome for attempt in attempts(store, seq)] == ["deferred"] * 11 + ["rejected"]
    assert attempts(store, seq)[-1].reply == "later"
    assert subscription(store, seq).due_at is None

    with Receiver(Say(200)) as receiver:
        with store.write() as connection:
            connection.execute(update(subscriptions).values(endpoint=receiver.url, open_until=None))
            registry.retry(connection, TTD, seq, dead.seq)
        push(store)
        assert len(receiver.requests) == 1
    assert deliveries_of(store, seq)[0].state == DeliveryState.DELIVERED


def test_the_schedule_is_the_contracts() -> None:
    assert sum(SCHEDULE, timedelta(0)) == timedelta(hours=34, minutes=46, seconds=40)
    assert [delay.total_seconds() for delay in VALIDATION] == [1, 5, 10, 30, 60, 120, 120, 120]


def test_a_circuit_opens_is_probed_by_one_call_and_closes(store: Store) -> None:
    with Receiver(*[Say(500)] * (OPENS_AFTER + 1), Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(40)))
        began = push(store)
        assert len(receiver.requests) == OPENS_AFTER
        assert due_between(subscription(store, seq).due_at, began, 27 * SECOND, 33 * SECOND)
        push(store)
        assert len(receiver.requests) == OPENS_AFTER

        publish(store, an_event())
        assert subscription(store, seq).due_at >= began + 27 * SECOND
        hurry(store, seq)
        began = push(store)
        assert len(receiver.requests) == OPENS_AFTER + 1
        assert due_between(subscription(store, seq).due_at, began, 54 * SECOND, 66 * SECOND)

        hurry(store, seq)
        push(store)
        assert len(receiver.requests) == OPENS_AFTER + 1 + 41
    row = subscription(store, seq)
    assert (row.failures, row.open_until, row.last_error) == (0, None, None)
    assert {delivery.state for delivery in deliveries_of(store, seq)} == {DeliveryState.DELIVERED}


def test_one_that_hangs_does_not_hold_up_the_others(store: Store) -> None:
    async def work(pushing: Pushing) -> None:
        with Receiver(Hang()) as hanging:
            subscribe(store, hanging.url)
            publish(store, *(an_event() for _ in range(5)))
            running = asyncio.create_task(pushing.run())
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 49 * 5)
            assert not running.done()
            assert len(hanging.requests) <= 1  # it has not earned more calls at once
            pushing.stop()
        await running

    with Receiver(Say(200)) as receiver:
        for _ in range(49):
            subscribe(store, receiver.url)
        run(store, work)


def test_retry_after_holds_the_subscription(store: Store) -> None:
    with Receiver(Say(429, headers=(("Retry-After", "100"),))) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event(), an_event())
        began = push(store)
        assert len(receiver.requests) == 1
    assert due_between(subscription(store, seq).due_at, began, 100 * SECOND, 100 * SECOND)


def test_410_pauses_and_resuming_goes_on(store: Store) -> None:
    with Receiver(Say(410), Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        push(store)
        row = subscription(store, seq)
        assert "410" in row.paused_reason
        assert row.due_at is None
        with store.read() as connection:
            [line] = details.subscription(connection, seq)["history"]
        assert (line["who"], line["action"], line["detail"]) == ("varsel", "pause", {"reason": row.paused_reason})
        publish(store, an_event())
        push(store)
        assert len(receiver.requests) == 1
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        hurry(store, seq)
        push(store)
        assert len(receiver.requests) == 3
    assert {delivery.state for delivery in deliveries_of(store, seq)} == {DeliveryState.DELIVERED}


def test_410_is_over_when_the_consumer_subscribes_again(store: Store) -> None:
    with Receiver(Say(410), Say(200)) as receiver:
        spec = spec_for(receiver.url)
        with store.write() as connection:
            seq = registry.subscribe(connection, TTD, spec, 10)[0].seq
            connection.execute(update(subscriptions).values(validated=True))
        publish(store, an_event())
        push(store)
        assert "410" in subscription(store, seq).paused_reason
        publish(store, an_event())
        with store.write() as connection:
            again, fresh = registry.subscribe(connection, TTD, spec, 10)
        assert (again.seq, again.paused_reason, fresh) == (seq, None, False)
        hurry(store, seq)
        push(store)
        types = [json.loads(request.body)["type"] for request in receiver.requests[-4:]]
    assert types.count("platform.events.validatesubscription") == 2
    assert {delivery.state for delivery in deliveries_of(store, seq)} == {DeliveryState.DELIVERED}


def test_who_has_paused_a_subscription_ends_that_by_resuming_it(store: Store) -> None:
    spec = spec_for("https://example.no/")
    with store.write() as connection:
        seq = registry.subscribe(connection, TTD, spec, 10)[0].seq
        paused = registry.pause(connection, TTD, seq).paused_reason
        assert registry.subscribe(connection, TTD, spec, 10)[0].paused_reason == paused is not None


def test_what_a_failing_endpoint_has_not_taken_for_too_long_is_dead_with_the_reason(store: Store) -> None:
    with Receiver(Say(500)) as receiver:
        seq = subscribe(store, receiver.url, failures=OPENS_AFTER)
        publish(store, *(an_event() for _ in range(10)))
        with store.write() as connection:
            connection.execute(update(deliveries).where(deliveries.c.seq % 2 == 0).values(created=after(-LIFETIME)))
        push(store)
        assert len(receiver.requests) == 1
    states = [delivery.state for delivery in deliveries_of(store, seq)]
    assert states.count(DeliveryState.DEAD) == 5
    expired = [attempt for attempt in attempts(store, seq) if attempt.outcome == "expired"]
    assert len(expired) == 5
    assert "kept failing" in expired[0].reply
