"""Delivering e-mails: claim a batch, send it over the relay's connections at once, record outcomes in small groups."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from engine.db.bounded import read_within, weight
from engine.db.store import RECORD_AGAIN
from engine.db.tables import orders
from engine.email.mime import Compiled, compile_message, message_id
from engine.email.outcomes import RELAY_PAUSE, Result, broken, pause, record, result_of, unsent
from engine.email.restraint import HELD_FOR, Restraint
from engine.email.smtp import UNSENT, Phase, Relay, Turn, Withdrawn
from engine.models import Content, DeliveryGuarantee, EmailState
from engine.observability import logs, metrics, tracing
from engine.queue import due
from engine.queue.leases import Leases
from engine.queue.pauses import in_force
from engine.text import keywords
from engine.text.addresses import wire_address

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.db.store import Store
    from engine.models import Trouble

log = logging.getLogger(__name__)

BATCH = 200  # e-mails per claim: large enough to pay for claim and record, small enough to hand back
RECORD_EVERY = timedelta(milliseconds=100)  # what a crash can repeat is what was recorded no later than this
CONTENTS = 8_000_000  # bytes of the texts of a batch's orders, where one order's are not larger
COMPILED = 32_000_000  # bytes of compiled messages, and what they are of, that a process keeps
COMPILED_AT_ONCE = 5_000  # characters of a body; a longer one is compiled beside the event loop, one at a time
_OF_ORDERS = [
    orders.c[name]
    for name in ("seq", "id", "creator", "sender", "subject", "body", "content_type", "guarantee", "trace")
]
_GROUP_SIZE = metrics.GROUP_SIZE.labels("emails")


@dataclass(slots=True)
class _Batch:
    """What was claimed together; `contents`: of its orders."""

    waiting: deque[Row[Any]]  # for a connection
    contents: dict[int, Any]
    leases: Leases
    done: list[Result] = field(default_factory=list)  # sent, and not recorded yet
    crowded: bool = False  # the relay has no connection left for this process: others of its clients have them
    pause: timedelta = RELAY_PAUSE  # how long the relay is left alone when it has no connection at all
    lost: deque[Row[Any]] = field(default_factory=deque)  # ours no longer when their turn came
    refused: deque[Row[Any]] = field(default_factory=deque)  # not tried, since the relay refuses others like them


class Deliverer:
    """Sends due e-mails through one relay. One per worker process; its batches may run side by side."""

    def __init__(self, store: Store, relay: Relay, connections: int, lease: timedelta) -> None:
        self._store = store
        self._relay = relay
        self._senders = connections
        self._lease = lease
        self._compiled: OrderedDict[Content, Compiled] = OrderedDict()
        self._compiled_size = 0
        self._compiling = asyncio.Lock()
        self._restraint = Restraint()
        self._paused_until = 0.0  # on the monotonic clock
        self.stopping = asyncio.Event()  # set: start no more sends, hand back what has not begun

    @property
    def trouble(self) -> Trouble | None:
        """Why e-mails wait: the relay cannot be had, or refuses this installation; for operators."""
        return self._relay.trouble or self._restraint.trouble

    async def batch(self) -> int:
        """Claim and deliver one batch; returns how many e-mails it held (BATCH: there may be more)."""
        if time.monotonic() < self._paused_until or self.stopping.is_set():
            return 0
        found, claimed, contents = await self._store.writing(_claim, self._lease)
        work, rest = due.isolate(claimed)
        if rest:
            await self._store.writing(due.hand_back, due.EMAILS, rest)
        if work:
            await self._deliver(work, contents)
        return found

    async def _deliver(self, work: Sequence[Row[Any]], contents: dict[int, Any]) -> None:
        batch = _Batch(deque(), contents, Leases(self._store, due.EMAILS, self._lease))
        batch.leases.take(work)
        for email in work:  # what is not to be sent waits for no connection
            order = contents[email.order_seq]
            if settled := self._settled(email, order):
                with logs.bound(lane="emails", order_id=order.id, email_id=email.id):
                    log.info("settled as %s: %s", settled.state, settled.outcome)
                batch.done.append(settled)
            else:
                batch.waiting.append(email)
        hand_back_at = time.monotonic() + self._lease.total_seconds() / 2
        senders = {asyncio.create_task(self._send_all(batch)) for _ in range(min(len(batch.waiting), self._senders))}
        async with batch.leases.kept():
            await self._record(batch)
            while senders:
                _, senders = await asyncio.wait(senders, timeout=RECORD_EVERY.total_seconds())
                if batch.waiting and not senders:
                    self._paused_until = time.monotonic() + batch.pause.total_seconds()
                    await self._hand_back(batch, batch.waiting, timedelta(0) if batch.crowded else batch.pause)
                if self.stopping.is_set() or time.monotonic() > hand_back_at:
                    await self._hand_back(batch, batch.waiting)
                if batch.lost:
                    log.warning("e-mails were not sent, since their leases had ended: other workers may have them")
                    await self._hand_back(batch, batch.lost)
                if batch.refused:
                    left = min(email.expires_at for email in batch.refused) - self._store.clock.now()
                    await self._hand_back(batch, batch.refused, max(min(left, HELD_FOR), RELAY_PAUSE))
                await self._record(batch)

    async def _send_all(self, batch: _Batch) -> None:
        """Send one e-mail after another while some wait; ends early when no connection is to be had."""
        while batch.waiting:
            async with self._relay.turn() as turn:  # what waits for a connection has not begun: it can be handed back
                batch.crowded = turn.refusal is not None and turn.refusal.crowded
                batch.pause = pause(turn.refusal) if turn.refusal else RELAY_PAUSE
                if not batch.waiting or turn.told or batch.crowded:
                    return  # of one that nobody can have, one e-mail tells
                email = batch.waiting.popleft()
                order = batch.contents[email.order_seq]
                if not self._restraint.may_try(order.creator):
                    batch.refused.append(email)
                    continue
                result = await self._guarded(email, order, partial(batch.leases.hold, email), turn)
            if isinstance(result, Withdrawn):
                batch.lost.append(email)
            else:
                self._restraint.heard(order.creator, result)
                batch.done.append(result)
                if result.outcome == "deferred" and not result.reached:
                    return

    async def _hand_back(self, batch: _Batch, rows: deque[Row[Any]], delay: timedelta = timedelta(0)) -> None:
        """Give up what was not sent; what is not ours any more stays with whoever has it."""
        if given := tuple(rows):
            rows.clear()
            batch.leases.let_go(given)
            await self._store.recording(due.hand_back, due.EMAILS, given, delay)

    async def _record(self, batch: _Batch) -> None:
        """Write what became of e-mails; until that is done, they stay leased."""
        if results := tuple(batch.done):
            batch.done.clear()
            await self._write(results)
            batch.leases.let_go(result.email for result in results)
            _GROUP_SIZE.observe(len(results))

    async def _write(self, results: Sequence[Result]) -> None:
        """Write a group; where one outcome cannot be written, the others are, and of that one at least the state."""
        try:
            await self._store.recording(record, results)
        except Exception:
            if len(results) == 1:
                log.exception("the outcome of e-mail %s could not be recorded", results[0].email.id)
                await self._write_state(results)
                return
            for result in results:
                await self._write([result])

    async def _write_state(self, results: Sequence[Result]) -> None:
        """Write the state alone, until that is done: an e-mail that the relay has must not be sent once more."""
        while True:
            try:
                return await self._store.recording(record, results, told=False)
            except Exception:
                log.exception("nor could its state")
                await asyncio.sleep(RECORD_AGAIN)

    async def _guarded(self, email: Row[Any], order: Any, ours: Callable[[], bool], turn: Turn) -> Result | Withdrawn:
        """Attempt; a bug with one message is an attempt of its own, and must not hold up the others."""
        with (
            logs.bound(lane="emails", order_id=order.id, email_id=email.id),
            tracing.span("send e-mail", order.trace, "client", order_id=order.id, email_id=email.id) as span,
        ):
            try:
                result = await self._attempt(email, order, ours, turn)
            except Exception as error:
                cause = error if email.attempts == 0 else None  # once: further attempts are likely to fail likewise
                log.exception("e-mail %s could not be attempted: %s", email.id, type(error).__name__, exc_info=cause)
                span.failed("not attempted")
                return broken(email, order, error)
            if isinstance(result, Withdrawn):
                span.failed("withdrawn")
                log.info("not sent: the lease ended before; another worker may have it")
                return result
            span.set(outcome=result.outcome, phase=result.phase, code=result.reply.code, relay=result.relay)
            if result.delay is None and result.outcome != "accepted":
                span.failed(result.outcome)
                log.info("settled as %s: %s, reply code %s", result.state, result.outcome, result.reply.code)
            return result

    async def _attempt(self, email: Row[Any], order: Any, ours: Callable[[], bool], turn: Turn) -> Result | Withdrawn:
        """Send one e-mail, unless it is too late, or earlier claims say that it must not be sent again."""
        if not ours():
            return Withdrawn(UNSENT, Phase.CONNECT, timedelta(0))
        if settled := self._settled(email, order):
            return settled
        try:
            message = await self._made(email, order)
        except (OSError, MemoryError, RuntimeError):  # the machine's fault: another time, it can be made
            raise
        except Exception as error:
            log.exception("no message can be made of e-mail %s", email.id)
            return unsent(email, EmailState.FAILED, "abandoned", f"no message can be made: {type(error).__name__}")
        outcome = await self._relay.send(order.sender, email.address, message, ours, turn)
        if isinstance(outcome, Withdrawn):
            return outcome
        return result_of(email, order, outcome, self._relay.name, self._store.clock.now())

    def _settled(self, email: Row[Any], order: Any) -> Result | None:
        """What became of an e-mail that is not to be sent at all; None: it is."""
        if email.unresolved > due.LOST_IS_DEAD:
            text = f"set aside: {email.unresolved - 1} workers ended while they held it"
            return unsent(email, EmailState.FAILED, "abandoned", text)
        if email.unresolved > 1 and order.guarantee == DeliveryGuarantee.AT_MOST_ONCE:
            text = (
                "in doubt: a worker ended while it held the e-mail; not sent again, as the order asks for at most once"
            )
            return unsent(email, EmailState.FAILED, "in_doubt", text)
        if self._store.clock.now() >= email.expires_at:
            return unsent(email, EmailState.FAILED_TTL, "expired", "not delivered within 48 hours")
        try:
            wire_address(email.address)
        except ValueError as error:
            return unsent(email, EmailState.FAILED_INVALID_EMAIL_FORMAT, "abandoned", f"not sent: {error}")
        return None

    async def _made(self, email: Row[Any], order: Any) -> bytes:
        """The message to one recipient; what fails here fails at every attempt."""
        compiled = await self._compile(email, order)
        name = message_id(email.id, order.sender)
        return compiled.fill(to=email.address, message_id=name, date=self._store.clock.now())

    async def _compile(self, email: Row[Any], order: Any) -> Compiled:
        content = keywords.content(order, email)
        if kept := self._kept(content):
            return kept
        if len(content.body) <= COMPILED_AT_ONCE:
            return self._keep(content, compile_message(content))
        async with self._compiling:
            return self._kept(content) or self._keep(content, await asyncio.to_thread(compile_message, content))

    def _kept(self, content: Content) -> Compiled | None:
        if content in self._compiled:
            self._compiled.move_to_end(content)
        return self._compiled.get(content)

    def _keep(self, content: Content, compiled: Compiled) -> Compiled:
        """Keep a message for the content's other recipients, and forget what was not asked for the longest."""
        self._compiled[content] = compiled
        self._compiled_size += _size(content, compiled)
        while self._compiled_size > COMPILED:
            self._compiled_size -= _size(*self._compiled.popitem(last=False))
        return compiled


