"""The signal that asks a process to end."""

from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

ENDING = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Set by SIGTERM or SIGINT, from its making on, in the main thread.

    Python runs a signal's handler between any two steps of the main thread. A handler that takes a lock waits for ever
    where that thread holds it, as a threading.Event's does for a moment in each wait; this one writes into a pipe.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        for number in ENDING:
            signal.signal(number, self._set)

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait so long at most, or else without end; whether it is set then."""
        readable, _, _ = select.select([self._reader], [], [], seconds)
        return bool(readable)

    def _set(self, *_: object) -> None:
        with suppress(BlockingIOError):  # full of signals: then it is set
            os.write(self._writer, b"\0")
