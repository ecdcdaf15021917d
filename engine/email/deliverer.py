"""Delivering e-mails: many at once over the relays' connections; outcomes are recorded in small groups."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from engine.email.claims import Claims
from engine.email.gate import Gate
from engine.email.in_hand import InHand
from engine.email.limits import Limits
from engine.email.messages import Messages
from engine.email.outcomes import Result, broken, record, result_of
from engine.email.outgoing import Outgoing, outgoing
from engine.email.pace import Pace
from engine.email.placement import Placement
from engine.email.smtp import UNSENT, Phase, Turn, Withdrawn
from engine.email.tempo import Tempo
from engine.email.unsent import settled, unmade
from engine.observability import logs, metrics, tracing
from engine.queue import due
from engine.queue.calendars import Calendars
from engine.queue.fairness import ALL
from engine.queue.pauses import in_force
from engine.queue.withdrawals import Withdrawals
from engine.queue.work import NOW, Claim, Standstill, Work
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from sqlalchemy import Connection

    from engine.email.outlet import Outlet
    from engine.email.relays import Relays
    from engine.models import Trouble
    from engine.queue.fairness import Turns
    from engine.queue.work import Hand
    from engine.runtime.clock import Clock

log = logging.getLogger(__name__)

BATCH = 200  # e-mails per claim: large enough to pay for claim and record, small enough to hand back
_GROUP_SIZE = metrics.GROUP_SIZE.labels("emails")


class Deliverer(Work[Outgoing, Result]):
    """Sends due e-mails through the relays. Two per worker process: instant e-mails have their own."""

    lane = due.EMAILS
    claims_meanwhile = True

    def __init__(  # noqa: PLR0913, PLR0917 what it needs of the process
        self,
        clock: Clock,
        relays: Relays,
        turns: Turns = ALL,
        pace: Pace | None = None,
        messages: Messages | None = None,
        calendars: Calendars | None = None,
        withdrawals: Withdrawals | None = None,
    ) -> None:
        self.gather = turns.every
        self._clock = clock
        self._relays = relays
        self.at_once = relays.at_once
        self._placement = Placement(relays, clock)
        self._messages = messages or Messages()
        self._calendars = calendars or Calendars()
        self._withdrawals = withdrawals or Withdrawals()
        self._tempo = Tempo()
        self._in_hand = InHand()
        self._ours: Callable[[Outgoing], bool] = lambda _: False  # whether an e-mail in hand is leased
        self._gate = Gate(clock, pace or Pace(Limits(), steady()))
        self._claims = Claims(turns, self._gate, relays)
        self._serving = 0  # calls of `serve` that run

    @property
    def trouble(self) -> Trouble | None:
        """Why e-mails wait, for operators: relays cannot be reached, or refuse this installation."""
        return self._relays.trouble

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Outgoing]:
        """Take a batch of e-mails that no pause stops. Those whose orders' texts exceed CONTENTS are handed back."""
        self._relays.follow()
        paused = in_force(connection, lock=True)
        if self.lane.name in paused.lanes:
            return Claim()
        batch = self._claims.claim(connection, self.batch(BATCH), lease)
        more = batch.more or self._relays.some_are_busy
        if not batch.rows:
            return Claim(more=more)
        rows, whole = outgoing(connection, batch.rows, paused, self._calendars, self._clock.now())
        return Claim(rows, not whole or more)

    def has_room(self, hand: Hand[Outgoing, Result]) -> bool:
        """A second batch is claimed while the first is sent, and further ones for relays that have little to do."""
        self._placement.look(hand, self._gate)
        return hand.has_room(self.batch(BATCH)) or self._placement.has_further_room

    def batch(self, most: int) -> int:
        """How many rows to claim: what the connections send in a moment; several relays do not wait for a slow one."""
        return most if self._relays.several else self._tempo.batch(self.at_once, most)

    def decided(self, row: Outgoing) -> Result | None:
        """An e-mail that is not to be sent waits for no connection."""
        unsendable = settled(row.email, row.letter, self._clock.now())
        if unsendable:
            with logs.bound(lane="emails", order_id=row.letter.id, email_id=row.email.id):
                log.info("settled as %s: %s", unsendable.state, unsendable.outcome)
        return unsendable

    async def turn(self, hand: Hand[Outgoing, Result]) -> None:
        """Say which relay each e-mail takes."""
        self._ours = hand.ours
        self.at_once = self._relays.at_once
        self._withdrawals.take_back(hand, lambda row: row.email.order_seq)
        self._placement.share_out(hand)

    async def serve(self, hand: Hand[Outgoing, Result]) -> None:
        """Send e-mails while some wait for a relay that has connections to spare."""
        self._serving += 1
        try:
            self._placement.share_out(hand)
            while not hand.stopping.is_set() and (outlet := self._relays.wanted(row.seq for row in hand.waiting)):
                outlet.senders += 1
                try:
                    await self._send_over(outlet, hand)
                finally:
                    outlet.senders -= 1
                self._placement.share_out(hand)
        finally:
            self._serving -= 1
            if not self._serving:
                self._gate.close(hand)

    async def _send_over(self, outlet: Outlet, hand: Hand[Outgoing, Result]) -> None:
        """Send one e-mail after another over a relay; ends early when it has no connection."""
        following: Outgoing | None = None  # of a line
        while following or hand.waiting:
            async with self.connection(outlet) as turn:  # an e-mail that waits for a connection can be handed back
                if turn.told or (turn.refusal and outlet.crowded):
                    break  # one e-mail records that there is no connection; the others are handed back
                if (row := hand.next(lambda row: self._relays.of(row.seq) is outlet, following)) is None:
                    break
                following = None
                if turn.refusal and self._placement.move(row, outlet, hand):
                    metrics.RELAY_FAILURES.inc()
                    break
                if not outlet.restraint.may_try(row.letter.creator):
                    self._placement.restrain(row, outlet, hand)
                    continue
                relays = partial(self._relays.waiting_for, row, outlet)
                if not self._gate.admits(hand, row, outlet.relay.name, relays, open_=turn.refusal is None):
                    continue
                result = await self.attempt(row, partial(self._may_go, hand, row), outlet, turn)
                following = self._following(row, outlet, hand)
            if isinstance(result, Withdrawn):
                hand.withdraw(row)
            else:
                hand.end(row, result)
                if result.outcome == "deferred" and not result.reached:
                    outlet.heard(result.reply)
                    break
        if following:
            hand.waiting.appendleft(following)

    def _may_go(self, hand: Hand[Outgoing, Result], row: Outgoing) -> bool:
        return hand.ours(row) and not self._withdrawals.has(row.email.order_seq)

    def _following(self, row: Outgoing, outlet: Outlet, hand: Hand[Outgoing, Result]) -> Outgoing | None:
        """The next e-mail of the line behind one that has ended, if it takes the same relay; else it waits again."""
        following = self._gate.ended(row)
        if following and self._relays.of(following.seq) is not outlet:
            hand.waiting.appendleft(following)
            return None
        return following

    @asynccontextmanager
    async def connection(self, outlet: Outlet) -> AsyncIterator[Turn]:
        """One of a relay's connections, for `attempt`, as soon as it is the sender's turn."""
        async with outlet.relay.turn() as turn:
            outlet.heard(turn.refusal)
            yield turn

    def follow(self) -> None:
        """Take over what has changed in the routing."""
        self._relays.follow()

    def outlet(self, row: Outgoing) -> Outlet | None:
        """A relay that can take an e-mail at once; None: none can."""
        chosen = self._relays.choose(row.letter.creator, row.email.address)
        return None if isinstance(chosen, timedelta) or chosen.resting else chosen

    def is_free(self, row: Outgoing, outlet: Outlet) -> bool:
        """Whether an e-mail may go over this relay now, and nothing limits or slows those like it."""
        creator = row.letter.creator
        if not self._relays.may_take(creator, row.email.address, outlet):
            return False
        return self._gate.is_free(row, outlet.relay.name) and outlet.restraint.may_try(creator)

    async def attempt(self, row: Outgoing, ours: Callable[[], bool], outlet: Outlet, turn: Turn) -> Result | Withdrawn:
        """Make an attempt, and learn from it; `ours`: whether the row may still be sent."""
        with self._tempo.attempt():
            result = await self._guarded(row, ours, outlet, turn)
        if not isinstance(result, Withdrawn):
            outlet.restraint.heard(row.letter.creator, result)
            self._gate.heard(row, result)
        return result

    def stands_still(self, hand: Hand[Outgoing, Result]) -> bool:
        """Whether the only relay has no connection. Of several, the others go on."""
        return bool(hand.waiting) and self._relays.stuck is not None

    def standstill(self) -> Standstill:
        """The relay has no connection: its other clients use them, or it cannot be reached."""
        outlet = self._relays.stuck
        if outlet is None:
            return Standstill(NOW, NOW)
        return Standstill(NOW if outlet.crowded else outlet.retry, outlet.retry)

    def taken(self, rows: Sequence[Outgoing]) -> None:
        """Note which orders have e-mails in hand."""
        self._in_hand.take(rows)

    def released(self, rows: Sequence[Outgoing]) -> None:
        """E-mails that are out of hand take no relay any more."""
        self._in_hand.leave(row.email for row in rows)
        for row in rows:
            self._relays.leave(row.seq)

    def record(self, connection: Connection, results: Sequence[Result]) -> bool:
        """Write what became of e-mails."""
        record(connection, results, self._in_hand.beside(results, self._ours))
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
        self._in_hand.leave(result.email for result in results)
        _GROUP_SIZE.observe(len(results))

    async def _guarded(self, row: Outgoing, ours: Callable[[], bool], outlet: Outlet, turn: Turn) -> Result | Withdrawn:
        """Make an attempt; a bug with one message counts as its attempt, and does not stop the others."""
        email, order = row.email, row.letter
        with (
            logs.bound(lane="emails", order_id=order.id, email_id=email.id),
            tracing.span("send e-mail", order.trace, "client", order_id=order.id, email_id=email.id) as span,
        ):
            try:
                result = await self._attempt(row, ours, outlet, turn)
            except Exception as error:
                cause = error if email.attempts == 0 else None  # once: later attempts are likely to fail alike
                log.exception("e-mail %s could not be attempted: %s", email.id, type(error).__name__, exc_info=cause)
                span.failed("not attempted")
                return broken(email, order, error)
            if isinstance(result, Withdrawn):
                span.failed("withdrawn")
                log.info("not sent: the lease, its window or its life ended first, or its order was withdrawn")
                return result
            span.set(outcome=result.outcome, phase=result.phase, code=result.reply.code, relay=result.relay)
            if result.delay is None and result.outcome != "accepted":
                span.failed(result.outcome)
                log.info("settled as %s: %s, reply code %s", result.state, result.outcome, result.reply.code)
            return result

    async def _attempt(self, row: Outgoing, ours: Callable[[], bool], outlet: Outlet, turn: Turn) -> Result | Withdrawn:
        """Send one e-mail, unless it is too late, or earlier claims say that it must not be sent again."""
        email, order = row.email, row.letter

        def may_go() -> bool:
            return ours() and self._clock.now() < row.until

        if not ours():
            return Withdrawn(UNSENT, Phase.CONNECT, timedelta(0))
        if unsendable := settled(email, order, self._clock.now()):
            return unsendable
        try:
            message = await self._messages.made(email, order, self._clock.now())
        except (OSError, MemoryError, RuntimeError):  # the machine's fault: a later attempt can succeed
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, it fails at every attempt
            return unmade(email, error)
        outcome = await outlet.relay.send(order.sender, email.address, message.own, may_go, turn, message.shared)
        if isinstance(outcome, Withdrawn):
            return outcome
        return result_of(email, order, outcome, outlet.relay.name, self._clock.now())
