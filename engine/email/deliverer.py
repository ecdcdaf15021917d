"""Delivering e-mails: many at once over the relay's connections; outcomes are recorded in small groups."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from engine.db.bounded import read_within, weight
from engine.db.records import Email, Letter, columns, read
from engine.db.tables import emails, orders
from engine.email.gate import Gate
from engine.email.limits import Limits
from engine.email.messages import Messages
from engine.email.outcomes import RELAY_RETRY, Result, broken, record, result_of, retry_after, unsent
from engine.email.pace import Pace
from engine.email.smtp import UNSENT, Phase, Relay, Turn, Withdrawn
from engine.models import EXPIRY_HOURS, DeliveryGuarantee, EmailState
from engine.observability import logs, metrics, tracing
from engine.queue import due
from engine.queue.fairness import ALL, FairClaims
from engine.queue.pauses import in_force
from engine.queue.work import Claim, Standstill, Work
from engine.runtime.clock import steady
from engine.text.addresses import wire_address

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.models import Trouble
    from engine.queue.fairness import Turns
    from engine.queue.pauses import Pauses
    from engine.queue.work import Hand
    from engine.runtime.clock import Clock

log = logging.getLogger(__name__)

BATCH = 200  # e-mails per claim: large enough to pay for claim and record, small enough to hand back
CONTENTS = 8_000_000  # bytes of the texts of a batch's orders, unless one order's are larger
_CREATOR = select(orders.c.creator).where(orders.c.seq == emails.c.order_seq).scalar_subquery()
_ITS_ORDERS = orders.c.seq.in_(bindparam("seqs", expanding=True))
_LETTERS = select(*columns(Letter, orders.c)).where(_ITS_ORDERS).order_by(orders.c.seq)
_GROUP_SIZE = metrics.GROUP_SIZE.labels("emails")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An e-mail in hand, with its order's texts."""

    seq: int
    claim: int
    unresolved: int
    due_at: datetime
    email: Email
    letter: Letter


