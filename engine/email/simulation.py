"""The simulator: it answers for the relay when the order is a test, by the e-mail's address.

It has no relay, and nothing that could reach one. Who has relays claims e-mails by priority and never those of tests,
which have a level of their own; and those are all that is claimed here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.email.claims import CREATOR
from engine.email.outcomes import Result, backoff, broken, record, within_life
from engine.email.outgoing import Outgoing, outgoing
from engine.email.smtp import Phase, Reply
from engine.email.unsent import settled, unmade
from engine.models import EmailState
from engine.queue import due
from engine.queue.fairness import TESTS, FairClaims
from engine.queue.pauses import in_force
from engine.queue.work import NOW, Claim, Work
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from engine.db.records import Email
    from engine.email.messages import Messages
    from engine.queue.calendars import Calendars
    from engine.queue.withdrawals import Withdrawals
    from engine.queue.work import Hand
    from engine.runtime.clock import Clock

log = logging.getLogger(__name__)

DOMAIN = "simulator.varsel"
NAME = "simulator"  # in the log of attempts, in place of a relay's
SLOW = timedelta(seconds=5)  # from the send time until a slow e-mail is taken
BATCH = 200  # e-mails per claim


@dataclass(frozen=True, slots=True)
class Answer:
    """What the simulator says, and what that means."""

    state: EmailState
    word: str  # accepted, deferred, rejected
    phase: Phase
    reply: Reply


ACCEPTED = Answer(EmailState.SUCCEEDED, "accepted", Phase.DOT, Reply(250, "2.0.0 simulated: taken, and not sent"))
DEFERRED = Answer(EmailState.NEW, "deferred", Phase.RCPT, Reply(451, "4.2.0 simulated: not now, try again"))
ANSWERS: Mapping[str, Answer] = {  # by the local part of an address of DOMAIN, up to a plus
    "bounced": Answer(
        EmailState.FAILED_BOUNCED, "rejected", Phase.RCPT, Reply(550, "5.1.1 simulated: no such mailbox")
    ),
    "complained": Answer(
        EmailState.FAILED_FILTERED_SPAM, "rejected", Phase.DOT, Reply(554, "5.7.1 simulated: refused as spam")
    ),
    "deferred": DEFERRED,  # once
}


class Simulation(Work[Outgoing, Result]):
    """Answers the due e-mails of tests."""

    lane = due.EMAILS
    at_once = 20

    def __init__(self, clock: Clock, messages: Messages, calendars: Calendars, withdrawals: Withdrawals) -> None:
        self._clock = clock
        self._messages = messages
        self._calendars = calendars
        self._withdrawals = withdrawals
        self._claims: FairClaims[Email] = FairClaims(due.EMAILS, TESTS, copied={"creator": CREATOR})

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Outgoing]:
        """Take a batch of tests' e-mails that no pause stops."""
        paused = in_force(connection, lock=True)
        if self.lane.name in paused.lanes:
            return Claim()
        claimed = self._claims.claim(connection, BATCH, lease)
        rows, whole = outgoing(connection, claimed.rows, paused, self._calendars, self._clock.now())
        return Claim(rows, claimed.more or not whole)

    async def turn(self, hand: Hand[Outgoing, Result]) -> None:
        """Let go of what its creator withdraws."""
        self._withdrawals.take_back(hand, lambda row: row.email.order_seq)

    def decided(self, row: Outgoing) -> Result | None:
        """An e-mail that is not to be sent is settled as it would be otherwise."""
        return settled(row.email, row.letter, self._clock.now())

    async def perform(self, hand: Hand[Outgoing, Result], row: Outgoing) -> None:
        """Make the message, as for a relay, and answer."""
        email, now = row.email, self._clock.now()
        if self._withdrawals.has(email.order_seq):
            hand.withdraw(row)
            return
        taken_at = row.letter.requested_send_time + SLOW
        if kind_of(email.address) == "slow" and now < taken_at:
            hand.hand_back(row, taken_at - now)
            return
        try:
            await self._messages.made(email, row.letter, now)
        except (OSError, MemoryError, RuntimeError) as error:  # the machine's fault: a later attempt can succeed
            log.exception("e-mail %s could not be attempted", email.id)
            hand.end(row, broken(email, row.letter, error))
            return
        except Exception as error:  # noqa: BLE001 whatever it is, it fails at every attempt
            hand.end(row, unmade(email, error))
            return
        answer = answer_to(email.address, email.attempts)
        later = within_life(email, backoff(email.attempts + 1), now) if answer is DEFERRED else None
        hand.end(row, Result(email, answer.state, later, True, answer.word, answer.phase, answer.reply, NOW, NAME))

    def record(self, connection: Connection, results: Sequence[Result]) -> bool:
        """Write what became of e-mails, and publish it."""
        record(connection, results)
        return False

    def broken(self, _row: Outgoing, result: Result, _error: Exception) -> Result:
        """Write the state alone."""
        return replace(result, told=False)


def kind_of(address: str) -> str:
    """What an address asks for: bounced of bounced+1@simulator.varsel; of other domains, nothing."""
    local = address.rpartition("@")[0].lower().partition("+")[0]
    return local if domain_of(address) == DOMAIN else ""


def answer_to(address: str, attempts: int) -> Answer:
    """The answer to an e-mail after so many attempts."""
    answer = ANSWERS.get(kind_of(address), ACCEPTED)
    return ACCEPTED if answer is DEFERRED and attempts else answer
