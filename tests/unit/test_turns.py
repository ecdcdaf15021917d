"""Turns of several processes at one port; here, of several in one process."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from api.turns import SharedPort, Turns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PROCESSES = 3


class Kept(asyncio.Protocol):
    """A connection that its client holds open."""

    def __init__(self, turns: Turns, changed: asyncio.Event) -> None:
        self._turns = turns
        self._changed = changed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self._turns.connections.add(self)
        self._changed.set()

    def connection_lost(self, _error: Exception | None) -> None:
        self._turns.connections.discard(self)
        self._changed.set()


class Port:
    """A port with several processes, and clients that come one after another."""

    def __init__(self) -> None:
        self.shared = SharedPort(socket.create_server(("127.0.0.1", 0)), PROCESSES)
        self.clients: list[asyncio.StreamWriter] = []
        self._turns = [Turns(self._inherited(), number) for number in range(PROCESSES)]
        self._changed = asyncio.Event()

    def _inherited(self) -> SharedPort:
        """The port as a process has it: with a descriptor of its own."""
        port = SharedPort(self.shared.listener.dup(), PROCESSES)
        port.connections = self.shared.connections
        return port

    def begin(self, number: int) -> None:
        self._turns[number].begin(partial(Kept, self._turns[number], self._changed))

    def end(self, number: int) -> None:
        self._turns[number].end()

    async def connect(self, clients: int) -> None:
        """Connect so many, each when the one before is accepted."""
        for _ in range(clients):
            before = sum(self.numbers())
            self.clients.append((await asyncio.open_connection(*self.shared.listener.getsockname()))[1])
            await self.until(before + 1)

    async def until(self, connections: int) -> None:
        """Return when so many are open."""
        while sum(self.numbers()) != connections:
            self._changed.clear()
            await self._changed.wait()

    async def close(self) -> None:
        for client in self.clients:
            client.close()
            await client.wait_closed()
        await self.until(0)
        for each in self._turns:
            each.listener.close()
        self.shared.listener.close()

    def numbers(self) -> list[int]:
        return [len(each.connections) for each in self._turns]


@asynccontextmanager
async def opened(*numbers: int) -> AsyncIterator[Port]:
    """A port at which these processes accept connections."""
    port = Port()
    for number in numbers:
        port.begin(number)
    yield port
    for number in numbers:
        port.end(number)
    await port.close()


def test_connections_are_spread_over_all_processes() -> None:
    async def spread() -> list[int]:
        async with opened(0, 1, 2) as port:
            await port.connect(30)
            return port.numbers()

    assert min(asyncio.run(spread())) >= 8


def test_a_process_that_starts_again_gets_what_comes_next() -> None:
    async def started() -> list[int]:
        async with opened(0, 1) as port:
            await port.connect(10)
            port.begin(2)
            await port.connect(4)
            port.end(2)
            return port.numbers()

    assert asyncio.run(started())[2] >= 3


def test_a_process_that_hangs_with_few_connections_keeps_nobody_waiting() -> None:
    async def hung() -> list[int]:
        async with opened(0) as port:
            port.shared.connections[1] = 0  # and it never asks for its turn
            await port.connect(5)
            return port.numbers()

    assert asyncio.run(hung()) == [5, 0, 0]


def test_a_connection_that_ends_counts_no_more() -> None:
    async def ended() -> list[int]:
        async with opened(0) as port:
            await port.connect(3)
            port.clients[0].close()
            await port.until(2)
            return list(port.shared.connections)[:1]

    assert asyncio.run(ended()) == [2]


def test_it_is_known_who_serves_and_who_has_served() -> None:
    async def told() -> list[bool]:
        async with opened(0) as port:
            shared = port.shared
            serving = [shared.is_served(), shared.has_served(0), shared.has_served(1)]
        serving += [shared.is_served(), shared.has_served(0)]
        shared.forget(0)
        return [*serving, shared.has_served(0)]

    assert asyncio.run(told()) == [True, True, False, False, True, False]
