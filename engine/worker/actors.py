"""Dramatiq's actors: three lines each. A message says that a lane has due work; see engine/worker/workshop.py.

`dramatiq engine.worker.actors` runs them as well.
"""

from __future__ import annotations

from typing import Any

import dramatiq
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.middleware import Middleware, MiddlewareError

from engine import settings
from engine.errors import VarselError
from engine.events.intake import SPOOLED
from engine.observability import metrics, tracing
from engine.queue import due
from engine.queue.broker import QUEUE, connect
from engine.worker.workshop import CONDITIONS, Workshop


class Process(Middleware):
    """Opens the workshop when the worker boots, and closes it when the worker ends."""

    workshop: Workshop

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        """Open everything; a worker without it must not live on."""
        try:
            config = settings.load()
            metrics.serve(config)
            tracing.configure(config, "worker")
            self.workshop = Workshop(config, REDIS.client, REDIS.notifier, REDIS.spool)
        except (VarselError, OSError, ValueError) as error:
            raise MiddlewareError(str(error)) from error

    def before_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        """Begin nothing new."""
        _loop_thread().loop.call_soon_threadsafe(self.workshop.stop)

    def after_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        """Say goodbye to the relay, the database and whoever watches."""
        _loop_thread().run_coroutine(self.workshop.end())
        self.workshop.close()
        tracing.close()
        metrics.end()


def _loop_thread() -> EventLoopThread:
    thread = get_event_loop_thread()
    if thread is None:
        raise RuntimeError("the AsyncIO middleware has not started its loop")
    return thread


REDIS = connect(settings.load())  # actors are declared at a broker
BROKER = REDIS.broker
PROCESS = Process()
BROKER.add_middleware(PROCESS)
dramatiq.set_broker(BROKER)  # where Dramatiq's own program looks for it


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_orders() -> None:
    """There are due orders."""
    await PROCESS.workshop.run(due.ORDERS.name, CONDITIONS)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_emails() -> None:
    """There are due e-mails."""
    await PROCESS.workshop.run(due.EMAILS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_fan_outs() -> None:
    """There are events to queue for many subscriptions."""
    await PROCESS.workshop.run(due.FAN_OUTS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_webhooks() -> None:
    """There are subscriptions with something to push."""
    await PROCESS.workshop.run(due.WEBHOOKS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_jobs() -> None:
    """There are jobs of operators to do."""
    await PROCESS.workshop.run(due.JOBS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER, actor_name=f"wake_{SPOOLED}")
async def persist_events() -> None:
    """There are events that could not be stored when they came in."""
    await PROCESS.workshop.store_spooled()
