"""Endpoints that hang use only their consumer's share of a process, and leave others theirs."""

from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from engine.db.dialects import Now
from engine.db.records import Delivery
from engine.db.tables import deliveries, subscriptions
from engine.models import DeliveryState
from engine.webhooks import backlog, pusher
from tests.helpers.rows import an_event
from tests.helpers.subscribers import deliveries_of, publish, run, subscribe
from tests.servers.http import Hang, Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.db.store import Store
    from engine.models import CloudEvent
    from tests.helpers.pushing import Pushing

EVIL, EVE, GOOD = "/org/evil", "/org/eve", "/org/good"
THEIRS = "urn:altinn:resource:theirs"
MINE = "urn:altinn:resource:mine"  # of the stranger who must not notice


def share(slots: int) -> int:
    return slots * 2 // 3


def ask_for_validation(store: Store, endpoint: str, consumer: str, number: int = 1) -> None:
    """Subscriptions whose endpoints wait for their validation event."""
    for _ in range(number):
        seq = subscribe(store, endpoint, consumer=consumer, validated=False)
        row = {"subscription_seq": seq, "state": DeliveryState.WAITING, "attempts": 0}
        times = {"due_at": Now(), "created": Now(), "last_update": Now()}
        with store.write() as connection:
            connection.execute(deliveries.insert().values(row | times))
            connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(due_at=Now()))


def beside(store: Store, hanging: Receiver, count: int, work: Callable[[Pushing], Awaitable[None]]) -> None:
    """Push until so many calls hang, run the block, then release everything."""

    async def both(pushing: Pushing) -> None:
        running = asyncio.create_task(pushing.run())
        await asyncio.to_thread(hanging.wait_for, lambda: hanging.hanging >= count)
        await work(pushing)
        assert hanging.hanging == count
        assert not running.done()
        pushing.stop()
        hanging.hang_up()
        await running

    run(store, both)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer slots, so that few calls fill them."""
    for name, slots in {"ACTIVE": 30, "VALIDATIONS": 15, "CALLS": 60}.items():
        monkeypatch.setattr(pusher, name, slots)


@pytest.mark.usefixtures("narrow")
def test_endpoints_that_are_not_validated_and_hang_delay_neither_events_nor_a_strangers_validation(
    store: Store,
) -> None:
    with Receiver(Hang()) as hanging, Receiver(Say(200)) as receiver:
        ask_for_validation(store, hanging.url, EVIL, 60)
        mine = subscribe(store, receiver.url, consumer=GOOD, resource_filter=MINE)

        async def work(pushing: Pushing) -> None:
            publish(store, an_event(resource=MINE))
            await pushing.run()  # notifies
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)
            ask_for_validation(store, receiver.url, GOOD)
            await pushing.run()
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 2)

        beside(store, hanging, share(pusher.VALIDATIONS), work)
    assert [row.state for row in deliveries_of(store, mine)] == [DeliveryState.DELIVERED]


@pytest.mark.usefixtures("narrow")
def test_subscriptions_whose_endpoints_hang_leave_places_to_other_consumers(store: Store) -> None:
    with Receiver(Hang()) as hanging, Receiver(Say(200)) as receiver:
        for _ in range(3 * pusher.ACTIVE):
            subscribe(store, hanging.url, consumer=EVIL, resource_filter=THEIRS)
        subscribe(store, receiver.url, consumer=GOOD, resource_filter=MINE)
        publish(store, an_event(resource=THEIRS))

        async def work(pushing: Pushing) -> None:
            publish(store, an_event(resource=MINE))
            await pushing.run()
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)

        beside(store, hanging, share(pusher.ACTIVE), work)


@pytest.mark.usefixtures("narrow")
def test_two_consumers_whose_endpoints_hang_leave_places_to_a_third(store: Store) -> None:
    with Receiver(Hang()) as hanging, Receiver(Say(200)) as receiver:
        for consumer in (EVIL, EVE):
            for _ in range(pusher.ACTIVE):
                subscribe(store, hanging.url, consumer=consumer, resource_filter=THEIRS)
        subscribe(store, receiver.url, consumer=GOOD, resource_filter=MINE)
        publish(store, an_event(resource=THEIRS))

        async def work(pushing: Pushing) -> None:
            publish(store, an_event(resource=MINE))
            await pushing.run()
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)

        beside(store, hanging, 12 + 12, work)  # two fifths of the places each


@pytest.mark.usefixtures("narrow")
def test_calls_that_were_earned_and_then_hang_leave_calls_to_other_consumers(store: Store) -> None:
    with Receiver(Say(200)) as hanging, Receiver(Say(200)) as receiver:
        for _ in range(12):
            subscribe(store, hanging.url, consumer=EVIL, resource_filter=THEIRS)
        subscribe(store, receiver.url, consumer=GOOD, resource_filter=MINE)
        for _ in range(10):  # so few at once that they need no steps
            publish(store, *(an_event(resource=THEIRS) for _ in range(10)))
        hanging.act(*[Say(200)] * 500, Hang())

        async def work(pushing: Pushing) -> None:
            publish(store, an_event(resource=MINE))
            await pushing.run()
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)

        beside(store, hanging, share(pusher.CALLS), work)


@pytest.mark.usefixtures("narrow")
def test_what_did_not_fit_is_pushed_when_places_come_free(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        for _ in range(3 * pusher.ACTIVE):
            subscribe(store, receiver.url, consumer=GOOD, resource_filter=MINE)
        ask_for_validation(store, receiver.url, GOOD, 3 * pusher.VALIDATIONS)
        publish(store, an_event(resource=MINE))
        run(store, lambda pushing: pushing.run())
    assert len(receiver.requests) == 3 * pusher.ACTIVE + 3 * pusher.VALIDATIONS


LARGE = 100_000  # characters of a text


def a_large_event(**attributes: Any) -> CloudEvent:
    event = an_event(**attributes)
    return replace(event, text=json.dumps(json.loads(event.text) | {"data": "x" * LARGE}))


def texts_in_memory() -> int:
    """The characters of all deliveries that are in memory, wherever they are kept."""
    return sum(len(found.text) for found in gc.get_objects() if isinstance(found, Delivery))


def test_what_is_in_memory_for_endpoints_that_hang_is_counted_in_bytes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 subscriptions that match 30 events of 100 kB are 60 MB."""
    monkeypatch.setattr(pusher, "TEXTS", 30 * LARGE)
    monkeypatch.setattr(backlog, "AHEAD", 2 * LARGE)
    with Receiver(Hang()) as hanging, Receiver(Say(200)) as receiver:
        for _ in range(20):
            subscribe(store, hanging.url, consumer=EVIL, resource_filter=THEIRS)
        mine = subscribe(store, receiver.url, consumer=GOOD, resource_filter=MINE)
        publish(store, *(a_large_event(resource=THEIRS) for _ in range(30)))

        async def work(pushing: Pushing) -> None:
            publish(store, *(a_large_event(resource=MINE) for _ in range(20)))
            await pushing.run()
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 20)
            assert texts_in_memory() < pusher.TEXTS + 2 * LARGE

        # Of one consumer two thirds, and the one that does not fit; each subscription has two, and one of them calls.
        beside(store, hanging, 10, work)
    assert {row.state for row in deliveries_of(store, mine)} == {DeliveryState.DELIVERED}
