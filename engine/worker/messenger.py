"""A worker for instant orders alone: other workers are busy with what may wait, and this one is not."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from engine.db.migrations import admit
from engine.db.store import Store
from engine.email.deliverer import Deliverer
from engine.models import Priority
from engine.observability.heartbeat import Heartbeat, Kind
from engine.orders.contacts import ContactTable
from engine.queue import due
from engine.queue.fairness import Turns
from engine.queue.marks import Memory
from engine.queue.runner import Runner
from engine.queue.signals import INSTANT, Signals
from engine.queue.withdrawals import Withdrawals
from engine.runtime.clock import steady
from engine.settings.told import told
from engine.templating.renderer import Renderer
from engine.worker import sending
from engine.worker.short_way import ShortWay
from engine.worker.watch import watch

if TYPE_CHECKING:
    import redis

    from engine.queue.broker import Notifier
    from engine.settings import Settings


class Messenger:
    """Sends instant orders the short way. VarselError or ValueError if settings cannot be used.

    E-mails that cannot go that way, such as those that a limit holds up or whose attempt failed, are left to the
    workers. So it has no part in the limits, which are divided among those.
    """

    def __init__(self, config: Settings, client: redis.Redis, notifier: Notifier) -> None:
        self._store = Store(config.need("database_url"), admit)
        turns = Turns((Priority.INSTANT,), config.creator_weights)
        self._relays = sending.relays(config, sending.routing(config), config.smtp_instant_connections)
        pace = sending.pace(config)
        self._renderer = Renderer()
        messages = sending.messages(self._store, self._renderer)
        back = Withdrawals(self._store)
        deliverer = Deliverer(self._store.clock, self._relays, turns, pace, messages, withdrawals=back)
        kind = Kind(
            "instant",
            self._relays.names,
            trouble=lambda: deliverer.trouble,
            slowed=lambda: pace.slowed(steady()),
            relays=lambda: self._relays.states,
            settings=told(config),
        )
        self._heartbeat = Heartbeat(self._store, kind, Memory(client))
        self._watching: asyncio.Task[None] | None = None
        self._wake_emails = wake_emails = partial(notifier.notify, due.EMAILS.name)
        seen, wake = (partial(act, INSTANT) for act in (notifier.seen, notifier.notify))
        signals = Signals(self._heartbeat.settled, self._heartbeat.doubt, seen, wake)
        work = ShortWay(deliverer, ContactTable(), wake_emails, turns=turns, withdrawals=back)
        self._runner = Runner(self._store, work, config.lease_time, signals)
        self._heartbeat.start()

    async def run(self, _lane: str) -> None:
        """Work until no instant order is due."""
        if self._watching is None:  # the first run of this loop
            self._watching = asyncio.create_task(watch(self._store, [self._relays], self._wake_emails))
        await self._runner.run()

    def stop(self) -> None:
        """Begin no new work; what is in flight may end."""
        self._runner.stop()

    async def end(self) -> None:
        """Close connections to the relay, and what renders templates."""
        if self._watching:
            self._watching.cancel()
        await self._relays.close()
        await self._renderer.close()

    def close(self) -> None:
        """Write the last counts, and close the database."""
        self._heartbeat.stop()
        self._store.close()
