"""The gate before the relay: whether an e-mail may be tried now, and what becomes of one that may not.

It stands behind the restraint of the creator (restraint.py), and asks for the number of e-mails to the domain at once
(lines.py) and for the pace of domain and relay (pace.py). Neither counts as an attempt. An e-mail that may not go is
handed back and waits in the database for whom the gate names, until a claim finds room there (claims.py).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.email.lines import Lines
from engine.email.pace import Target
from engine.email.pressure import Kind
from engine.queue.fairness import STEP
from engine.runtime.clock import steady
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.email.outcomes import Result
    from engine.email.outgoing import Outgoing
    from engine.email.pace import Pace
    from engine.queue.work import Hand
    from engine.runtime.clock import Clock

REMEMBERED = 10_000  # orders of which it is known how many e-mails wait


class Gate:
    """The gate of one deliverer; the pace is of all in a process."""

    def __init__(self, clock: Clock, pace: Pace) -> None:
        self._clock = clock
        self._pace = pace
        self._lines: Lines[Outgoing] = Lines(pace.counter())
        self._coming: Counter[Target] = Counter()  # e-mails in hand that have not come to the gate, as of late
        self._before: Counter[int] = Counter()  # e-mails of an order, by its `seq`, that were handed back

    def admits(self, hand: Hand[Outgoing, Result], row: Outgoing, relay: str, *, open_: bool) -> bool:
        """Whether an e-mail may be tried now; one that may not is handed back, or joins its domain's line.

        `open_`: there is a connection; without one, the e-mail only records that.
        """
        domain, now = domain_of(row.email.address), steady()
        if open_ and self._pace.is_full(domain, now):
            hand.put_off(row)
            for each in self._lines.join(domain, row, self._pace.ahead(domain, now)):
                self._hand_back(hand, each, Target(Kind.DOMAIN, domain))
            return False
        if open_ and (target := self._pace.enter(relay, domain, now)):
            self._hand_back(hand, row, target)
            return False
        self._lines.begin(domain)
        return True

    def look(self, hand: Hand[Outgoing, Result], relay: Callable[[Outgoing], str]) -> None:
        """Count the e-mails that wait in hand, for `room`; `relay` names the one that an e-mail is to take."""
        self._coming.clear()
        if self._pace.limits:
            self._coming.update(Target(Kind.DOMAIN, domain_of(row.email.address)) for row in hand.waiting)
            self._coming.update(Target(Kind.RELAY, relay(row)) for row in hand.waiting)

    def room(self, target: Target) -> float:
        """How many more e-mails to claim for a target now; infinite: nothing limits them."""
        in_line = self._lines.length(target.name) if target.kind is Kind.DOMAIN else 0
        return self._pace.room(target, steady()) - self._coming[target] - in_line

    def waits(self, target: Target) -> None:
        """E-mails have to wait for a target: operators see it for a while."""
        self._pace.waits(target, steady())

    def is_free(self, row: Outgoing, relay: str) -> bool:
        """Whether neither a limit nor a pace counts those like it."""
        return self._pace.is_free(relay, domain_of(row.email.address), steady())

    def ended(self, row: Outgoing) -> Outgoing | None:
        """An attempt is over: returns the next e-mail of the domain's line."""
        return self._lines.end(domain_of(row.email.address))

    def heard(self, row: Outgoing, result: Result) -> None:
        """Learn what became of an attempt."""
        self._pace.heard(domain_of(row.email.address), result, steady())

    def close(self, hand: Hand[Outgoing, Result]) -> None:
        """Nobody is left who would call the lines: what stands in them waits as before."""
        hand.waiting.extend(self._lines.leave())

    def _hand_back(self, hand: Hand[Outgoing, Result], row: Outgoing, target: Target) -> None:
        """Let it wait until it expires: a small order passes most of a large one, as among ready e-mails."""
        if len(self._before) >= REMEMBERED:
            self._before.clear()
        order, life = row.email.order_seq, row.email.expires_at - self._clock.now()
        behind = timedelta(milliseconds=STEP * self._before[order])
        hand.hand_back(row, life, waits_for=str(target), behind=behind)
        self._before[order] += 1
