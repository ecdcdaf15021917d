"""The gate before the relay: whether an e-mail may be tried now, and what becomes of one that may not.

It stands behind the restraint of the creator (restraint.py), and asks for the number of e-mails to the domain at once
(lines.py) and for the pace of domain and relay (pace.py). Neither counts as an attempt.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from engine.email.lines import Lines
from engine.email.outcomes import within_life
from engine.runtime.clock import steady
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from engine.email.outcomes import Result
    from engine.email.outgoing import Outgoing
    from engine.email.pace import Pace
    from engine.queue.work import Hand
    from engine.runtime.clock import Clock


class Gate:
    """The gate of one deliverer; the pace is of all in a process."""

    def __init__(self, clock: Clock, pace: Pace) -> None:
        self._clock = clock
        self._pace = pace
        self._lines: Lines[Outgoing] = Lines(pace.counter())

    def admits(self, hand: Hand[Outgoing, Result], row: Outgoing, relay: str, *, open_: bool) -> bool:
        """Whether an e-mail may be tried now; one that may not is handed back, or joins its domain's line.

        `open_`: there is a connection; without one, the e-mail only records that.
        """
        domain, now = domain_of(row.email.address), steady()
        if open_ and self._pace.is_full(domain, now):
            hand.put_off(row)
            for each in self._lines.join(domain, row):
                self._hand_back(hand, each, self._pace.queue(domain, now))
            return False
        if open_ and (wait := self._pace.wait(relay, domain, now)):
            self._hand_back(hand, row, wait)
            return False
        self._lines.begin(domain)
        return True

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

    def _hand_back(self, hand: Hand[Outgoing, Result], row: Outgoing, wait: float) -> None:
        """Hand back for so many seconds, but no longer than the e-mail lives."""
        hand.hand_back(row, within_life(row.email, timedelta(seconds=wait), self._clock.now()))
