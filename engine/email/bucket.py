"""A bucket: how many e-mails may go in a time. Times are in seconds by one steady clock, and passed in."""

from __future__ import annotations


class Bucket:
    """Lets so many e-mails a second go as `rate` says at the moment; what a second leaves unused, the next may use."""

    def __init__(self, now: float) -> None:
        self._tokens = 1.0
        self._filled = now

    def room(self, now: float, rate: float) -> float:
        """How many e-mails may go now; another thread may ask."""
        return min(self._tokens + (now - self._filled) * rate, max(1.0, rate))

    def has(self, now: float, rate: float) -> bool:
        """Whether an e-mail may go now."""
        self._tokens, self._filled = self.room(now, rate), now
        return self._tokens >= 1.0

    def take(self) -> None:
        """Let one go."""
        self._tokens -= 1.0
