"""The HTTP server of one `web` process: uvicorn's, with connections of our own.

It waits for the signal that ends it, instead of looking for one ten times a second.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from api.app import create_app
from api.connections import Bounds, bounded, reserve_descriptors

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from types import FrameType

    from starlette.datastructures import State

    from api.turns import Turns
    from engine.settings import Settings

DATE_EVERY = 1.0  # seconds between two times of the field Date, whose unit is a second (RFC 9110, 6.6.1)


def serve(
    config: Settings,
    listener: socket.socket,
    started: Callable[[], None],
    turns: Turns | None = None,
    *,
    delay: float = 0.0,
) -> bool:
    """Serve requests until SIGTERM or SIGINT; returns whether it could start. `started` is called when it has.

    `turns`: the port is shared, and already listened at. `delay`: for how many seconds requests are taken after the
    signal, while the health checks say that it is ending. Misconfigured when the settings cannot work.
    """
    reserve_descriptors(config.max_connections)
    app = create_app()
    serving = uvicorn.Config(
        app,
        http=bounded(Bounds(connections=config.max_connections)),
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,  # longer than the idle time of clients and proxies (60 s), so that they close, not we
    )
    server = Server(serving, started, turns, Ending(delay, app.state))
    server.run(sockets=[] if turns else [listener])
    return server.started


@dataclass
class Ending:
    """How a server ends: `delay` seconds after the signal, for proxies to hear of it by the application's `state`."""

    delay: float
    state: State


class Server(uvicorn.Server):
    """Calls `listening` when it takes requests, and takes turns at a port that it shares."""

    def __init__(
        self, config: uvicorn.Config, listening: Callable[[], None], turns: Turns | None, ending: Ending
    ) -> None:
        super().__init__(config)
        self._listening = listening
        self._turns = turns
        self._ending = ending
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()
        if turns:
            self.server_state.connections = turns.connections  # type: ignore[assignment]  # it takes whatever comes

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's."""
        await super().startup(sockets)
        if self.started:
            if self._turns:
                self._turns.begin(self._protocol)
            self._listening()

    async def main_loop(self) -> None:
        """Stay until a signal has come."""
        self._loop = asyncio.get_running_loop()
        while not await self.on_tick(0):  # of uvicorn's ticks, only each tenth does more than look
            with suppress(TimeoutError):
                async with asyncio.timeout(DATE_EVERY):
                    await self._told.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called with a signal that ends the server: after its delay, or at once when it is the second one."""
        delay, self._ending.delay = self._ending.delay, 0.0
        if self._loop and delay:
            self._ending.state.ending = True
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, self.handle_exit, sig, frame)
            return
        super().handle_exit(sig, frame)
        if self._loop:
            self._loop.call_soon_threadsafe(self._told.set)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; the port is left to the others first."""
        if self._turns:
            self._turns.end()
            sockets = [self._turns.listener]
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn calls it
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol
