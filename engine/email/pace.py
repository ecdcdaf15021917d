"""Pace: how fast e-mails go to each relay and each recipients' domain.

There are two reasons to go slowly: a limit that an operator wrote, which is divided by the number of workers; and
replies that ask for fewer e-mails (engine/email/pressure.py), which each worker process heeds for itself. Where there
is neither, nothing waits. Times are in seconds by the steady clock, and passed in. Claims ask in another thread.
"""

from __future__ import annotations

import logging
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from engine.email.bucket import Bucket
from engine.email.limits import NONE
from engine.email.pressure import Kind, asks
from engine.email.slowdown import Recent, Slowdown
from engine.models import Slowed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.email.limits import Limits
    from engine.email.outcomes import Result

log = logging.getLogger(__name__)

SEVERAL = 3  # replies of the last seconds that ask for less, after which e-mails go more slowly
LEAST = {Kind.RELAY: 1.0, Kind.DOMAIN: 0.2}  # e-mails a second of a process: the slowest that replies make them
AHEAD = 0.3  # seconds of e-mails that stand in a line, where few may be on their way at once
SHOWN_FOR = 30.0  # seconds for which operators see a limit after an e-mail had to wait for it
WORDS = 200  # characters of a reply that operators see
SHOWN = 50  # domains and relays that operators see


class Target(NamedTuple):
    """Whom e-mails go to: a relay or a domain."""

    kind: Kind
    name: str


