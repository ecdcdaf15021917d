"""The loop that pushes: claim subscriptions, call them side by side, record outcomes in small groups, let go."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from engine.auth.access import Action, Question
from engine.errors import Unavailable
from engine.models import DeliveryState
from engine.observability import logs, metrics, tracing
from engine.queue import due
from engine.queue.leases import Leases
from engine.queue.pauses import in_force
from engine.runtime.shares import Shares
from engine.webhooks.call import broken, postponed, refused
from engine.webhooks.mail_sink import SCHEME
from engine.webhooks.queue import FETCH, Release, Result, claim, fetch, held_still, set_aside, settle, size
from engine.webhooks.schedule import open_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from engine.auth.access import Access
    from engine.db.store import Store
    from engine.observability.heartbeat import Heartbeat
    from engine.webhooks.call import Courier
    from engine.webhooks.mail_sink import MailSink

log = logging.getLogger(__name__)

HELD = 300  # subscriptions that a process holds at most; of one consumer 200: see engine/runtime/shares.py
VALIDATIONS = 60  # subscriptions beside those that it holds to validate them, at most
AT_ONCE = 10  # calls to one subscriber at most; it begins with one and earns the others
CALLS = 600  # calls of the process at most; to one consumer's subscribers 400
TEXTS = 48_000_000  # bytes of deliveries in memory, and one more than fits; of one consumer's 32,000,000
AHEAD = 1_000_000  # of these for each call that a subscription may make at once, and one delivery more than fits
TURN = 0.05  # seconds that outcomes wait for others at most
GATHER = 0.01  # seconds that they wait for others at least
LOOK_EVERY = 0.25  # seconds between two looks for what came in meanwhile for a subscriber that is slow to answer
RETRY = timedelta(seconds=30)  # when no attempt could be made, through no fault of the subscriber's
APP = "urn:altinn:resource:app_"
_PUSH_SECONDS = {word: metrics.PUSH_SECONDS.labels(word) for word in ("accepted", "deferred", "rejected")}
_GROUP_SIZE = metrics.GROUP_SIZE.labels("webhooks")


@dataclass(slots=True)
class _Held:
    """A subscription in this process's hands."""

    row: Row[Any]
    failures: int
    window: int  # calls at once
    places: Shares  # where it has its own
    waiting: deque[Row[Any]] = field(default_factory=deque)
    known: set[int] = field(default_factory=set)  # deliveries that wait, fly, or are not recorded yet
    size: int = 0  # of these, in bytes
    calls: int = 0
    more: bool = True  # there may be more than is known
    look_at: float = 0.0  # on the monotonic clock
    closed: bool = False  # no further calls: let go when the last one has ended
    hold: timedelta | None = None  # for so long
    error: str | None = None

    @property
    def done(self) -> bool:
        return not self.calls and (self.closed or not (self.waiting or self.more))

    @property
    def room(self) -> int:
        return AHEAD * self.window - self.size


