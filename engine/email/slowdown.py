"""A slowdown: the pace of e-mails to somebody who asked for less (additive increase, multiplicative decrease).

Times are in seconds by one steady clock, and passed in.
"""

from __future__ import annotations

from collections import Counter
from typing import Generic, TypeVar

K = TypeVar("K")

SETTLES_IN = 5.0  # seconds after a change; until then, replies may be to e-mails that went at the pace before
RISES_IN = 120.0  # seconds of use until a pace from nothing is what it was before the slowdown
FORGOTTEN_AFTER = 600.0  # seconds since it was last asked for


class Slowdown:
    """Halved when less is asked for, and raised with each e-mail that is taken. `before`: e-mails a second until now.

    `since`: when it began; `said`: the newest words that asked for it.
    """

    def __init__(self, before: float, least: float, said: str, now: float) -> None:
        self.since = self._asked = self._lowered = now
        self.said = said
        self._least = least
        self._before = before
        self.rate = max(least, before / 2)

    def asked(self, said: str, now: float) -> None:
        """Less is asked for, again."""
        self.said, self._asked = said, now
        if now - self._lowered >= SETTLES_IN:
            self._lowered = now
            self.rate = max(self._least, self.rate / 2)

    def taken(self) -> None:
        """An e-mail was taken: so each second of e-mails at this pace raises it by the same amount."""
        self.rate += self._before / RISES_IN / self.rate

    def is_over(self, now: float) -> bool:
        """Whether the pace is what it was before, or the reason was long ago."""
        return self.rate >= self._before or now - self._asked > FORGOTTEN_AFTER


class Recent(Generic[K]):
    """Counts of the last seconds, by key."""

    SPAN = 5.0  # seconds; what is older than two of them is forgotten

    def __init__(self, now: float) -> None:
        self._began = now
        self._last: Counter[K] = Counter()
        self._newest: Counter[K] = Counter()
        self._last_began = now

    def add(self, key: K, now: float) -> None:
        """Count one more."""
        self._turn(now)
        self._newest[key] += 1

    def count(self, key: K, now: float) -> int:
        """How many there were of late; another thread may ask."""
        age = now - self._began
        if age < self.SPAN:
            return self._last[key] + self._newest[key]
        return self._newest[key] if age < 2 * self.SPAN else 0

    def rate(self, key: K, now: float) -> float:
        """How many there were a second; another thread may ask."""
        since = self._last_began if now - self._began < self.SPAN else self._began
        return self.count(key, now) / max(1.0, now - since)

    def _turn(self, now: float) -> None:
        if now - self._began < self.SPAN:
            return
        fresh = now - self._began < 2 * self.SPAN
        self._last, self._last_began = (self._newest, self._began) if fresh else (Counter(), now)
        self._newest, self._began = Counter(), now
