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
from engine.models import Priority
from engine.queue.fairness import STEP
from engine.runtime.clock import steady
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

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
        self._coming: Counter[str] = Counter()  # e-mails in hand that have not come to the gate, by domain
        self._before: Counter[int] = Counter()  # e-mails of an order, by its `seq`, that were handed back
        self.awaited: Collection[str] = ()  # whom e-mails in the database wait for, as of the last claim

    def admits(
        self, hand: Hand[Outgoing, Result], row: Outgoing, relay: str, relays: Callable[[], str], *, open_: bool
    ) -> bool:
        """Whether an e-mail may be tried now; one that may not is handed back, or joins its domain's line.

        `relays` says what it waits for if the relay lets it wait. `open_`: there is a connection; without one, it only
        records that.
        """
        domain, now = domain_of(row.email.address), steady()
        if not open_:
            self._lines.begin(domain)
            return True
        if self._pace.is_full(domain, now):
            hand.put_off(row)
            for each in self._lines.join(domain, row, self._pace.ahead(domain, now)):
                self._hand_back(hand, each, waits_for(Kind.DOMAIN, domain))
            return False
        if self._stands_back(row, waits_for(Kind.DOMAIN, domain)):
            self._hand_back(hand, row, waits_for(Kind.DOMAIN, domain))
            return False
        if target := self._pace.enter(relay, domain, now):
            self._hand_back(hand, row, waits_for(Kind.DOMAIN, domain) if target.kind is Kind.DOMAIN else relays())
            return False
        self._lines.begin(domain)
        return True

    @property
    def limits(self) -> bool:
        """Whether anything may have to wait."""
        return self._pace.limits

    def look(self, hand: Hand[Outgoing, Result]) -> None:
        """Count the e-mails that wait in hand, for `room_to`."""
        self._coming = Counter(domain_of(row.email.address) for row in hand.waiting if self.limits)

    def room_to(self, domain: str) -> float:
        """How many more e-mails to claim for a domain now; infinite: nothing limits them."""
        now = steady()
        free = self._pace.free(domain) + self._lines.room(domain, self._pace.ahead(domain, now))
        return min(self._pace.room(Target(Kind.DOMAIN, domain), now), free) - self._coming[domain]

    def room_over(self, relay: str) -> float:
        """How many e-mails a relay's pace allows now, likewise."""
        return self._pace.room(Target(Kind.RELAY, relay), steady())

    def wait_for(self, name: str) -> None:
        """E-mails in the database have to wait for somebody: operators see it for a while."""
        kind, its = waited_for(name)
        if kind:
            for each in its:
                self._pace.waits(Target(kind, each), steady())

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

    def _stands_back(self, row: Outgoing, name: str) -> bool:
        """Whether others wait for the same, so that an e-mail that has not waited comes after their turn."""
        return name in self.awaited and not row.email.waits_for and row.email.priority != Priority.INSTANT.level

    def _hand_back(self, hand: Hand[Outgoing, Result], row: Outgoing, name: str) -> None:
        """Let it wait until it expires: a small order passes most of a large one, as among ready e-mails."""
        if len(self._before) >= REMEMBERED:
            self._before.clear()
        order, life = row.email.order_seq, row.email.expires_at - self._clock.now()
        behind = 0
        if not row.email.waits_for:  # else it had its turn
            behind, self._before[order] = self._before[order], self._before[order] + 1
        hand.hand_back(row, life, waits_for=name, behind=timedelta(milliseconds=STEP * behind))


def waits_for(kind: Kind, *names: str) -> str:
    """What the column says of an e-mail that waits: for a domain, or for any of these relays."""
    return f"{kind} {', '.join(names)}"


def waited_for(text: str) -> tuple[Kind | None, Sequence[str]]:
    """Whom an e-mail waits for, by that text; None: this version does not know what it means."""
    kind, _, name = text.partition(" ")
    return (Kind(kind), name.split(", ")) if kind in list(Kind) else (None, ())