class Pusher:
    """Pushes what is due. One per worker process; `run` goes on until nothing is in its hands."""

    def __init__(  # noqa: PLR0913, PLR0917 what a worker process works with
        self,
        store: Store,
        courier: Courier,
        mail_sink: MailSink,
        access: Access,
        lease: timedelta,
        heartbeat: Heartbeat | None = None,
    ) -> None:
        self._store = store
        self._courier = courier
        self._mail_sink = mail_sink
        self._access = access
        self._lease = lease
        self._heartbeat = heartbeat
        self._leases = Leases(store, due.WEBHOOKS, lease)
        self._held: dict[int, _Held] = {}
        self._results: list[Result] = []
        self._calls: set[asyncio.Task[None]] = set()
        self._slots = Shares(CALLS)
        self._texts = Shares(TEXTS)
        self._places = {True: Shares(HELD), False: Shares(VALIDATIONS)}  # of validated subscriptions, and of others
        self._left = False  # more is due than may be held
        self._turn_wanted = asyncio.Event()
        self._claim_wanted = False
        self._running = False
        self.stopping = asyncio.Event()  # set: start no more calls, let go of everything

    async def run(self) -> None:
        """Look for due subscriptions, and work until none is left; a further call while it runs notifies that run."""
        self._claim_wanted = True
        self._turn_wanted.set()
        if self._running or self.stopping.is_set():
            return
        self._running = True
        try:
            async with self._leases.kept():
                while self._claim_wanted or self._held:
                    try:
                        await self._turn()
                    except Unavailable as error:
                        if self._heartbeat:
                            self._heartbeat.doubt()
                        log.warning("pushing waits: %s", error.told())
                        await asyncio.sleep(1)
        finally:
            self._running = False

    async def _turn(self) -> None:
        self._turn_wanted.clear()
        if self.stopping.is_set():
            self._claim_wanted = False
            for held in self._held.values():
                held.closed = True
        elif self._claim_wanted:
            self._claim_wanted = False
            if self._heartbeat is None or self._heartbeat.settled():  # else the clock notifies again
                await self._claim()
        await self._look()
        for held in self._held.values():
            self._start(held)
        if self._calls and not any(held.done for held in self._held.values()):
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN):
                    await self._turn_wanted.wait()
            await asyncio.sleep(GATHER)
        await self._settle()

    async def _claim(self) -> None:
        copies = {validated: places.copy() for validated, places in self._places.items()}
        claimed, self._left = await self._store.writing(claim, copies, self._lease)
        if lost := [row for row in claimed if row.unresolved > due.LOST_IS_DEAD]:
            await self._store.writing(set_aside, lost)
        self._leases.take(claimed)
        for row in claimed:
            self._held[row.seq] = held = _Held(row, row.failures, 1, self._places[row.validated])
            held.places.take(row.consumer)

    async def _look(self) -> None:
        """Take along what is due for those that have little left in memory, and see what is paused or removed."""
        now = time.monotonic()
        looked_up = [
            held
            for held in self._held.values()
            if not held.closed and ((held.more and self._below_low_water(held)) or now >= held.look_at)
        ]
        if not looked_up:
            return
        rows, found = await self._store.reading(_look_up, looked_up, self._texts.copy())
        for held in looked_up:
            row = rows.get(held.row.seq)
            if row is None or row.paused_reason is not None:
                held.closed = True
                continue
            held.row = row  # its secret may be a new one
            fresh, whole = found[row.seq]
            held.more = not whole
            held.look_at = now + LOOK_EVERY
            held.known.update(delivery.seq for delivery in fresh)
            held.waiting.extend(fresh)
            taken = sum(map(size, fresh))
            held.size += taken
            self._texts.take(row.consumer, taken)

    def _below_low_water(self, held: _Held) -> bool:
        """Whether it has little left, and room for more."""
        return len(held.known) < FETCH // 2 and held.room > 0 and self._texts.fits(held.row.consumer)

    def _start(self, held: _Held) -> None:
        """Begin calls up to the window."""
        while held.waiting and held.calls < held.window and not held.closed:
            held.calls += 1
            task = asyncio.create_task(self._work(held))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _work(self, held: _Held) -> None:
        """One call after another, as long as there are some and the window is so wide."""
        try:
            while held.waiting and held.calls <= held.window and not held.closed:
                async with self._slots.slot(held.row.consumer):
                    if not self._leases.hold(held.row):
                        held.closed = True  # others may push to it by now
                    if not held.waiting or held.closed:
                        return
                    delivery = held.waiting.popleft()
                    result = await self._guarded(held.row, delivery)
                self._note(held, result)
        finally:
            held.calls -= 1
            if not held.calls and not held.waiting:
                self._turn_wanted.set()

    def _note(self, held: _Held, result: Result) -> None:
        self._results.append(result)
        held.more |= held.row.ordered  # what waited for this one
        if result.outcome == "accepted":
            held.failures, held.error = 0, None
            held.window = min(held.window + 1, AT_ONCE)
            self._start(held)
        elif result.reached and not result.ours:
            held.error = _told(result)
            held.window = 1
            if not held.closed:  # what fails side by side opens a circuit, but opens it no longer
                held.failures += 1
            pause = open_for(held.failures)
            if pause or result.hold or result.gone:
                held.closed = True
                held.hold = max(filter(None, (pause, result.hold, held.hold)), default=None)

    async def _guarded(self, subscription: Row[Any], delivery: Row[Any]) -> Result:
        """Attempt; a bug with one event is an attempt of its own, and must not hold up the others."""
        about = {"subscription": subscription.seq, "delivery": delivery.seq, "event_id": delivery.id}
        with logs.bound(lane="webhooks", **about), tracing.first_span("push event", {}, "client", **about) as span:
            try:
                result = await self._attempt(subscription, delivery)
            except Exception as error:  # noqa: BLE001 a bug may raise whatever it likes
                _log_error(delivery, error)
                span.failed("not attempted")
                return broken(delivery, error)
            span.set(outcome=result.outcome, status=result.status)
            if result.delay is None and result.outcome != "accepted":
                span.failed(result.outcome)
                log.info("settled as %s: %s, status %s", result.state, result.outcome, result.status)
            return result

    async def _attempt(self, subscription: Row[Any], delivery: Row[Any]) -> Result:
        started = time.monotonic()
        if delivery.event_seq is not None:
            action = Action.READ if delivery.resource.startswith(APP) else Action.SUBSCRIBE
            who, party = subscription.consumer, subscription.party
            question = Question(who, action, delivery.resource, delivery.subject, party)
            try:
                (permitted,) = await self._access.decide([question])
            except Unavailable as error:
                return postponed(delivery, str(error), RETRY)
            if not permitted:
                text = f"{subscription.consumer} may not {action} this resource and subject"
                return refused(delivery, DeliveryState.UNAUTHORIZED, "unauthorized", text)
        if subscription.endpoint.startswith(SCHEME):
            return self._mail_sink.order(subscription, delivery, timedelta(seconds=time.monotonic() - started))
        ours = partial(self._leases.hold, subscription)
        result = await self._courier.push(subscription, delivery, self._store.clock.now(), ours)
        _PUSH_SECONDS[result.outcome].observe(result.duration.total_seconds())
        return result

    async def _settle(self) -> None:
        results, self._results = self._results, []
        released = [held for held in self._held.values() if held.done]
        if not results and not released:
            return
        touched = {result.delivery.subscription_seq for result in results} | {held.row.seq for held in released}
        claims = {seq: self._held[seq].row.claim for seq in touched}
        releases = [Release(held.row, held.failures, held.hold, held.error) for held in released]
        if await self._record(results, releases, claims):
            self._claim_wanted = True
        if results:
            _GROUP_SIZE.observe(len(results))
        for result in results:
            held = self._held[result.delivery.subscription_seq]
            held.known.discard(result.delivery.seq)
            held.size -= size(result.delivery)
            self._texts.give_back(held.row.consumer, size(result.delivery))
        self._leases.let_go(held.row for held in released)
        for held in released:
            del self._held[held.row.seq]
            held.places.give_back(held.row.consumer)
            self._texts.give_back(held.row.consumer, held.size)
        self._claim_wanted |= self._left and bool(released)

    async def _record(self, results: Sequence[Result], releases: Sequence[Release], claims: dict[int, int]) -> bool:
        """Write a group; where one outcome cannot be written, the others are, and that one is an error of ours."""
        try:
            return await self._store.recording(settle, results, releases, claims)
        except Exception as error:
            if not results:
                raise
            if len(results) == 1:
                _log_error(results[0].delivery, error)
                return await self._store.recording(settle, [broken(results[0].delivery, error)], releases, claims)
        for result in results:
            await self._record([result], (), claims)
        return await self._store.recording(settle, (), releases, claims)


