"""The signals that ask a process to end."""

from __future__ import annotations

import os
import select
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Ended(BaseException):
    """SIGTERM came."""


@contextmanager
def ending() -> Iterator[None]:
    """SIGTERM ends the block as Ctrl-C does, so that it can take back what it has begun; then it ends the process."""

    def end(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    ended = False
    try:
        yield
    except Ended:
        ended = True
    finally:
        signal.signal(signal.SIGTERM, before)
    if ended:
        signal.raise_signal(signal.SIGTERM)
