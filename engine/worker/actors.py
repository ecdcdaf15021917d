"""Dramatiq's actors. A message says that a lane has due work; engine/worker/workshop.py does it.

`dramatiq engine.worker.actors` runs them, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dramatiq
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.middleware import Middleware, MiddlewareError

from engine import settings
from engine.errors import VarselError
from engine.events.intake import SPOOLED
from engine.observability import metrics, tracing
from engine.queue import due
from engine.queue.broker import INSTANT_QUEUE, QUEUE, connect
from engine.queue.signals import INSTANT
from engine.worker.messenger import Messenger
from engine.worker.workshop import Workshop

if TYPE_CHECKING:
    from dramatiq import Broker, Worker


class Process(Middleware):
    """Opens the workshop when the worker boots, and closes it when the worker ends.

    `instant`: this worker sends instant orders, and does nothing else.
    """

    workshop: Workshop | Messenger
    instant = False

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        """Open the workshop; a worker that cannot must end."""
        try:
            config = settings.load()
            metrics.serve(config)
            tracing.configure(config, "worker")
            if self.instant:
                self.workshop = Messenger(config, REDIS.client, REDIS.notifier)
            else:
                self.workshop = Workshop(config, REDIS.client, REDIS.notifier, REDIS.spool)
        except (VarselError, OSError, ValueError) as error:
            raise MiddlewareError(str(error)) from error

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Begin no new work. The wake-up reaches this worker's consumer where it waits, and others see what is left."""
        REDIS.broker.ending = True
        REDIS.notifier.notify(due.ORDERS.name)
        REDIS.notifier.notify(INSTANT)
        _loop_thread().loop.call_soon_threadsafe(self.workshop.stop)

    def after_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        """Close the connections to the relay and the database, and stop metrics and traces."""
        _loop_thread().run_coroutine(self.workshop.end())
        self.workshop.close()
        tracing.close()
        metrics.end()


def _loop_thread() -> EventLoopThread:
    thread = get_event_loop_thread()
    if thread is None:
        raise RuntimeError("the AsyncIO middleware has not started its loop")
    return thread


REDIS = connect(settings.load())  # actors need a broker when they are declared
BROKER = REDIS.broker
PROCESS = Process()
BROKER.add_middleware(PROCESS)
dramatiq.set_broker(BROKER)  # for Dramatiq's own program


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_orders() -> None:
    """Process due orders."""
    await PROCESS.workshop.run(due.ORDERS.name)


@dramatiq.actor(queue_name=INSTANT_QUEUE, broker=BROKER)
async def wake_instant_orders() -> None:
    """Send due instant orders."""
    await PROCESS.workshop.run(INSTANT)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_emails() -> None:
    """Deliver due e-mails."""
    await PROCESS.workshop.run(due.EMAILS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_fan_outs() -> None:
    """Queue events for many subscriptions."""
    await PROCESS.workshop.run(due.FAN_OUTS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_webhooks() -> None:
    """Push due deliveries."""
    await PROCESS.workshop.run(due.WEBHOOKS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_jobs() -> None:
    """Run operators' jobs."""
    await PROCESS.workshop.run(due.JOBS.name)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER, actor_name=f"wake_{SPOOLED}")
async def persist_events() -> None:
    """Store events that could not be stored when they arrived."""
    await PROCESS.workshop.run(SPOOLED)
