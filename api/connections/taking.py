"""What a client takes of its answers: a part of them in each span of time, or the connection ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.observability import metrics

if TYPE_CHECKING:
    import asyncio

PROGRESS = 16 * 1024  # bytes of a waiting answer that a client must take in each time, or send of a streamed body


class Taking:
    """Watches what waits in a connection's transport; `time` in seconds."""

    __slots__ = ("_loop", "_stall", "_time", "_transport", "_untaken")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, time: float) -> None:
        self._transport = transport
        self._loop = loop
        self._time = time
        self._stall: asyncio.TimerHandle | None = None
        self._untaken = 0  # bytes it had not taken when that began

    def watch(self) -> None:
        """From now on, the client must take what waits for it."""
        self.stop()
        self._untaken = self._transport.get_write_buffer_size()
        self._stall = self._loop.call_later(self._time, self._look) if self._untaken else None

    def stop(self) -> None:
        """Watch no more."""
        if self._stall is not None:
            self._stall.cancel()

    def _look(self) -> None:
        if 0 < self._transport.get_write_buffer_size() > self._untaken - PROGRESS:
            metrics.CUT_CONNECTIONS.labels("too_slow").inc()
            self._transport.abort()
        else:
            self.watch()
