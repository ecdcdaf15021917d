"""Reads that callers and operators ask for: bounded in number and time, and ended when nobody waits for them any more.

They have their own threads and connections, so that writers never wait for them, and nobody gets all of these: see
engine/runtime/shares.py. A read that is ended gives its slot back when the database has stopped it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from engine.db.store import Store, ping
from engine.errors import Overrun
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

P = ParamSpec("P")
R = TypeVar("R")

SLOTS = 8  # reads at once, each with a thread and a connection
WAITING = 64  # reads of one party, those that wait included
LONGEST = timedelta(seconds=8)  # that a read may take, once it has a slot; the database gives up a little later
AGAIN = 0.1  # seconds between two attempts to end one
CANCEL_SECONDS = 2.0  # that PostgreSQL has for a request to cancel a statement


class Readers:
    """The slots for reads of one process. Every read raises Unavailable when the database does not answer."""

    def __init__(
        self, url: str, admit: Callable[[Connection], None] | None = None, longest: timedelta = LONGEST
    ) -> None:
        self._store = Store(url, admit, SLOTS)
        self._longest = longest
        self._shares = Shares(SLOTS, WAITING)
        self._threads = ThreadPoolExecutor(SLOTS, "read")
        self._stoppers = ThreadPoolExecutor(SLOTS, "end read")
        self._running: set[asyncio.Future[Any]] = set()
        self._stopping: set[asyncio.Task[None]] = set()
        self._proven = False  # whether a read has succeeded

    async def read(
        self, party: str, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call `act(connection, …)` on a view for a party; Overrun when that takes too long, or too many wait."""
        await self._shares.wait(party)
        found = await self._perform(party, _Read(self._store, lambda connection: act(connection, *args, **kwargs)))
        self._proven = True
        return found

    async def prove(self, party: str) -> None:
        """Read something, if nobody has yet: so the first caller does not depend on a new connection."""
        if not self._proven:
            await self.read(party, ping)

    async def _perform(self, party: str, read: _Read[R]) -> R:
        running = asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, read)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        running.add_done_callback(lambda _: self._shares.give_back(party))
        try:
            async with asyncio.timeout(self._longest.total_seconds()):
                return await asyncio.shield(running)
        except TimeoutError:
            text = f"Reading took longer than {self._longest.total_seconds():.0f} seconds and was ended"
            raise Overrun(f"{text}: narrow down what you ask for, or ask for a smaller page.") from None
        finally:
            if not running.done():
                stopping = asyncio.create_task(self._stop(read, running))
                self._stopping.add(stopping)
                stopping.add_done_callback(self._stopping.discard)

    async def _stop(self, read: _Read[R], running: asyncio.Future[R]) -> None:
        """Stop a thread's statement: again and again, since it may be between two statements."""
        while not running.done():
            await asyncio.get_running_loop().run_in_executor(self._stoppers, read.stop)
            await asyncio.wait({running}, timeout=AGAIN)
        running.exception()  # nobody asks for it any more

    async def close(self) -> None:
        """Give all connections back, when the last read has ended: after LONGEST at the latest."""
        while left := self._running | self._stopping:
            await asyncio.wait(left)
        self._threads.shutdown()
        self._stoppers.shutdown()
        self._store.close()


class _Read(Generic[R]):
    """What a thread does on a connection, and how another thread ends it."""

    def __init__(self, store: Store, act: Callable[[Connection], R]) -> None:
        self._store = store
        self._act = act
        self._lock = threading.Lock()
        self._driver: Any = None  # the driver's connection, while it is this read's
        self._stopped = False

    def __call__(self) -> R:
        with self._store.read() as connection:
            try:
                with self._lock:
                    if self._stopped:
                        raise InterruptedError
                    self._driver = connection.connection.driver_connection
                return self._act(connection)
            finally:
                with self._lock:
                    self._driver = None
                if self._stopped:
                    connection.invalidate()  # a request to cancel it may be on its way: it must hit nobody else

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            if isinstance(self._driver, sqlite3.Connection):
                self._driver.interrupt()
            elif self._driver is not None:
                with suppress(Exception):  # the database is away: then the statement ends by itself
                    self._driver.cancel_safe(timeout=CANCEL_SECONDS)
