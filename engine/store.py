"""The database: one copy of each statement for SQLite and PostgreSQL.

Store code is synchronous. Asynchronous code calls it through `Store.reading` and `Store.writing`, which use a thread.
"""

from __future__ import annotations

import asyncio
import fcntl
import threading
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    FunctionElement,
    create_engine,
    event,
    literal,
    select,
    text,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.compiler import compiles

from engine.clock import Clock, steady
from engine.errors import Misconfigured, Unavailable
from engine.tables import EPOCH, MILLISECOND, Instant

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from datetime import datetime

    from sqlalchemy import Table

P = ParamSpec("P")
R = TypeVar("R")

CONNECTIONS = 10  # PostgreSQL connections per process: claims, records and reads overlap, no more
PG_CONNECT_SECONDS = 3  # a database that is gone must become a 503 while the caller still waits
# Every statement is for few rows: what parallel workers and compiled plans cost before they begin is never won back.
PG_OPTIONS = (
    "-c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000"
    " -c max_parallel_workers_per_gather=0 -c jit=off"
)
SQLITE_MAPPED = 1 << 30  # bytes of the file that are read as memory: a page costs no system call, and no copy
SQLITE_BUSY_MS = 10_000  # somebody else's sqlite3 shell may hold the file; our own processes queue at the gate


class Now(FunctionElement[Any]):
    """The database's clock, so that machines with skewed clocks agree; stable within a statement."""

    type = Instant()
    inherit_cache = True


def after(delay: timedelta | ColumnElement[int]) -> ColumnElement[Any]:
    """The database's clock plus a delay; as an SQL expression, in milliseconds, where NULL gives NULL."""
    milliseconds = literal(delay // MILLISECOND, BigInteger) if isinstance(delay, timedelta) else delay
    return type_coerce(type_coerce(Now(), BigInteger) + milliseconds, Instant)


@compiles(Now, "sqlite")
def _now_sqlite(_element: Now, _compiler: Any, **_: Any) -> str:
    return "CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"


@compiles(Now, "postgresql")
def _now_postgresql(_element: Now, _compiler: Any, **_: Any) -> str:
    return "CAST(extract(epoch FROM statement_timestamp()) * 1000 AS BIGINT)"


class _Gate:
    """Lets one writer of an SQLite file in at a time, across threads and processes.

    SQLite's own busy handler sleeps and polls, up to 100 ms a time; a file lock wakes the next writer at once.
    """

    def __init__(self, path: Path) -> None:
        self._thread = threading.Lock()
        self._file = path.open("w")

    def __enter__(self) -> None:
        self._thread.acquire()
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._thread.release()

    def close(self) -> None:
        self._file.close()


class Store:
    """The way to the tables. `url` is an SQLAlchemy URL of SQLite or PostgreSQL; Misconfigured without a folder for it.

    Every method raises Unavailable when the database does not answer.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self.clock = Clock()
        event.listen(self._engine, "connect", _telling(self._engine.dialect, self.clock))
        snapshot = {} if self.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}  # SQLite's own way
        self._views = self._engine.execution_options(**snapshot)
        self._gate: AbstractContextManager[None] = nullcontext()
        if self.dialect.name == "sqlite":
            try:
                self._gate = _Gate(Path(f"{self._engine.url.database}.gate"))
            except OSError as error:
                raise Misconfigured(f"{self._engine.url.database}: {error.strerror}") from None

    @property
    def engine(self) -> Engine:
        """For migrations, which run their own statements."""
        return self._engine

    @property
    def dialect(self) -> Dialect:
        """Which of the two databases this is."""
        return self._engine.dialect

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One moment of the database, for all statements in the block; nothing is written."""
        with _translated(), self._views.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: committed (and on disk) when the block ends, rolled back when it raises."""
        with self._gate, _translated(), self._engine.connect() as connection:
            connection.execution_options(varsel_begin="BEGIN IMMEDIATE")
            with connection.begin():
                yield connection

    async def reading(self, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `act(connection, …)` on a view, in a thread."""

        def call() -> R:
            with self.read() as connection:
                return act(connection, *args, **kwargs)

        return await asyncio.to_thread(call)

    async def writing(self, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call `act(connection, …)` in a transaction, in a thread."""

        def call() -> R:
            with self.write() as connection:
                return act(connection, *args, **kwargs)

        return await asyncio.to_thread(call)

    async def now(self) -> datetime:
        """The database's time; asked for only while no connection has told it yet."""
        if not self.clock.known:
            await self.reading(ping)
        return self.clock.now()

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()
        if isinstance(self._gate, _Gate):
            self._gate.close()


def insert_new(dialect: str, table: Table) -> Any:
    """An INSERT that leaves a row alone which is there already (neither database needs a savepoint for it)."""
    build = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return build(table).on_conflict_do_nothing()


def now(connection: Connection) -> datetime:
    """The database's time, of the newest statement."""
    found: datetime = connection.execute(select(Now())).scalar_one()
    return found


def ping(connection: Connection) -> None:
    """Ask the database for a sign of life."""
    connection.execute(text("SELECT 1"))


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(
            url, pool_size=CONNECTIONS, hide_parameters=True, connect_args={"check_same_thread": False}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        return engine
    return create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=PG_CONNECT_SECONDS,
        pool_pre_ping=True,
        hide_parameters=True,  # an error in the log shows no recipient and no subject
        connect_args={"connect_timeout": PG_CONNECT_SECONDS, "options": PG_OPTIONS},
    )


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
    for pragma in (
        f"busy_timeout={SQLITE_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "journal_size_limit=67108864",
        f"mmap_size={SQLITE_MAPPED}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _telling(dialect: Dialect, clock: Clock) -> Callable[[Any, object], None]:
    """What each new connection does first: it tells the clock what time the database has."""
    question = str(select(Now()).compile(dialect=dialect))

    def tell(connection: Any, _record: object) -> None:
        asked = steady()
        cursor = connection.cursor()
        cursor.execute(question)
        clock.tell(EPOCH + cursor.fetchone()[0] * MILLISECOND, asked)
        cursor.close()
        connection.rollback()  # psycopg has begun a transaction

    return tell


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("varsel_begin", "BEGIN"))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn "it does not answer" into Unavailable; a wrong statement stays the bug that it is."""
    try:
        yield
    except (OperationalError, PoolTimeoutError) as error:
        raise Unavailable("the database") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise Unavailable("the database") from error
        raise
