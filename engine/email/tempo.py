"""How many e-mails a worker takes in hand: what it sends in a moment, by how long attempts took lately.

What one worker has in hand, no other sends, and whoever becomes due waits behind it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 1 / 3  # seconds that what is claimed at a time keeps the connections busy; half as much waits by then
LATELY = 50  # attempts
MOMENT = 0.0001  # seconds: no attempt is shorter
LEAST = 50  # e-mails: a claim of fewer costs more than it is worth


class Tempo:
    """The mean time of the last attempts."""

    def __init__(self) -> None:
        self._took = 0.0  # seconds
        self._known = 0  # attempts, of the last ones

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Time an attempt."""
        began = time.monotonic()
        yield
        self._known = min(self._known + 1, LATELY)
        self._took += (time.monotonic() - began - self._took) / self._known

    def batch(self, connections: int, most: int) -> int:
        """How many e-mails to claim at a time for so many connections: at least one for each, and at most `most`."""
        return min(max(int(connections * BATCH / max(self._took, MOMENT)), connections, LEAST), most)
