"""A process's connection to Redis: Dramatiq's broker, the notifier, the spool.

A message says "lane X has due work" and never which row: the worker claims the next rows itself. A message may be lost,
doubled or late at no cost, and one waiting message per lane is enough. Events that arrived while the database did not
answer wait in a list of their own; a message says that there are some.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.middleware import AsyncIO, Retries, ShutdownNotifications

from engine.diagnosis import of_redis
from engine.observability import metrics, repeats
from engine.queue import redis_client
from engine.queue.signals import INSTANT
from engine.queue.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engine.settings import Settings

log = logging.getLogger(__name__)

QUEUE = "varsel"
INSTANT_QUEUE = f"{QUEUE}-{INSTANT}"  # of workers that send instant orders, and do nothing else
WAITED_FOR = f"varsel:waited-for:{INSTANT}"  # set while such a worker waits for messages; else others get them
WAITED_FOR_MS = 3000
COALESCE_MS = 1000  # after this time, a wake-up that no worker took counts as lost
BUSY = 0.02  # seconds between two checks whether a prefetched message has been processed, or the worker ends
WAITS = 10  # of an idle worker, one after another, until it fetches: each fetch tells Dramatiq that it lives
QUIET_AFTER_FAILURE = 1.0  # seconds without a try after Redis failed to answer


class Notifier:
    """Sends a wake-up for a lane, unless one is waiting already.

    A thread of its own talks to Redis, so callers do not wait. Calls for one lane that arrive meanwhile become one
    wake-up.
    """

    def __init__(self, client: redis.Redis, broker: RedisBroker) -> None:
        self._client = client
        self._broker = broker
        self._quiet_until = 0.0
        self._waiting: set[str] = set()
        self._notified = threading.Event()
        threading.Thread(target=self._send, name="notifier", daemon=True).start()

    def notify(self, lane: str) -> None:
        """Wake a worker for this lane soon. If Redis does not answer, the clock's next tick wakes one."""
        self._waiting.add(lane)
        self._notified.set()

    def _send(self) -> None:
        while True:
            self._notified.wait()
            self._notified.clear()
            while self._waiting:
                self._wake(self._waiting.pop())

    def _wake(self, lane: str) -> None:
        if time.monotonic() < self._quiet_until:
            return
        try:
            if self._client.set(f"varsel:notified:{lane}", 1, nx=True, px=COALESCE_MS):
                apart = lane == INSTANT and self._client.exists(WAITED_FOR)
                queue = INSTANT_QUEUE if apart else QUEUE
                self._broker.enqueue(
                    dramatiq.Message(queue_name=queue, actor_name=f"wake_{lane}", args=(), kwargs={}, options={})
                )
                metrics.WAKES.labels("sent").inc()
        except (redis.RedisError, dramatiq.BrokerConnectionError, OSError) as error:
            self._quiet_until = time.monotonic() + QUIET_AFTER_FAILURE
            metrics.WAKES.labels("lost").inc()
            log.warning("workers cannot be woken; the clock tries again: %s", of_redis(error))

    def seen(self, lane: str) -> None:
        """Say that a worker is about to look: from now on, new work needs a new wake-up."""
        try:
            self._client.delete(f"varsel:notified:{lane}")
        except (redis.RedisError, OSError):
            log.debug("Redis does not answer; the mark of the wake-up expires by itself")

    def ping(self) -> None:
        """Raise redis.RedisError if Redis takes no wake-ups."""
        redis_client.prove(self._client)


class _Broker(RedisBroker):
    """Has no delayed messages, because everything that waits, waits in the database; so workers look for none."""

    ending = False  # the worker is to end: its consumer does not wait in Redis any more

    def get_declared_delay_queues(self) -> set[str]:
        return set()

    @property
    def consumer_class(self) -> type[_RedisConsumer]:
        return _Consumer


class _Consumer(_RedisConsumer):
    """Waits inside Redis for the next message instead of polling like Dramatiq's own consumer: idle, it costs little.

    It also turns Redis errors at the end into Dramatiq's own errors, so that a worker ends in order.
    """

    def __init__(self, broker: _Broker, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, 0)  # type: ignore[no-untyped-call]
        self._queue = f"{broker.namespace}:{queue_name}"
        self._within = timeout / 1000
        self._instant = queue_name == INSTANT_QUEUE
        self._say_at = 0.0  # by the monotonic clock

    def __next__(self) -> dramatiq.MessageProxy | None:
        try:
            message: dramatiq.MessageProxy | None = super().__next__()  # type: ignore[no-untyped-call]
            if message is None:
                self._wait()
        except (redis.RedisError, dramatiq.ConnectionClosed) as error:
            raise dramatiq.ConnectionClosed(of_redis(error)) from None
        return message

    def _wait(self) -> None:
        for _ in range(WAITS):
            if self.broker.ending or self.outstanding_message_count >= self.prefetch:
                time.sleep(BUSY)
                return
            self._say()
            # Moves the message to where it is: every waiting worker learns of it, and the first one takes it.
            if self.broker.client.blmove(self._queue, self._queue, self._within, "RIGHT", "RIGHT"):
                return

    def _say(self) -> None:
        """Say that instant orders have a worker of their own."""
        if self._instant and time.monotonic() >= self._say_at:
            self._say_at = time.monotonic() + WAITED_FOR_MS / 3000
            self.broker.client.set(WAITED_FOR, 1, px=WAITED_FOR_MS)

    def close(self) -> None:
        """Hand back what was fetched, and let others have instant orders at once."""
        super().close()
        if self._instant:
            with suppress(redis.RedisError):
                self.broker.client.delete(WAITED_FOR)

    def requeue(self, messages: Iterable[dramatiq.MessageProxy]) -> None:
        try:
            super().requeue(messages)  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            raise dramatiq.BrokerConnectionError(error) from None


@dataclass(frozen=True, slots=True)
class Queue:
    """A process's connection to Redis and what uses it."""

    client: redis.Redis
    broker: _Broker
    notifier: Notifier
    spool: Spool


def connect(config: Settings) -> Queue:
    """Connect to the Redis of the settings, once per process; Misconfigured. The first command opens the connection."""
    repeats.expect(redis.RedisError, of_redis)
    client = redis_client.connect(config.need("redis_url"))
    broker = _Broker(client=client, middleware=[AsyncIO(), ShutdownNotifications(), Retries(max_retries=0)])  # type: ignore[no-untyped-call]
    return Queue(client, broker, Notifier(client, broker), Spool(client))
