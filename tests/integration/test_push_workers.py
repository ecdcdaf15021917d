"""Workers that push: their own faults, several at once, and changes during a push."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from engine.auth.access import Rules
from engine.db.dialects import Now, after
from engine.db.retention import prune_some
from engine.db.tables import subscriptions
from engine.models import DeliveryState
from engine.outbound import Guard, Outbound
from engine.queue import due
from engine.queue.runner import Runner
from engine.subscriptions import registry
from engine.templating.own import Own
from engine.webhooks import call, pusher
from engine.webhooks.mail_sink import MailSink
from engine.webhooks.schedule import SCHEDULE
from tests.helpers.rows import an_event
from tests.helpers.subscribers import (
    BASE,
    LEASE,
    SIGNER,
    TTD,
    attempts,
    deliveries_of,
    hurry,
    publish,
    push,
    run,
    seconds_until_due,
    subscribe,
    subscription,
)
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.pushing import Pushing


def test_a_bug_with_one_event_is_an_attempt_and_ends_as_dead_with_its_reason(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    seq = subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    publish(store, replace(an_event(), text="no JSON"), an_event())
    for count in range(1, len(SCHEDULE) + 2):
        push(store)
        broken, harmless = deliveries_of(store, seq)
        assert (broken.attempts, harmless.state) == (count, DeliveryState.DELIVERED)
        assert subscription(store, seq).open_until is None  # nothing is held against the subscriber
        hurry(store, seq)
    assert (broken.state, broken.due_at) == (DeliveryState.DEAD, None)
    assert "JSONDecodeError" in [each.reply for each in attempts(store, seq) if each.delivery_seq == broken.seq][-1]
    assert caplog.text.count("Traceback") == 1


def test_an_outcome_that_cannot_be_written_takes_no_other_along(store: Store) -> None:
    nobodys = subscribe(store, "mailto:kari@example.no", template="event", creator=None)
    somebodys = subscribe(store, "mailto:ola@example.no", template="event", creator="ttd")
    publish(store, an_event())
    push(store)
    [broken], [harmless] = deliveries_of(store, nobodys), deliveries_of(store, somebodys)
    assert (broken.state, broken.attempts) == (DeliveryState.WAITING, 1)
    assert harmless.state == DeliveryState.DELIVERED


@pytest.mark.dialects
def test_two_workers_share_subscribers_and_repeat_nothing(store: Store) -> None:
    async def both(first: Pushing) -> None:
        outbound = Outbound(Guard(allow_private=True))
        caller = call.Courier(outbound, SIGNER, BASE)
        second = Runner(store, pusher.Pusher(store, caller, MailSink(Own(None), "a@example.no"), Rules(None)), LEASE)
        await asyncio.gather(first.run(), second.run())
        await outbound.close()

    with Receiver(Say(200)) as receiver:
        for number in range(10):
            subscribe(store, f"{receiver.url}/{number}")
        publish(store, *(an_event() for _ in range(50)))
        run(store, both)
        assert len(receiver.requests) == 500
        assert len({(request.target, request.body) for request in receiver.requests}) == 500


def test_what_another_worker_took_over_is_left_to_it(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)

        async def overtaken(pushing: Pushing) -> None:
            running = asyncio.create_task(pushing.run())
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)
            with store.write() as connection:
                connection.execute(update(subscriptions).values(claim=subscriptions.c.claim + 1, due_at=after(LEASE)))
            await running

        publish(store, an_event())
        run(store, overtaken)
    [delivery], row = deliveries_of(store, seq), subscription(store, seq)
    assert (delivery.state, delivery.attempts) in {(DeliveryState.WAITING, 0), (DeliveryState.DELIVERED, 1)}
    taken_over, released = (2, 1), (3, 0)
    recorded = delivery.state == DeliveryState.DELIVERED  # perhaps before it was taken over
    assert (row.claim, row.unresolved) in ({taken_over, released} if recorded else {taken_over})


def test_a_worker_that_ends_lets_go_at_once(store: Store) -> None:
    async def stopped(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) >= 20)
        pushing.stop()
        await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(2000)))
        run(store, stopped)
        row = subscription(store, seq)
        assert row.unresolved == 0
        assert seconds_until_due(store, seq) <= 0
        push(store)
        assert len(receiver.requests) == 2000


def test_a_pause_takes_effect_while_events_are_pushed(store: Store) -> None:
    async def paused(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) >= 20)
        await store.writing(registry.pause, TTD, seq)
        await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(3000)))
        run(store, paused)
        sent = len(receiver.requests)
        assert sent < 3000
        assert subscription(store, seq).due_at is None
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        push(store)
        assert len(receiver.requests) == 3000


def test_a_subscription_that_is_removed_meanwhile_harms_nothing(store: Store) -> None:
    async def removed(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) >= 20)
        await store.writing(registry.remove, TTD, seq)
        await running

    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, *(an_event() for _ in range(3000)))
        run(store, removed)
        assert len(receiver.requests) < 3000
    with store.write() as connection:
        while prune_some(connection, timedelta(days=90)):
            pass
    assert deliveries_of(store, seq) == []


def test_a_pause_outlives_the_worker_that_held_the_subscription(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        with store.write() as connection:
            due.claim(connection, due.WEBHOOKS, 10, timedelta(0))  # by a worker that never lets go
            registry.pause(connection, TTD, seq)
        push(store)
        row = subscription(store, seq)
        assert (row.due_at, row.unresolved) == (None, 0)
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        push(store)
        assert len(receiver.requests) == 1


def test_a_subscription_that_ends_its_workers_is_set_aside_with_the_reason(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url, unresolved=due.LOST_IS_DEAD)
        publish(store, an_event())
        with store.write() as connection:
            connection.execute(update(subscriptions).values(due_at=Now()))
        push(store)
        assert receiver.requests == []
        row = subscription(store, seq)
        assert "5 workers ended" in row.paused_reason
        assert (row.due_at, row.unresolved) == (None, 0)
        with store.write() as connection:
            registry.resume(connection, TTD, seq)
        push(store)
        assert len(receiver.requests) == 1
