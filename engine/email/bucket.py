"""A bucket: how many e-mails may go in a time, and when the turn of those that may not can come.

Times are in seconds by one steady clock, and passed in.
"""

from __future__ import annotations

import random

LONGEST = 120.0  # seconds until a waiting e-mail asks again: the pace may have changed


class Bucket:
    """Lets `rate` e-mails a second go; what a second leaves unused, the next may use."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
        self._tokens = 1.0
        self._filled = self._line = now  # the line ends where the last e-mail that waits has its turn

    def has(self, now: float) -> bool:
        """Whether an e-mail may go now."""
        self._tokens = min(self._tokens + (now - self._filled) * self.rate, max(1.0, self.rate))
        self._filled = now
        return self._tokens >= 1.0

    def take(self) -> None:
        """Let one go."""
        self._tokens -= 1.0

    def place(self, now: float) -> float:
        """How long one that may not go has to wait: each gets a place of its own, up to LONGEST away."""
        place = max(self._line, now) + 1.0 / self.rate
        if place - now > LONGEST:
            return random.uniform(LONGEST / 2, LONGEST)  # noqa: S311  # so that they do not all ask at once
        self._line = place
        return place - now
