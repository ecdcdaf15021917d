"""The HTTP server: uvicorn's, which waits here until it is to end, instead of looking ten times a second."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import FrameType

DATE_EVERY = 1.0  # seconds between two times of the field Date, whose unit is a second (RFC 9110, 6.6.1)


class Server(uvicorn.Server):
    """Calls `listening` when it takes requests."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], None]) -> None:
        super().__init__(config)
        self._listening = listening
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        if self.started:
            self._listening()

    async def main_loop(self) -> None:
        """Stay until a signal has come."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):  # of uvicorn's ticks, only each tenth does more than look
            with suppress(TimeoutError):
                async with asyncio.timeout(DATE_EVERY):
                    await self._told.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called with a signal that ends the server."""
        super().handle_exit(sig, frame)
        if self._loop:
            self._loop.call_soon_threadsafe(self._told.set)
