"""How many connections the relay takes at once, learned from those that it refuses while others work."""

from __future__ import annotations

import time
from datetime import timedelta

AGAIN_AFTER = timedelta(seconds=10)  # from a refusal to the next try of one connection more; doubled each time
AGAIN_AT_LATEST = timedelta(minutes=5)
NEXT_AFTER = timedelta(seconds=1)  # from one connection more that was taken to the next try


class Concurrency:
    """The number of connections: a refusal lowers it to those that work, then it rises one by one, up to `most`."""

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
        """Learn that the relay takes no more than `working`; returns whether that is news."""
        news = self._learned > working
        self._learned = max(1, min(working, self._learned))
        self._try_at = time.monotonic() + self._patience.total_seconds()
        self._patience = min(2 * self._patience, AGAIN_AT_LATEST)
        return news

    def taken(self, working: int) -> None:
        """Learn that the relay takes `working`: the newest has carried a message."""
        if working > self._learned:
            self._learned = working
            self._patience = AGAIN_AFTER
            self._try_at = time.monotonic() + NEXT_AFTER.total_seconds()