class Pace:
    """What a worker process knows of the pace, for all its connections."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._workers, self._place_among = 1, 0
        self._buckets: dict[Target, Bucket] = {}  # of those that have a rate
        self._begun: list[Counter[str]] = []  # e-mails on their way, by domain
        self._slowdowns: dict[Target, Slowdown] = {}
        self._waited: dict[Target, tuple[float, float]] = {}  # since when and until when e-mails waited
        self._sent: Recent[Target] = Recent(now)
        self._pressed: Recent[Target] = Recent(now)

    def divide(self, workers: int, place: int) -> None:
        """So many worker processes divide the limits; this one's place among them, from 0, says which rests it gets."""
        self._workers, self._place_among = max(1, workers), place

    @property
    def limits(self) -> bool:
        """Whether anything may have to wait."""
        return bool(self._slowdowns or self._limits.given)

    def enter(self, relay: str, domain: str, now: float) -> Target | None:
        """Whom an e-mail has to wait for; None: it goes now, and is counted."""
        targets = _targets(relay, domain)
        buckets = [(target, bucket) for target in targets if self.limits and (bucket := self._bucket(target, now))]
        for target, bucket in buckets:
            if not bucket.has(now, self._pace(target)):
                self.waits(target, now)
                return target
        for _, bucket in buckets:
            bucket.take()
        for target in targets:
            self._sent.add(target, now)
        return None

    def room(self, target: Target, now: float) -> float:
        """How many e-mails may go there now by its pace; infinite: it has none."""
        bucket, pace = self._buckets.get(target), self._pace(target)
        return pace if pace == inf else bucket.room(now, pace) if bucket else 1.0

    def free(self, domain: str) -> float:
        """How many more e-mails to the domain may be on their way; infinite: any number."""
        most = self._connections(Target(Kind.DOMAIN, domain))
        return inf if most is None else most - sum(begun[domain] for begun in self._begun)

    def is_free(self, relay: str, domain: str, now: float) -> bool:
        """Whether nothing limits or slows e-mails there; True: one goes now, and is counted."""
        targets = _targets(relay, domain)
        limited = targets if self.limits else ()
        if any(self._bucket(target, now) or self._connections(target) is not None for target in limited):
            return False
        for target in targets:
            self._sent.add(target, now)
        return True

    def counter(self) -> Counter[str]:
        """A counter of a lane's e-mails on their way, by domain: whoever gets it keeps it, and all count together."""
        self._begun.append(Counter())
        return self._begun[-1]

    def is_full(self, domain: str, now: float) -> bool:
        """Whether as many e-mails are on their way to the domain as may be."""
        if not self._limits.given:
            return False
        if self.free(domain) > 0:
            return False
        self.waits(Target(Kind.DOMAIN, domain), now)
        return True

    def ahead(self, domain: str, now: float) -> int:
        """How many e-mails may stand in the domain's line, by how fast others went of late."""
        return 1 + int(AHEAD * self._sent.rate(Target(Kind.DOMAIN, domain), now))

    def waits(self, target: Target, now: float) -> None:
        """An e-mail has to wait: operators see it for a while."""
        since, until = self._waited.get(target, (now, now))
        self._waited[target] = (since if now - until < SHOWN_FOR else now), now

    def heard(self, domain: str, result: Result, now: float) -> None:
        """Learn from the outcome of an attempt."""
        if result.outcome == "accepted":
            for target in _targets(result.relay, domain) if self._slowdowns else ():
                self._took(target, now)
        elif kind := asks(result):
            name = result.relay if kind is Kind.RELAY else domain
            self._asked_for_less(Target(kind, name), result.reply.impersonal[:WORDS], now)

    def slowed(self, now: float) -> Sequence[Slowed]:
        """For whom e-mails wait, or go more slowly; another thread may ask."""
        self._forget(now)
        found = [
            Slowed(target.kind, target.name, slowdown.since, slowdown.said, slowdown.rate)
            for target, slowdown in list(self._slowdowns.items())
        ]
        limited = [
            Slowed(target.kind, target.name, since, "", *self._limits.of(*target))
            for target, (since, _) in list(self._waited.items())
            if target not in self._slowdowns and self._limits.of(*target) != NONE
        ]
        return (found + limited)[:SHOWN]

    def _rate(self, target: Target) -> float | None:
        """The part of the limit that is this process's; None: there is none."""
        rate = self._limits.of(*target).rate
        return None if rate is None else rate / self._workers

    def _connections(self, target: Target) -> int | None:
        most = self._limits.of(*target).connections
        if most is None:
            return None
        each, rest = divmod(most, self._workers)
        turn = (self._place_among + crc32(target.name.encode())) % self._workers  # not the same one's everywhere
        return each + (turn < rest)

    def _pace(self, target: Target) -> float:
        """E-mails a second at this moment; infinite: nothing limits them."""
        rate, slowdown = self._rate(target), self._slowdowns.get(target)
        return min(inf if rate is None else rate, slowdown.rate if slowdown else inf)

    def _bucket(self, target: Target, now: float) -> Bucket | None:
        """The bucket of what has a limit or a slowdown."""
        if self._pace(target) == inf:
            self._buckets.pop(target, None)
            return None
        return self._buckets.setdefault(target, Bucket(now))

    def _took(self, target: Target, now: float) -> None:
        if slowdown := self._slowdowns.get(target):
            slowdown.taken()
            self._end_if_over(target, slowdown, now)

    def _asked_for_less(self, target: Target, said: str, now: float) -> None:
        self._pressed.add(target, now)
        if slowdown := self._slowdowns.get(target):
            slowdown.asked(said, now)
        elif self._pressed.count(target, now) >= SEVERAL:
            self._slowdowns[target] = Slowdown(self._sent.rate(target, now), LEAST[target.kind], said, now)
            log.info("e-mails go more slowly to a %s: %s", target.kind, said)

    def _forget(self, now: float) -> None:
        for target, slowdown in list(self._slowdowns.items()):
            self._end_if_over(target, slowdown, now)
        for target, (_, until) in list(self._waited.items()):
            if now - until > SHOWN_FOR:
                self._waited.pop(target, None)

    def _end_if_over(self, target: Target, slowdown: Slowdown, now: float) -> None:
        if slowdown.is_over(now):
            self._slowdowns.pop(target, None)


def _targets(relay: str, domain: str) -> Sequence[Target]:
    return Target(Kind.RELAY, relay), Target(Kind.DOMAIN, domain)