class Deliverer(Work[Outgoing, Result]):
    """Sends due e-mails through one relay. One per worker process."""

    lane = due.EMAILS

    def __init__(
        self,
        clock: Clock,
        relay: Relay,
        connections: int,
        turns: Turns = ALL,
        pace: Pace | None = None,
    ) -> None:
        self.gather = turns.every
        self._claims = FairClaims(due.EMAILS, turns, copied={"creator": _CREATOR})
        self._clock = clock
        self._relay = relay
        self.at_once = connections
        self._messages = Messages()
        self._gate = Gate(clock, pace or Pace(Limits(), steady()))
        self._serving = 0  # calls of `serve` that run
        self._crowded = False  # the relay has no connection left for this process: its other clients use them
        self._relay_retry = RELAY_RETRY  # how long the relay is left alone when it gives no connection

    @property
    def trouble(self) -> Trouble | None:
        """Why e-mails wait, for operators: the relay cannot be reached, or refuses this installation."""
        return self._relay.trouble or self._gate.trouble

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Outgoing]:
        """Take a batch of e-mails that no pause stops, with their orders' texts.

        E-mails whose orders' texts exceed CONTENTS together with the others' are handed back.
        """
        paused = in_force(connection, lock=True)
        batch = self._claims.claim(connection, paused, BATCH, lease)
        claimed = batch.rows
        if not claimed:
            return Claim(more=batch.more)
        letters, whole = _letters(connection, {email.order_seq for email in claimed})
        if not whole:
            due.hand_back(connection, due.EMAILS, [email for email in claimed if email.order_seq not in letters])
        readable = [email for email in claimed if email.order_seq in letters]
        return Claim(_admit(connection, readable, letters, paused), not whole or batch.more)

    def has_room(self, leased: int) -> bool:
        """A second batch is claimed while the first is sent."""
        return leased <= BATCH

    def decided(self, row: Outgoing) -> Result | None:
        """An e-mail that is not to be sent waits for no connection."""
        settled = self._settled(row.email, row.letter)
        if settled:
            with logs.bound(lane="emails", order_id=row.letter.id, email_id=row.email.id):
                log.info("settled as %s: %s", settled.state, settled.outcome)
        return settled

    async def serve(self, hand: Hand[Outgoing, Result]) -> None:
        """Send one e-mail after another while some wait; ends early when there is no connection."""
        self._serving += 1
        try:
            await self._serve(hand)
        finally:
            self._serving -= 1
            if not self._serving:
                self._gate.close(hand)

    async def _serve(self, hand: Hand[Outgoing, Result]) -> None:
        following: Outgoing | None = None  # of a line
        while following or hand.waiting:
            async with self._relay.turn() as turn:  # an e-mail that waits for a connection can be handed back
                self._crowded = turn.refusal is not None and turn.refusal.crowded
                self._relay_retry = retry_after(turn.refusal) if turn.refusal else RELAY_RETRY
                if turn.told or self._crowded or (row := hand.next(following)) is None:
                    break  # one e-mail records that there is no connection; the others are handed back
                following = None
                if not self._gate.admits(hand, row, self._relay.name, open_=turn.refusal is None):
                    continue
                result = await self.attempt(row, partial(hand.ours, row), turn)
                following = self._gate.ended(row)
            if isinstance(result, Withdrawn):
                hand.withdraw(row)
            else:
                hand.end(row, result)
                if result.outcome == "deferred" and not result.reached:
                    break
        if following:
            hand.waiting.appendleft(following)

    def connection(self) -> AbstractAsyncContextManager[Turn]:
        """One of the relay's connections, for `attempt`, as soon as it is the sender's turn."""
        return self._relay.turn()

    def is_free(self, row: Outgoing) -> bool:
        """Whether an e-mail may be tried now, and nothing limits or slows those like it."""
        return self._gate.is_free(row, self._relay.name)

    async def attempt(self, row: Outgoing, ours: Callable[[], bool], turn: Turn) -> Result | Withdrawn:
        """Make an attempt, and learn from it; `ours`: whether the row may still be sent."""
        result = await self._guarded(row, ours, turn)
        if not isinstance(result, Withdrawn):
            self._gate.heard(row, result)
        return result

    def standstill(self) -> Standstill:
        """The relay has no connection: its other clients use them, or it cannot be reached."""
        return Standstill(timedelta(0) if self._crowded else self._relay_retry, self._relay_retry)

    def record(self, connection: Connection, results: Sequence[Result]) -> bool:
        """Write what became of e-mails."""
        record(connection, results)
        return False

    def insists(self, _result: Result) -> bool:
        """An e-mail that the relay has must not be sent once more."""
        return True

    def broken(self, row: Outgoing, result: Result, error: Exception) -> Result:
        """Write the state alone if the outcome cannot be written: what the relay has must not be sent once more."""
        log.error("the outcome of e-mail %s cannot be recorded, only its state", row.email.id, exc_info=error)
        return replace(result, told=False)

    def recorded(self, results: Sequence[Result]) -> None:
        """Count the size of the group."""
        _GROUP_SIZE.observe(len(results))

    async def _guarded(self, row: Outgoing, ours: Callable[[], bool], turn: Turn) -> Result | Withdrawn:
        """Make an attempt; a bug with one message counts as its attempt, and does not stop the others."""
        email, order = row.email, row.letter
        with (
            logs.bound(lane="emails", order_id=order.id, email_id=email.id),
            tracing.span("send e-mail", order.trace, "client", order_id=order.id, email_id=email.id) as span,
        ):
            try:
                result = await self._attempt(email, order, ours, turn)
            except Exception as error:
                cause = error if email.attempts == 0 else None  # once: later attempts are likely to fail alike
                log.exception("e-mail %s could not be attempted: %s", email.id, type(error).__name__, exc_info=cause)
                span.failed("not attempted")
                return broken(email, order, error)
            if isinstance(result, Withdrawn):
                span.failed("withdrawn")
                log.info("not sent: the lease ended first; another worker may have it")
                return result
            span.set(outcome=result.outcome, phase=result.phase, code=result.reply.code, relay=result.relay)
            if result.delay is None and result.outcome != "accepted":
                span.failed(result.outcome)
                log.info("settled as %s: %s, reply code %s", result.state, result.outcome, result.reply.code)
            return result

    async def _attempt(self, email: Email, order: Letter, ours: Callable[[], bool], turn: Turn) -> Result | Withdrawn:
        """Send one e-mail, unless it is too late, or earlier claims say that it must not be sent again."""
        if not ours():
            return Withdrawn(UNSENT, Phase.CONNECT, timedelta(0))
        if settled := self._settled(email, order):
            return settled
        try:
            message = await self._messages.made(email, order, self._clock.now())
        except (OSError, MemoryError, RuntimeError):  # the machine's fault: a later attempt can succeed
            raise
        except Exception as error:
            log.exception("no message can be made of e-mail %s", email.id)
            return unsent(email, EmailState.FAILED, "abandoned", f"no message can be made: {type(error).__name__}")
        outcome = await self._relay.send(order.sender, email.address, message, ours, turn)
        if isinstance(outcome, Withdrawn):
            return outcome
        return result_of(email, order, outcome, self._relay.name, self._clock.now())

    def _settled(self, email: Email, order: Letter) -> Result | None:
        """What became of an e-mail that is not to be sent; None: it is to be sent."""
        if due.is_lost(email):
            text = f"set aside: {email.unresolved - 1} workers ended while they worked on it"
            return unsent(email, EmailState.FAILED, "abandoned", text)
        if email.unresolved > 1 and order.guarantee == DeliveryGuarantee.AT_MOST_ONCE:
            text = (
                "in doubt: a worker ended while it worked on this; not sent again, as the order asks for at most once"
            )
            return unsent(email, EmailState.FAILED, "in_doubt", text)
        if self._clock.now() >= email.expires_at:
            return unsent(email, EmailState.FAILED_TTL, "expired", f"not delivered within {EXPIRY_HOURS} hours")
        try:
            wire_address(email.address)
        except ValueError as error:
            return unsent(email, EmailState.FAILED_INVALID_EMAIL_FORMAT, "abandoned", f"not sent: {error}")
        return None


def _letters(connection: Connection, order_seqs: set[int]) -> tuple[dict[int, Letter], bool]:
    """The texts of orders by `seq`, up to CONTENTS; and whether these are all."""
    rows, whole = read_within(
        connection, _LETTERS, CONTENTS, lambda row: weight(row.subject, row.body), {"seqs": [*order_seqs]}
    )
    return {letter.seq: letter for letter in read(Letter, rows)}, whole


def _admit(
    connection: Connection, claimed: Sequence[Email], letters: Mapping[int, Letter], paused: Pauses
) -> list[Outgoing]:
    """The e-mails that no pause stops; the others are paused."""
    stopped = {
        email.seq: cause
        for email in claimed
        if (cause := paused.cause(letters[email.order_seq].creator, email.address))
    }
    due.pause(connection, due.EMAILS, claimed, stopped)
    return [
        Outgoing(email.seq, email.claim, email.unresolved, email.due_at, email, letters[email.order_seq])
        for email in claimed
        if email.seq not in stopped
    ]
