"""The signals that ask a process to end."""

from __future__ import annotations

import os
import select
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING = (signal.SIGTERM, signal.SIGINT)
MOST = 65_536  # signals that are read at once: a pipe holds no more


class Stop:
    """Set by SIGTERM or SIGINT, from its creation on, in the main thread. Signals of `besides` only end a wait.

    Python runs a signal's handler between two steps of the main thread, so not before the end of a wait that this
    thread is just about to begin. In the signal itself Python only writes into a pipe: `wait` waits for that pipe.
    """

    def __init__(self, *besides: signal.Signals) -> None:
        self._set = False
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)  # full of signals: then it is set
        for number in (*ENDING, *besides):
            signal.signal(number, _nothing)

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a signal, for so long at most, or without end; returns whether it is set then."""
        if not self._set and select.select([self._reader], [], [], seconds)[0]:
            self._set = any(number in ENDING for number in os.read(self._reader, MOST))
        return self._set


def _nothing(*_: object) -> None:
    """A handler, without which Python would not take the signal."""


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
