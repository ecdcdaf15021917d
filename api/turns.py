"""Which of several processes at one port accepts the next connection: one of those that have fewest.

All of them wait at the same socket, so the port is served as long as one of them lives, and what has come in waits for
whoever is next. But the kernel gives a connection to whoever asks first: without turns, one process may get most of
them, and keeps them as long as its clients do.
"""

from __future__ import annotations

import asyncio
from mmap import mmap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

WAIT = 0.005  # seconds that a process leaves a connection to those that have fewer; they may be slow, or hang
_ABSENT = 1 << 62  # instead of a number: the process does not accept connections yet
_LEAVING = _ABSENT - 1  # likewise: it accepts none any more


class SharedPort:
    """A listening socket, and how many connections each process has there; created before the processes are forked."""

    def __init__(self, listener: socket.socket, processes: int) -> None:
        listener.setblocking(False)
        self.listener = listener
        self.connections = memoryview(mmap(-1, 8 * processes)).cast("q")
        for number in range(processes):
            self.forget(number)

    def forget(self, number: int) -> None:
        """Process `number` is gone, if there was one."""
        self.connections[number] = _ABSENT

    def has_served(self, number: int) -> bool:
        """Whether process `number` has come as far as accepting connections."""
        return self.connections[number] != _ABSENT

    def is_served(self) -> bool:
        """Whether any process accepts connections."""
        return min(self.connections) < _LEAVING


class Turns:
    """Process `number` at a shared port: accepts connections in turn from `begin` to `end`."""

    def __init__(self, port: SharedPort, number: int) -> None:
        self.listener = port.listener
        self._port = port
        self._number = number
        self.connections = _Counted(self._count)  # uvicorn keeps them there
        self._connecting: set[asyncio.Task[object]] = set()
        self._later: asyncio.TimerHandle | None = None

    def begin(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Accept connections from now on, each for a protocol of its own."""
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._count(0)
        self._loop.add_reader(self.listener, self._look)

    def end(self) -> None:
        """Accept none any more."""
        self._loop.remove_reader(self.listener)
        if self._later:
            self._later.cancel()
        self._count(_LEAVING)

    def _count(self, connections: int) -> None:
        if self._port.connections[self._number] != _LEAVING:
            self._port.connections[self._number] = connections

    def _look(self) -> None:
        if self._port.connections[self._number] > min(self._port.connections):
            self._accept_later()
        else:
            self._accept()

    def _accept_later(self) -> None:
        self._loop.remove_reader(self.listener)
        self._later = self._loop.call_later(WAIT, self._accept_now)

    def _accept_now(self) -> None:
        self._loop.add_reader(self.listener, self._look)
        self._accept()

    def _accept(self) -> None:
        try:
            accepted, _ = self.listener.accept()
        except BlockingIOError:
            return  # another one was quicker
        except OSError:  # no descriptor is left, or the client is gone
            self._accept_later()
            return
        accepted.setblocking(False)
        self._count(len(self.connections) + len(self._connecting) + 1)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, accepted))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)


class _Counted(set[object]):
    """Tells their number whenever it changes."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell

    def add(self, connection: object) -> None:
        super().add(connection)
        self._tell(len(self))

    def discard(self, connection: object) -> None:
        super().discard(connection)
        self._tell(len(self))
