"""A worker process. Dramatiq's worker runs in the process itself, so that signals reach it."""

from __future__ import annotations

import asyncio
import os
import resource
from typing import TYPE_CHECKING

# Dramatiq reads these when it is imported: how long an idle worker waits for a message before it checks whether it must
# end (ms), and how many messages it prefetches: wake-ups are few and short.
os.environ.setdefault("dramatiq_worker_timeout", "250")
os.environ.setdefault("dramatiq_queue_prefetch", "2")

import dramatiq
import uvloop
from dramatiq.asyncio import get_event_loop_thread
from dramatiq.middleware import MiddlewareError

from engine import settings
from engine.errors import Misconfigured
from engine.observability import logs, metrics
from engine.runtime import garbage
from engine.runtime.ending import END_WITHIN, end_within
from engine.runtime.stop import Stop

if TYPE_CHECKING:
    from collections.abc import Callable


def run(threads: int, log_level: str, started: Callable[[], None]) -> None:
    """Work until SIGTERM or SIGINT; then finish what is in flight, hand back the rest, and end.

    `started` is called when the worker is ready.
    """
    _allow_many_files()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the loop that Dramatiq makes for async actors
    from engine.worker.actors import BROKER  # noqa: PLC0415 declares the actors; after the policy is set

    logs.configure(log_level, settings.load().log_format)
    stop = Stop()
    worker = dramatiq.Worker(BROKER, worker_threads=threads)
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


def _allow_many_files() -> None:
    """Raise the limit of open files as far as allowed: each call to an endpoint needs one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
