"""A worker process. Dramatiq's worker runs in the process itself, so that signals reach it."""

from __future__ import annotations

import asyncio
import os
import resource
from queue import Empty, PriorityQueue
from typing import TYPE_CHECKING

# Dramatiq reads it when it is imported: how many messages a worker prefetches. Wake-ups are few and short.
os.environ.setdefault("dramatiq_queue_prefetch", "2")

import dramatiq
import uvloop
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import MiddlewareError

from engine import settings
from engine.errors import Misconfigured
from engine.observability import logs, metrics
from engine.queue.broker import INSTANT_QUEUE, QUEUE
from engine.runtime import garbage
from engine.runtime.ending import END_WITHIN, end_within
from engine.runtime.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from dramatiq.worker import _WorkQueueItem

# Workers keep cores busy while much is due. On the same machine, the API, the database and instant orders go first.
GIVES_WAY = 5
WAIT_MS = 1000  # milliseconds that the consumer waits in Redis at a time: less than Redis has to answer


def run(threads: int, log_level: str, started: Callable[[], None], *, instant: bool = False) -> None:
    """Work until SIGTERM or SIGINT; then finish what is in flight, hand back the rest, and end.

    `started` is called when the worker is ready. `instant`: it sends instant orders, and does nothing else.
    """
    if not instant:
        os.nice(GIVES_WAY)
    _allow_many_files()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the loop that Dramatiq makes for async actors
    from engine.worker.actors import BROKER, PROCESS  # noqa: PLC0415 declares the actors; after the policy is set

    logs.configure(log_level, settings.load().log_format)
    stop = Stop()
    PROCESS.instant = instant
    worker = _Worker(BROKER, threads, INSTANT_QUEUE if instant else QUEUE)
    try:
        worker.start()
    except MiddlewareError as error:
        if loop := get_event_loop_thread():
            loop.stop()  # it runs already and would keep the process alive
        raise Misconfigured(str(error)) from None
    started()
    garbage.set_aside()
    stop.wait()
    end_within(END_WITHIN, metrics.end)
    worker.stop()
    BROKER.close()


class _Worker(dramatiq.Worker):
    """Dramatiq's worker; its idle threads wait until there is something to do, or until they end."""

    def __init__(self, broker: dramatiq.Broker, threads: int, queue: str) -> None:
        super().__init__(broker, queues={queue}, worker_threads=threads, worker_timeout=WAIT_MS)
        self.work_queue: _Messages = _Messages()

    def stop(self, timeout: int = 600_000) -> None:
        """As Dramatiq's."""
        for thread in self.workers:
            thread.stop()
        self.work_queue.end()
        super().stop(timeout)


class _Messages(PriorityQueue["_WorkQueueItem"]):
    """The messages between Dramatiq's consumer and its threads."""

    _ended = False

    def get(self, block: bool = True, timeout: float | None = None) -> _WorkQueueItem:  # noqa: ARG002, FBT001, FBT002
        """The next message; waits for it without end, or until `end`. Then, or if it shall not wait, queue.Empty."""
        with self.not_empty:
            self.not_empty.wait_for(lambda: self._qsize() or self._ended or not block)
            if not self._qsize():
                raise Empty
            self.not_full.notify()
            return self._get()

    def end(self) -> None:
        """Nobody waits any more."""
        with self.mutex:
            self._ended = True
            self.not_empty.notify_all()


def _allow_many_files() -> None:
    """Raise the limit of open files as far as allowed: each call to an endpoint needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
