"""How a worker waits for wake-ups: in Redis, without looking again and again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import dramatiq
import pytest

from engine.queue.broker import INSTANT_QUEUE, WAITED_FOR, WAITS, Notifier, _Broker
from engine.queue.broker import QUEUE as USUAL
from engine.queue.redis_client import connect
from engine.queue.signals import INSTANT
from tests.helpers.waiting import LONG, SHORT, patience, wait_for
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from pathlib import Path

QUEUE = "waiting"


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path) as running:
        yield running


@pytest.fixture
def broker(cache: Redis) -> Any:
    return _Broker(client=connect(cache.url, LONG.total_seconds()), middleware=[])  # type: ignore[no-untyped-call]


def consumer(broker: Any, within: timedelta) -> Any:
    return broker.consume(QUEUE, prefetch=2, timeout=within.total_seconds() * 1000)


def enqueue(broker: Any) -> None:
    broker.declare_queue(QUEUE)
    broker.enqueue(dramatiq.Message(QUEUE, "nobody", (), {}, {}))


def calls(broker: Any, command: str) -> int:
    told = broker.client.info("commandstats").get(f"cmdstat_{command}", {"calls": 0})
    return int(told["calls"])


def test_between_two_fetches_an_idle_worker_waits_several_times(broker: Any) -> None:
    idle = consumer(broker, SHORT / WAITS)
    assert next(idle) is None  # this one brings Redis the script, too
    fetches = calls(broker, "evalsha")
    assert [next(idle) for _ in range(3)] == [None] * 3
    assert calls(broker, "evalsha") == fetches + 3
    assert calls(broker, "blmove") == (1 + 3) * WAITS


def test_a_worker_that_is_to_end_waits_no_more(broker: Any) -> None:
    waiting = consumer(broker, LONG / 2)
    ending = threading.Thread(target=lambda: [next(waiting), next(waiting)])
    ending.start()
    wait_for(lambda: broker.client.info("clients")["blocked_clients"] == 1)
    broker.ending = True
    enqueue(broker)
    ending.join(patience())
    assert not ending.is_alive()
    assert next(waiting) is None
    assert calls(broker, "blmove") == 1


def test_whoever_waits_takes_a_message_when_it_comes(broker: Any) -> None:
    waiting = consumer(broker, LONG / 2)
    taken: list[Any] = []

    def take() -> None:
        while not taken:
            taken.extend(filter(None, [next(waiting)]))

    thread = threading.Thread(target=take)
    thread.start()
    wait_for(lambda: broker.client.info("clients")["blocked_clients"] == 1)
    enqueue(broker)
    thread.join(patience())
    assert taken[0].actor_name == "nobody"
    assert calls(broker, "blmove") == 1


def test_a_worker_with_its_hands_full_does_not_ask(broker: Any) -> None:
    busy = consumer(broker, LONG / 2)
    for _ in range(3):
        enqueue(broker)
    assert next(busy)
    assert next(busy)
    assert [next(busy) for _ in range(5)] == [None] * 5
    assert calls(broker, "blmove") == 0


def test_a_redis_that_goes_while_a_worker_waits_is_told_in_dramatiqs_words(broker: Any, cache: Redis) -> None:
    waiting = consumer(broker, LONG / 2)

    def stop() -> None:
        wait_for(lambda: broker.client.info("clients")["blocked_clients"] == 1)
        cache.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(dramatiq.BrokerConnectionError):
        next(waiting)
    stopping.join(patience())


def test_a_worker_for_instant_orders_that_ends_says_no_more_that_it_waits(broker: Any) -> None:
    own = broker.consume(INSTANT_QUEUE, prefetch=2, timeout=SHORT.total_seconds() * 1000)
    broker.ending = True
    assert next(own) is None
    assert not broker.client.exists(WAITED_FOR)


def test_instant_orders_wake_their_own_workers_while_these_wait_and_others_otherwise(
    broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = int(LONG.total_seconds() * 1000)
    monkeypatch.setattr("engine.queue.broker.WAITED_FOR_MS", said)
    for queue in (USUAL, INSTANT_QUEUE):
        broker.declare_queue(queue)
    notifier = Notifier(broker.client, broker)

    def woken() -> list[int]:
        broker.client.delete(f"varsel:notified:{INSTANT}")
        before = lengths()
        notifier.notify(INSTANT)
        wait_for(lambda: lengths() != before)
        return [after - earlier for earlier, after in zip(before, lengths(), strict=True)]

    def lengths() -> list[int]:
        return [broker.client.llen(f"{broker.namespace}:{queue}") for queue in (USUAL, INSTANT_QUEUE)]

    assert woken() == [1, 0]
    own = broker.consume(INSTANT_QUEUE, prefetch=2, timeout=SHORT.total_seconds() * 1000)
    assert next(own) is None
    assert 0 < broker.client.pttl(WAITED_FOR) <= said
    assert woken() == [0, 1]
    own.close()
    assert woken() == [1, 0]