def _size(content: Content, compiled: Compiled) -> int:
    return weight(content.body) + len(compiled.rest)


def _claim(connection: Connection, lease: timedelta) -> tuple[int, Sequence[Row[Any]], dict[int, Any]]:
    """How many e-mails were due; those that may be sent; and what the orders that they belong to say.

    Those whose orders' texts are too many bytes beside the others' are given back: then BATCH were due.
    """
    claimed = due.claim(connection, due.EMAILS, BATCH, lease)
    if not claimed:
        return 0, (), {}
    found = len(claimed)
    chosen = select(*_OF_ORDERS).where(orders.c.seq.in_({email.order_seq for email in claimed})).order_by(orders.c.seq)
    rows, whole = read_within(connection, chosen, CONTENTS, lambda order: weight(order.subject, order.body))
    contents = {order.seq: order for order in rows}
    if not whole:
        found = BATCH
        due.hand_back(connection, due.EMAILS, [email for email in claimed if email.order_seq not in contents])
        claimed = [email for email in claimed if email.order_seq in contents]
    paused = in_force(connection, lock=True)
    free: list[Row[Any]] = []
    held: list[Row[Any]] = []
    for email in claimed:
        stopped = paused.hold(contents[email.order_seq].creator, email.address)
        (held if stopped else free).append(email)
    if held:
        due.hold(connection, due.EMAILS, held)
    return found, free, contents