def _look_up(
    connection: Connection, looked_up: Sequence[_Held], texts: Shares
) -> tuple[dict[int, Row[Any]], dict[int, tuple[Sequence[Row[Any]], bool]]]:
    """The subscriptions as they are now, and what they may take along: a copy of `texts` says how much that is."""
    if due.WEBHOOKS.name in in_force(connection).lanes:
        return {}, {}
    rows = held_still(connection, [held.row for held in looked_up])
    found = {}
    for held in looked_up:
        row = rows.get(held.row.seq)
        if row is not None and row.paused_reason is None:
            room = min(held.room, texts.room(row.consumer))
            found[row.seq] = fetched = fetch(connection, row, held.known.copy(), room)
            texts.take(row.consumer, sum(map(size, fetched[0])))
    return rows, found


def _log_error(delivery: Row[Any], error: Exception) -> None:
    """With its cause the first time; further attempts are likely to fail in the same way."""
    cause = error if delivery.attempts == 0 else None
    log.error("delivery %s could not be attempted: %s", delivery.seq, type(error).__name__, exc_info=cause)


def _told(result: Result) -> str:
    """An unsuccessful attempt in a line."""
    what = "the validation event" if result.delivery.event_seq is None else "an event"
    answer = f"status {result.status}" if result.status is not None else result.reply
    return f"{what} was not accepted: {answer}"
