"""Pushing: subscriptions are claimed, their endpoints called side by side, outcomes recorded in small groups."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from engine.auth.access import Action, Question
from engine.db.records import Subscription
from engine.errors import Unavailable
from engine.models import DeliveryState
from engine.observability import logs, metrics, tracing
from engine.queue import due
from engine.queue.pauses import in_force
from engine.queue.work import Claim, Work
from engine.resources import APP
from engine.runtime.shares import Shares
from engine.webhooks.backlog import Backlog
from engine.webhooks.call import broken, postponed, refused
from engine.webhooks.deliveries import claim, fetch, size, still_ours
from engine.webhooks.mail_sink import SCHEME
from engine.webhooks.outcomes import Release, Result, record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.auth.access import Access
    from engine.db.records import Delivery
    from engine.db.store import Store
    from engine.queue.work import Hand
    from engine.webhooks.call import Courier
    from engine.webhooks.mail_sink import MailSink

log = logging.getLogger(__name__)

ACTIVE = 300  # active subscriptions of a process at most, of one consumer 200: see engine/runtime/shares.py
VALIDATIONS = 60  # subscriptions that are being validated, beside those, at most
CALLS = 600  # calls of a process at most, for one consumer 400
TEXTS = 48_000_000  # bytes of deliveries in memory, for one consumer 32,000,000; exceeded by one delivery at most
RETRY = timedelta(seconds=30)  # after a failure that is not the subscriber's
_PUSH_SECONDS = {word: metrics.PUSH_SECONDS.labels(word) for word in ("accepted", "deferred", "rejected")}
_GROUP_SIZE = metrics.GROUP_SIZE.labels("webhooks")
Outcome = Result | Release


class Pusher(Work[Subscription, Outcome]):
    """Pushes what is due. One per worker process: a subscription is the row, and its deliveries are what is called."""

    lane = due.WEBHOOKS
    at_once = ACTIVE + VALIDATIONS
    gather = timedelta(0)
    turn_every = timedelta(milliseconds=50)
    record_every = timedelta(milliseconds=10)
    isolates = False  # a subscription that workers have lost is called like others, until `claim` pauses it
    calls_others = False

    def __init__(self, store: Store, courier: Courier, mail_sink: MailSink, access: Access) -> None:
        self._store = store
        self._courier = courier
        self._mail_sink = mail_sink
        self._access = access
        self._active: dict[tuple[int, int], Backlog] = {}  # by number and claim
        self._calls: set[asyncio.Task[None]] = set()
        self._slots = Shares(CALLS)
        self._texts = Shares(TEXTS)
        self._places = {True: Shares(ACTIVE), False: Shares(VALIDATIONS)}  # of validated subscriptions, and of others

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Subscription]:
        """Claim what is due and has a place."""
        copies = {validated: places.copy() for validated, places in self._places.items()}
        return Claim(*claim(connection, copies, lease))

    def has_room(self, _hand: Hand[Subscription, Outcome]) -> bool:
        """The places decide."""
        return True

    def taken(self, rows: Sequence[Subscription]) -> None:
        """Use a place of each consumer."""
        for row in rows:
            self._active[row.seq, row.claim] = Backlog(row)
            self._places[row.validated].take(row.consumer)

    async def turn(self, hand: Hand[Subscription, Outcome]) -> None:
        """Look for deliveries, and begin calls."""
        if hand.stopping.is_set():
            for backlog in self._active.values():
                backlog.closed = True
        await self._look()
        for backlog in self._active.values():
            if backlog.begun:
                self._start(backlog, hand)
            backlog.end_if_done()

    async def perform(self, hand: Hand[Subscription, Outcome], row: Subscription) -> None:
        """Serve one subscription until it has ended."""
        backlog = self._active[row.seq, row.claim]
        backlog.begun = True
        self._start(backlog, hand)
        await backlog.ended.wait()
        hand.end(row, backlog.release())
        hand.changed.set()

    def record(self, connection: Connection, outcomes: Sequence[Outcome]) -> bool:
        """Write the outcomes of deliveries, and release subscriptions that have ended."""
        results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
        return record(connection, results, [outcome for outcome in outcomes if isinstance(outcome, Release)])

    def broken(self, _row: Subscription, outcome: Outcome, error: Exception) -> Outcome:
        """An outcome that cannot be written counts as a bug in Varsel."""
        if isinstance(outcome, Release):
            return outcome
        _log_error(outcome.delivery, error)
        return replace(broken(outcome.delivery, error), claim=outcome.claim)

    def recorded(self, outcomes: Sequence[Outcome]) -> None:
        """Make room for others."""
        results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
        if results:
            _GROUP_SIZE.observe(len(results))
        for result in results:
            if backlog := self._active.get((result.delivery.subscription_seq, result.claim)):
                self._texts.give_back(backlog.subscription.consumer, backlog.forget(result.delivery))

    def released(self, rows: Sequence[Subscription]) -> None:
        """Give places back."""
        for row in rows:
            if backlog := self._active.pop((row.seq, row.claim), None):
                self._places[row.validated].give_back(row.consumer)
                self._texts.give_back(row.consumer, backlog.size)
                backlog.closed = True

    async def _look(self) -> None:
        """Fetch due deliveries for backlogs that have few left, and close those that were paused or removed."""
        now = time.monotonic()
        wanting = [backlog for backlog in self._active.values() if backlog.wants(now, texts_fit=self._fits(backlog))]
        if not wanting:
            return
        rows, found = await self._store.reading(_look_up, wanting, self._texts.copy())
        for backlog in wanting:
            row = rows.get(backlog.subscription.seq)
            if row is None or row.claim != backlog.claim or row.seq not in found or backlog.closed:
                backlog.closed = True
                continue
            fresh, whole = found[row.seq]
            self._texts.take(row.consumer, backlog.add(row, fresh, now, whole=whole))

    def _fits(self, backlog: Backlog) -> bool:
        return self._texts.fits(backlog.subscription.consumer)

    def _start(self, backlog: Backlog, hand: Hand[Subscription, Outcome]) -> None:
        """Begin calls up to the window."""
        while backlog.waiting and backlog.calls < backlog.window.width and not backlog.closed:
            backlog.calls += 1
            task = asyncio.create_task(self._work(backlog, hand))
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)

    async def _work(self, backlog: Backlog, hand: Hand[Subscription, Outcome]) -> None:
        """Make one call after another, while deliveries wait and the window is wide enough."""
        row = backlog.subscription
        try:
            while backlog.waiting and backlog.calls <= backlog.window.width and not backlog.closed:
                async with self._slots.slot(row.consumer):
                    if not hand.ours(row):
                        backlog.closed = True  # another worker may push to it by now
                    if not backlog.waiting or backlog.closed:
                        return
                    delivery = backlog.waiting.popleft()
                    result = await self._guarded(backlog.subscription, delivery, partial(hand.ours, row))
                hand.note(row, replace(result, claim=row.claim))
                backlog.note(result)
                self._start(backlog, hand)
        finally:
            backlog.calls -= 1
            if not backlog.end_if_done() and not backlog.calls and not backlog.waiting:
                hand.changed.set()

    async def _guarded(self, subscription: Subscription, delivery: Delivery, ours: Callable[[], bool]) -> Result:
        """Attempt a delivery; a bug counts as an attempt and must not delay other deliveries."""
        about = {"subscription": subscription.seq, "delivery": delivery.seq, "event_id": delivery.id}
        with logs.bound(lane="webhooks", **about), tracing.first_span("push event", {}, "client", **about) as span:
            try:
                result = await self._attempt(subscription, delivery, ours)
            except Exception as error:  # noqa: BLE001 a bug may raise anything
                _log_error(delivery, error)
                span.failed("not attempted")
                return broken(delivery, error)
            span.set(outcome=result.outcome, status=result.status)
            if result.delay is None and result.outcome != "accepted":
                span.failed(result.outcome)
                log.info("settled as %s: %s, status %s", result.state, result.outcome, result.status)
            return result

    async def _attempt(self, subscription: Subscription, delivery: Delivery, ours: Callable[[], bool]) -> Result:
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
        result = await self._courier.push(subscription, delivery, self._store.clock.now(), ours)
        _PUSH_SECONDS[result.outcome].observe(result.duration.total_seconds())
        return result


def _look_up(
    connection: Connection, wanting: Sequence[Backlog], texts: Shares
) -> tuple[dict[int, Subscription], dict[int, tuple[Sequence[Delivery], bool]]]:
    """The subscriptions as they are now, and the deliveries that fit; `texts` is a copy of the shares in memory."""
    if due.WEBHOOKS.name in in_force(connection).lanes:
        return {}, {}
    rows = still_ours(connection, [backlog.subscription for backlog in wanting])
    found = {}
    for backlog in wanting:
        row = rows.get(backlog.subscription.seq)
        if row is not None and row.claim == backlog.claim and not _is_stopped(row, backlog):
            room = min(backlog.room, texts.room(row.consumer))
            found[row.seq] = fetched = fetch(connection, row, backlog.known.copy(), room)
            texts.take(row.consumer, sum(map(size, fetched[0])))
    return rows, found


def _is_stopped(row: Subscription, backlog: Backlog) -> bool:
    """Whether it was paused; a test is still pushed, once what waits was handed back."""
    return row.paused_reason is not None and (row.test_seq is None or bool(backlog.waiting))


def _log_error(delivery: Delivery, error: Exception) -> None:
    """Log a bug; only the first time with its cause, because further attempts tend to fail alike."""
    cause = error if delivery.attempts == 0 else None
    log.error("delivery %s could not be attempted: %s", delivery.seq, type(error).__name__, exc_info=cause)
