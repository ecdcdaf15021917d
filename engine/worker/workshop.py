"""What a worker process works with: opened when the process starts, closed when it ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Protocol

from engine import settings
from engine.admin.job_lane import Jobs
from engine.auth.access import Rules
from engine.auth.sealing import Seal
from engine.db.migrations import admit
from engine.db.store import Store
from engine.email.deliverer import Deliverer
from engine.email.simulation import Simulation
from engine.errors import Unavailable
from engine.events.intake import SPOOLED, unpacked
from engine.events.large_fan_outs import FanOuts
from engine.events.storing import persist
from engine.models import Priority, RelayState
from engine.observability.heartbeat import Heartbeat, Kind
from engine.orders.condition_checks import CHECKS, ConditionChecks
from engine.orders.contacts import ContactTable
from engine.orders.credentials import Credentials
from engine.orders.fetches import FETCHES, WITHIN, Fetches
from engine.orders.portions import Portions
from engine.orders.processing import Orders
from engine.outbound import Guard, Outbound
from engine.queue import due
from engine.queue.calendars import Calendars
from engine.queue.fairness import TESTS, Turns
from engine.queue.marks import Memory
from engine.queue.runner import Runner
from engine.queue.signals import INSTANT, Signals
from engine.queue.withdrawals import Withdrawals
from engine.runtime.clock import steady
from engine.settings.told import told
from engine.subscriptions.signing import Signer
from engine.templating.own import Own
from engine.templating.renderer import Renderer
from engine.webhooks.call import Courier
from engine.webhooks.mail_sink import MailSink
from engine.webhooks.pusher import CALLS, Pusher
from engine.worker import sending
from engine.worker.short_way import ShortWay
from engine.worker.watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

    from engine.queue.broker import Notifier
    from engine.queue.due import R
    from engine.queue.spool import Spool
    from engine.queue.work import O, Work
    from engine.settings import Settings

log = logging.getLogger(__name__)

CONDITIONS = "conditions"  # the runner of orders that have a condition
FETCHING = "fetching"  # the runner of orders whose attachments are to be fetched
INSTANT_EMAILS = "instant e-mails"  # the runner of e-mails of instant orders
PORTIONS = "portions"  # the runner of orders whose e-mails are made portion by portion
OTHERS = (CONDITIONS, FETCHING, PORTIONS)  # as engine/orders/processing.py has their KINDS
TESTED = {lane.name: f"test {lane.name}" for lane in (due.ORDERS, due.EMAILS)}  # the runner of tests
TESTS_EVERY = 1.0  # seconds between two looks for tests of a lane: they cost other orders next to nothing
IN_A_HURRY, USUAL = (Priority.INSTANT,), (Priority.NORMAL, Priority.BULK)


class Runs(Protocol):
    """A runner of any rows and outcomes."""

    async def run(self) -> None: ...
    def stop(self) -> None: ...


class Workshop:
    """A runner for each lane, and what they share. VarselError or ValueError if settings cannot be used."""

    def __init__(self, config: Settings, client: redis.Redis, notifier: Notifier, spool: Spool) -> None:
        self._notifier = notifier
        self._spool = spool
        self._store = Store(config.need("database_url"), admit, gives_way=True)
        usual, instant = (Turns(some, config.creator_weights, config.bulk_share) for some in (USUAL, IN_A_HURRY))
        routing, pace = sending.routing(config), sending.pace(config)
        counts = (config.smtp_connections, config.smtp_instant_connections)
        self._relays = [sending.relays(config, routing, count) for count in counts]
        self._renderer = Renderer()
        messages = sending.messages(self._store, self._renderer)
        with settings.naming("calendars_file"):
            calendars = Calendars(config.calendars_file)
        back = Withdrawals(self._store)
        deliverer = Deliverer(self._store.clock, self._relays[0], usual, pace, messages, calendars, back)
        messenger = Deliverer(self._store.clock, self._relays[1], instant, pace, messages, calendars, back)
        kind = Kind(
            "worker",
            self._relays[0].names,
            trouble=lambda: deliverer.trouble or messenger.trouble,
            slowed=lambda: pace.slowed(steady()),
            peers=pace.divide,
            relays=lambda: _worse(*(relays.states for relays in self._relays)),
            settings=told(config),
        )
        self._heartbeat = Heartbeat(self._store, kind, Memory(client))
        guard = Guard(config.allow_private_endpoints)
        self._asking = Outbound(guard, connections=CHECKS, clock=self._store.clock)
        self._fetching = Outbound(
            guard, within=WITHIN, connections=FETCHES, ca_file=config.attachment_ca_file, clock=self._store.clock
        )
        self._pushing = Outbound(guard, connections=CALLS, clock=self._store.clock)
        self._watching: asyncio.Task[None] | None = None
        self._wake_emails = partial(notifier.notify, due.EMAILS.name)
        self._begun: set[asyncio.Task[None]] = set()
        self._lease = config.lease_time
        contacts = ContactTable()
        fetching = partial(self._begin, FETCHING)
        e_mails, instant_e_mails = partial(self._begin, due.EMAILS.name), partial(self._begin, INSTANT_EMAILS)

        tested = partial(self._begin, TESTED[due.EMAILS.name])
        self._look_at = dict.fromkeys(TESTED, 0.0)  # when tests of a lane are looked for again, by the steady clock

        def both() -> None:
            e_mails()
            instant_e_mails()
            tested()

        self._runners: dict[str, Runs] = {
            due.ORDERS.name: self._runner(
                ShortWay(deliverer, contacts, e_mails, [partial(self._begin, kind) for kind in OTHERS], usual, back)
            ),
            INSTANT: self._runner(
                ShortWay(messenger, contacts, instant_e_mails, turns=instant, withdrawals=back), INSTANT
            ),
            CONDITIONS: self._runner(self._conditions(config, contacts, both, fetching), sees=False),
            FETCHING: self._runner(self._fetches(config, contacts, both), sees=False),
            PORTIONS: self._runner(Portions(contacts, both), sees=False),
            due.EMAILS.name: self._runner(deliverer),
            INSTANT_EMAILS: self._runner(messenger),
            TESTED[due.ORDERS.name]: self._runner(Orders(contacts, tested, turns=TESTS), sees=False),
            TESTED[due.EMAILS.name]: self._runner(Simulation(self._store.clock, messages, calendars, back), sees=False),
            due.FAN_OUTS.name: self._runner(FanOuts(lambda: notifier.notify(due.WEBHOOKS.name))),
            due.WEBHOOKS.name: self._runner(_pusher(config, self._store, self._pushing)),
            due.JOBS.name: self._runner(Jobs(self._store)),
        }
        self._heartbeat.start()

    async def run(self, lane: str) -> None:
        """Work until nothing of the lane is due; what is instant or a test goes beside all else."""
        if self._watching is None:  # the first run of this loop
            self._watching = asyncio.create_task(watch(self._store, self._relays, self._wake_emails))
        if lane == SPOOLED:
            await self._store_spooled()
            return
        if lane == due.EMAILS.name:
            self._begin(INSTANT_EMAILS)
        if steady() >= self._look_at.get(lane, inf):
            self._look_at[lane] = steady() + TESTS_EVERY
            self._begin(TESTED[lane])
        await self._runners[lane].run()

    async def _store_spooled(self) -> None:
        """Store events of the spool. If the database still does not answer, the clock notifies again."""
        await asyncio.to_thread(self._notifier.seen, SPOOLED)
        with suppress(Unavailable):
            while entry := await asyncio.to_thread(self._spool.first):
                try:
                    await self._store.writing(persist, unpacked(entry))
                except Unavailable:
                    return
                except Exception:
                    log.exception("events in the spool could not be stored")
                    await asyncio.to_thread(self._spool.set_aside, entry)
                else:
                    await asyncio.to_thread(self._spool.remove, entry)
                    self._notifier.notify(due.WEBHOOKS.name)

    def stop(self) -> None:
        """Begin no new work; what is in flight may end."""
        for runner in self._runners.values():
            runner.stop()

    async def end(self) -> None:
        """Wait for what is in flight, and close connections to the relay and endpoints."""
        while self._begun:
            await asyncio.wait(self._begun)
        if self._watching:
            self._watching.cancel()
        for relays in self._relays:
            await relays.close()
        await self._asking.close()
        await self._fetching.close()
        await self._pushing.close()
        await self._renderer.close()

    def close(self) -> None:
        """Write the last counts, and close the database."""
        self._heartbeat.stop()
        self._store.close()

    def _runner(self, work: Work[R, O], wakes: str | None = None, *, sees: bool = True) -> Runner[R, O]:
        """A runner, which `wakes` wakes if it is not the lane's name; `sees`: another runner of the lane does not."""
        name = wakes or work.lane.name
        seen = partial(self._notifier.seen, name) if sees else _nothing
        signals = Signals(self._heartbeat.settled, self._heartbeat.doubt, seen, partial(self._notifier.notify, name))
        return Runner(self._store, work, self._lease, signals)

    def _conditions(
        self, config: Settings, contacts: ContactTable, generated: Callable[[], None], fetching: Callable[[], None]
    ) -> ConditionChecks:
        with settings.naming("credentials_file"):
            credentials = Credentials(config.credentials_file)
        return ConditionChecks(contacts, self._asking, generated, credentials, self._store.clock, fetching)

    def _fetches(self, config: Settings, contacts: ContactTable, generated: Callable[[], None]) -> Fetches:
        unseal = Seal(config.need("webhook_key").encode()).open
        return Fetches(contacts, self._fetching, unseal, config.max_attachment_bytes, self._store.clock.now, generated)

    def _begin(self, lane: str) -> None:
        """Run a lane of which this process knows that it has due work, without a wake-up through Redis."""
        task = asyncio.create_task(self._runners[lane].run())
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)


def _pusher(config: Settings, store: Store, outbound: Outbound) -> Pusher:
    courier = Courier(outbound, Signer(config.need("webhook_key").encode()), f"{config.base_url}/events/api/v1")
    with settings.naming("email_templates"):
        mail_sink = MailSink(Own(config.email_templates), config.from_address)
    with settings.naming("access_file"):
        access = Rules(config.access_file)
    return Pusher(store, courier, mail_sink, access)


def _worse(usual: Sequence[RelayState], instant: Sequence[RelayState]) -> Sequence[RelayState]:
    """Of each relay, the worse of two states: e-mails of instant orders have connections of their own."""
    return [other if one.state == "up" else one for one, other in zip(usual, instant, strict=False)]


def _nothing() -> None:
    """For a runner beside another one of the same lane, which says that it looks."""
