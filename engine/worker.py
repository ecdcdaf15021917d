"""A worker process: Dramatiq's worker in this very process, so that a signal meets what does the work."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading

import dramatiq
import uvloop

from engine import logs


def run(threads: int, log_level: str) -> None:
    """Work until SIGTERM or SIGINT; then finish what is in flight, hand the rest back, and end."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # the loop that Dramatiq makes for async actors
    from engine import actors  # noqa: F401, PLC0415 declares them; after the policy
    from engine.broker import BROKER  # noqa: PLC0415

    logs.configure(log_level)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    worker = dramatiq.Worker(BROKER, worker_threads=threads)
    worker.start()
    gc.collect()
    gc.freeze()
    stop.wait()
    worker.stop()
    BROKER.close()
