"""The way to the database, for SQLite and PostgreSQL alike.

Store code is synchronous. Asynchronous code calls it through `Store.reading` and `Store.writing`, which use a thread.
"""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Dialect, Engine, RootTransaction, event, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.db import postgresql, sqlite
from engine.db.dialects import Now
from engine.db.faults import Fault, Overdue, Strayed, fault
from engine.db.tables import EPOCH, MILLISECOND
from engine.diagnosis import Diagnosis, of_database
from engine.errors import Misconfigured, Unavailable
from engine.runtime.circuit import Circuit, Open
from engine.runtime.clock import Clock, steady
from engine.runtime.hush import still
from engine.text.urls import file_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy.pool import ConnectionPoolEntry

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")

CONNECTIONS = 10  # per process: claims, records and reads overlap, no more
RECORD_AGAIN = 1.0  # seconds until what could not be recorded is recorded again
LASTING = (Fault.SILENT, Fault.SHUT, Fault.REFUSING)  # what the next write would meet as well
ADMITTED = 5.0  # seconds after which `admit` looks at a connection again


class Store:
    """The way to the tables, with so many connections. `url` is an SQLAlchemy URL of SQLite or PostgreSQL.

    Misconfigured without a folder for an SQLite file.

    `admit` looks at the first connection that is had, and at another every few seconds: see engine/db/migrations.
    `gives_way`: on SQLite, writers of other processes go first.
    Every method raises Unavailable when the database does not answer, or does not take what is written; within seconds.
    """

    def __init__(
        self,
        url: str,
        admit: Callable[[Connection], None] | None = None,
        connections: int = CONNECTIONS,
        *,
        gives_way: bool = False,
    ) -> None:
        try:
            create = sqlite.create if url.startswith("sqlite") else postgresql.create
            self._engine = create(url, connections)
        except (SQLAlchemyError, ImportError, TypeError, ValueError) as error:  # its message may have a password
            what = f"the database's address {shown(url)} cannot be used ({type(error).__name__})"
            raise Misconfigured(f"{what}: check its driver and its options") from None
        self.clock = Clock()
        self._closed = False
        event.listen(self._engine, "connect", _telling(self._engine.dialect, self.clock))
        event.listen(self._engine, "checkin", self._returned)
        self._admit = admit
        self._admitted: float | None = None  # when it last did, by the steady clock
        self._reads, self._writes = Circuit(self._is_away), Circuit(self._is_away)
        self._away = Fault.SILENT  # its fault when it was last away
        self._threads = ThreadPoolExecutor(CONNECTIONS, "store")  # its own: a database that hangs stops nothing else
        self._trouble: Unavailable | None = None
        self._diagnosis: Diagnosis | None = None  # of the last fault
        file = file_of(url)
        self._file = sqlite.File(file, self._engine, self._forget, gives_way=gives_way) if file else None

    @property
    def engine(self) -> Engine:
        """For migrations, which run their own statements."""
        return self._engine

    @property
    def dialect(self) -> Dialect:
        """Which of the two databases this is."""
        return self._engine.dialect

    @property
    def trouble(self) -> Unavailable | None:
        """Why the last write of this process failed; None: it did not. Each process writes its heartbeat often."""
        return self._trouble

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment of the database, for all statements in the block; nothing is written."""
        with (
            self._translated(),
            self._reads.calling(),
            self._engine.connect() as connection,
            _begin(connection),
        ):
            self._look(connection)
            yield connection
            self._check_file(connection)

    @contextmanager
    def write(self, *, patient: bool = False, ending: bool = False) -> Iterator[Connection]:
        """One transaction: committed (and on disk) when the block ends, rolled back when it raises.

        `patient`: its statements may take as long as they need. `ending`: it ends what was begun while the schema
        fitted, and `admit` is not asked.
        """
        gate = self._file.gate if self._file else nullcontext()
        try:
            with self._translated(), self._writes.calling(), gate, self._engine.connect() as connection:
                connection.execution_options(varsel_writes=True)
                slow = patient and self.dialect.name == "postgresql"  # SQLite waits for nobody
                with _begin(connection), _patience(connection) if slow else nullcontext():
                    if not ending:
                        self._look(connection)
                    yield connection
                    self._check_file(connection)
        except Unavailable as error:
            if isinstance(error.__cause__, Exception) and fault(error.__cause__) in LASTING:
                self._trouble = error
            raise
        self._trouble = None

    @contextmanager
    def bare(self) -> Iterator[Connection]:
        """A connection to PostgreSQL each of whose statements is a transaction, and may take as long as it needs."""
        with self._translated(), self._engine.connect() as connection:
            bounded: Any = connection.connection.dbapi_connection
            bounded.patient = True
            try:
                yield connection.execution_options(varsel_bare=True)
            finally:
                bounded.patient = False

    async def reading(self, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `act(connection, …)` on a view, in a thread."""
        return await self._in_thread(self.read, act, *args, **kwargs)

    async def writing(self, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `act(connection, …)` in a transaction, in a thread."""
        return await self._in_thread(self.write, act, *args, **kwargs)

    async def recording(self, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Like `writing`, for what must not be forgotten: a database that is away is asked until it is back.

        A commit may be done and its answer be lost, so `act` runs twice: the second time it has to do nothing.
        """
        while True:
            try:
                return await self._in_thread(partial(self.write, ending=True), act, *args, **kwargs)
            except Unavailable as error:
                log.warning("outcomes wait in memory until they are recorded: %s", error.told())
                await asyncio.sleep(RECORD_AGAIN)

    async def now(self) -> datetime:
        """The database's time; asked for only while no connection has told it yet."""
        if not self.clock.known:
            await self.reading(ping)
        return self.clock.now()

    def close(self) -> None:
        """Close idle connections now, and one that a thread still uses when its block ends."""
        self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()
        if self._file:
            self._file.close()

    def _returned(self, _connection: object, record: ConnectionPoolEntry) -> None:
        if self._closed:
            record.invalidate()

    def _look(self, connection: Connection) -> None:
        if self._admit and (self._admitted is None or steady() - self._admitted > ADMITTED):
            self._admit(connection)
            self._admitted = steady()

    def _forget(self) -> None:
        """The database is another one now."""
        self._admitted = None

    def _check_file(self, connection: Connection) -> None:
        if self._file:
            self._file.check(connection)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn what is the database's fault into Unavailable; a wrong statement stays the bug that it is."""
        try:
            yield
        except Open:
            raise self._unavailable(self._away) from None
        except (DBAPIError, PoolTimeoutError, Overdue, Strayed) as error:
            found = fault(error)
            if found is None:
                raise
            self._diagnosis = of_database(error)
            raise self._unavailable(found) from error

    def _is_away(self, error: Exception) -> bool | None:
        """For the circuits: whether nobody gets through to the database; None: that cannot be told."""
        found = fault(error)
        if found in (Fault.SILENT, Fault.SHUT):
            self._away = found
            return True
        return None if found is Fault.PASSING else False

    def _unavailable(self, found: Fault) -> Unavailable:
        return Unavailable("the database", text=f"the database {found.value}", diagnosis=self._diagnosis)

    async def _in_thread(
        self,
        begin: Callable[[], AbstractContextManager[Connection]],
        act: Callable[Concatenate[Connection, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        loop = asyncio.get_running_loop()

        def call() -> R:
            with begin() as connection, still(loop) if self._is_awaited(connection) else nullcontext():
                return act(connection, *args, **kwargs)

        running = loop.run_in_executor(self._threads, copy_context().run, call)
        return await running

    def _is_awaited(self, connection: Connection) -> bool:
        """Whether writers of other processes, which go first, wait until this connection's work is done."""
        writes = connection.get_execution_options().get("varsel_writes")
        return bool(self._file and self._file.gives_way and writes)


def ping(connection: Connection) -> None:
    """Ask the database for a sign of life."""
    connection.execute(text("SELECT 1"))


def _telling(dialect: Dialect, clock: Clock) -> Callable[[Any, object], None]:
    """What each new connection does first: it tells the clock what time the database has."""
    question = str(select(Now()).compile(dialect=dialect))

    def tell(connection: Any, _record: object) -> None:
        asked = steady()
        cursor = connection.cursor()
        cursor.execute(question)
        clock.tell(EPOCH + cursor.fetchone()[0] * MILLISECOND, asked)
        cursor.close()

    return tell


def _begin(connection: Connection) -> RootTransaction:
    """Begin a transaction; where the server has ended an idle connection, on a new one: nothing was asked of it yet."""
    try:
        return connection.begin()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return connection.begin()


@contextmanager
def _patience(connection: Connection) -> Iterator[None]:
    bounded: Any = connection.connection.dbapi_connection
    bounded.patient = True
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    try:
        yield
    finally:
        bounded.patient = False
