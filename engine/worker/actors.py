"""Dramatiq's actors: three lines each; the work is in the domain packages.

`dramatiq engine.worker.actors` runs them as well.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dramatiq
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.middleware import Middleware, MiddlewareError

from engine import settings
from engine.admin import jobs
from engine.auth.access import Rules
from engine.db.migrations import admit
from engine.db.store import Store
from engine.email import deliverer
from engine.email.smtp import Relay
from engine.errors import Unavailable, VarselError
from engine.events import large_fan_outs
from engine.events.intake import SPOOLED, unpacked
from engine.events.storing import persist
from engine.observability import metrics, tracing
from engine.observability.heartbeat import Heartbeat, Kind
from engine.orders import processing
from engine.orders.condition_checks import CHECKS, ConditionChecks
from engine.orders.contacts import ContactTable
from engine.outbound import Guard, Outbound
from engine.queue import due
from engine.queue.broker import BROKER, CLIENT, NOTIFIER, QUEUE, SPOOL
from engine.queue.epoch import Memory
from engine.subscriptions.signing import Signer
from engine.webhooks.call import Courier
from engine.webhooks.mail_sink import MailSink
from engine.webhooks.pusher import CALLS, Pusher
from engine.webhooks.rendering import Templates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

# Runs of a lane side by side in one process: the second claims and records while the first sends.
RUNS = {due.ORDERS.name: 1, due.EMAILS.name: 2, due.FAN_OUTS.name: 1}
# Between two claims of a lane in one process, unless the first was full: where work trickles in, larger batches cost
# less per row. What comes to an idle worker does not wait.
GATHER = 0.05  # seconds


class Workshop(Middleware):
    """What a worker process works with, opened when it boots and closed when it ends."""

    def __init__(self) -> None:
        self._running: Counter[str] = Counter()
        self._again: set[str] = set()
        self._claimed_at: dict[str, float] = {}

    def before_worker_boot(self, _broker: Any, _worker: Any) -> None:
        """Open everything; a worker without it must not live on."""
        try:
            config = settings.load()
            metrics.serve(config)
            tracing.configure(config, "worker")
            self._store = Store(config.need("database_url"), admit)
            guard = Guard(config.allow_private_endpoints)
            self._outbound = Outbound(guard, connections=CHECKS, clock=self._store.clock)
            self._webhooks_outbound = Outbound(guard, connections=CALLS, clock=self._store.clock)
            courier = Courier(
                self._webhooks_outbound,
                Signer(config.need("webhook_key").encode()),
                f"{config.base_url}/events/api/v1",
            )
            with settings.naming("email_templates"):
                mail_sink = MailSink(Templates(config.email_templates), config.from_address)
            with settings.naming("access_file"):
                access = Rules(config.access_file)
            self._relay = Relay(
                config.need("smtp_url"),
                connections=config.smtp_connections,
                connect_timeout=timedelta(seconds=config.smtp_connect_timeout),
                data_timeout=timedelta(seconds=config.smtp_data_timeout),
                ca_file=config.smtp_ca_file,
            )
        except (VarselError, OSError, ValueError) as error:
            raise MiddlewareError(str(error)) from error
        self._lease = lease = config.lease_time
        self._processor = processing.Processor(self._store, ContactTable(), self._outbound, lease)
        self._checks = ConditionChecks(self._store, self._processor, lease, lambda: NOTIFIER.notify(due.EMAILS.name))
        self._deliverer = deliverer.Deliverer(self._store, self._relay, config.smtp_connections, lease)
        kind = Kind("worker", self._relay.name, lambda: self._deliverer.trouble)
        self._heartbeat = Heartbeat(self._store, kind, Memory(CLIENT))
        self._pusher = Pusher(self._store, courier, mail_sink, access, lease, self._heartbeat)
        self._heartbeat.start()

    def before_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        """Start nothing new; what is in flight may end."""
        for stopping in (self._deliverer.stopping, self._pusher.stopping, self._checks.stopping):
            _loop_thread().loop.call_soon_threadsafe(stopping.set)

    def after_worker_shutdown(self, _broker: Any, _worker: Any) -> None:
        """Say good-bye to the relay, the database and whoever watches."""
        _loop_thread().run_coroutine(self._close())
        self._heartbeat.stop()
        self._store.close()
        tracing.close()
        metrics.end()

    async def _close(self) -> None:
        await self._relay.close()
        await self._outbound.close()
        await self._webhooks_outbound.close()

    async def orders(self) -> None:
        """Process due orders; then deliver here what is due, without the way through the queue.

        Orders with a condition are processed beside them: they wait for their senders' endpoints.
        """
        checks = asyncio.create_task(self._checks.run())
        try:
            await self._drain(due.ORDERS, self._processor.batch, processing.BATCH)
            await self.emails()
        finally:
            await checks

    async def emails(self) -> None:
        """Deliver due e-mails."""
        await self._drain(due.EMAILS, self._deliverer.batch, deliverer.BATCH)

    async def fan_outs(self) -> None:
        """Queue events that match many subscriptions, step by step."""
        await self._drain(due.FAN_OUTS, self._fan_out_step, 1)

    async def _fan_out_step(self) -> int:
        if self._pusher.stopping.is_set():
            return 0
        with suppress(Unavailable):
            if await self._store.writing(large_fan_outs.advance, self._lease):
                NOTIFIER.notify(due.WEBHOOKS.name)
                return 1
        return 0

    async def webhooks(self) -> None:
        """Push what is due to subscribers."""
        await asyncio.to_thread(NOTIFIER.seen, due.WEBHOOKS.name)
        await self._pusher.run()

    async def jobs(self) -> None:
        """Do what operators asked to be done to all that match."""
        await asyncio.to_thread(NOTIFIER.seen, due.JOBS.name)
        if not self._heartbeat.settled():
            return
        with suppress(Unavailable):
            while job := await self._store.writing(jobs.claim, self._lease):
                try:
                    while not self._deliverer.stopping.is_set():
                        if not await self._store.writing(jobs.advance, job, self._lease):
                            break
                except Unavailable:
                    raise
                except Exception:
                    log.exception("job %s: a batch ended in an error", job.seq)
                    await self._store.writing(jobs.failed, job)

    async def events(self) -> None:
        """Store what came in while the database did not answer; while it still does not, the clock notifies again."""
        await asyncio.to_thread(NOTIFIER.seen, SPOOLED)
        with suppress(Unavailable):
            while entry := await asyncio.to_thread(SPOOL.first):
                try:
                    await self._store.writing(persist, unpacked(entry))
                except Unavailable:
                    return
                except Exception:
                    log.exception("events in the queue could not be stored")
                    await asyncio.to_thread(SPOOL.set_aside, entry)
                else:
                    await asyncio.to_thread(SPOOL.remove, entry)
                    NOTIFIER.notify(due.WEBHOOKS.name)

    async def _drain(self, lane: due.Lane, batch: Callable[[], Awaitable[int]], full: int) -> None:
        """Work until nothing is due. A full batch calls other workers in; a wake-up that comes too late counts."""
        if self._running[lane.name] >= RUNS[lane.name]:
            self._again.add(lane.name)
            return
        self._running[lane.name] += 1
        try:
            while True:
                await asyncio.sleep(self._claimed_at.get(lane.name, 0.0) + GATHER - time.monotonic())
                self._again.discard(lane.name)
                await asyncio.to_thread(NOTIFIER.seen, lane.name)
                self._claimed_at[lane.name] = time.monotonic()
                if not self._heartbeat.settled():
                    return  # the clock notifies again
                try:
                    size = await batch()
                except Unavailable:
                    self._heartbeat.doubt()
                    raise
                if size >= full:
                    self._claimed_at.pop(lane.name, None)
                    NOTIFIER.notify(lane.name)
                    if lane is due.ORDERS:
                        NOTIFIER.notify(due.EMAILS.name)
                elif lane.name not in self._again:
                    return
        except Unavailable as error:
            log.warning("the lane waits until the clock wakes it: %s", error.told())
        finally:
            self._running[lane.name] -= 1


def _loop_thread() -> EventLoopThread:
    thread = get_event_loop_thread()
    if thread is None:
        raise RuntimeError("the AsyncIO middleware has not started its loop")
    return thread


WORKSHOP = Workshop()
BROKER.add_middleware(WORKSHOP)


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_orders() -> None:
    """There are due orders."""
    await WORKSHOP.orders()


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_emails() -> None:
    """There are due e-mails."""
    await WORKSHOP.emails()


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_fan_outs() -> None:
    """There are events to queue for many subscriptions."""
    await WORKSHOP.fan_outs()


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_webhooks() -> None:
    """There are subscriptions with something to push."""
    await WORKSHOP.webhooks()


@dramatiq.actor(queue_name=QUEUE, broker=BROKER)
async def wake_jobs() -> None:
    """There are jobs of operators to do."""
    await WORKSHOP.jobs()


@dramatiq.actor(queue_name=QUEUE, broker=BROKER, actor_name=f"wake_{SPOOLED}")
async def persist_events() -> None:
    """There are events that could not be stored when they came in."""
    await WORKSHOP.events()
