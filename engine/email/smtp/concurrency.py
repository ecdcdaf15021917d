"""How many connections the relay takes at once, learned from what it refuses while others of ours work."""

from __future__ import annotations

import time
from datetime import timedelta

AGAIN_AFTER = timedelta(seconds=10)  # a refusal, one connection more is tried; twice as long after each further one
AGAIN_AT_LATEST = timedelta(minutes=5)
NEXT_AFTER = timedelta(seconds=1)  # one more was taken, the next is tried


class Concurrency:
    """A number of connections: down to those that work at a refusal, up one by one; never above `most`."""

    def __init__(self, most: int) -> None:
        self._most = self._learned = most
        self._patience = AGAIN_AFTER
        self._try_at = 0.0  # on the monotonic clock

    @property
    def limit(self) -> int:
        """How many connections may be open now."""
        more = self._learned < self._most and time.monotonic() >= self._try_at
        return self._learned + more

    def refused(self, working: int) -> bool:
        """Learn that no more than those that work are taken; returns whether that is news."""
        news = self._learned > working
        self._learned = max(1, min(working, self._learned))
        self._try_at = time.monotonic() + self._patience.total_seconds()
        self._patience = min(2 * self._patience, AGAIN_AT_LATEST)
        return news

    def taken(self, working: int) -> None:
        """Learn that so many are taken: the newest has been used."""
        if working > self._learned:
            self._learned = working
            self._patience = AGAIN_AFTER
            self._try_at = time.monotonic() + NEXT_AFTER.total_seconds()
