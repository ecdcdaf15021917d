"""Answers whose head and body leave together: one packet for the client, one system call for us."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Joined:
    """What one answer is written to. uvicorn writes the head by itself, and most bodies follow at once.

    The first piece waits for the second until the event loop's next step, and no longer: an answer may be a stream.
    """

    __slots__ = ("_first", "_loop", "_transport", "_written")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._first = b""
        self._written = False

    def write(self, data: bytes) -> None:
        """Write a piece of the answer."""
        if self._written:
            self._transport.write(self._first + data if self._first else data)
            self._first = b""
        else:
            self._written, self._first = True, data
            self._loop.call_soon(self.flush)

    def is_closing(self) -> bool:
        """Whether the connection ends, or has ended."""
        return self._transport.is_closing()

    def close(self) -> None:
        """End the connection when everything is written."""
        self.flush()
        self._transport.close()

    def flush(self) -> None:
        """Write what waits, unless the client is gone."""
        if self._first and not self._transport.is_closing():
            self._transport.write(self._first)
        self._first = b""
