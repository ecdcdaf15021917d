"""A large installation's database: orders, e-mails, attempts, events and deliveries of thirty days, made in SQL."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, text

from bench import stored
from bench.figures import say
from bench.stored import HOURS_KEPT, MINUTES_KEPT, PER_ORDER, statement
from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.db.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

STEP = 1_000_000  # rows of a statement, after which progress is printed
OF_LARGE = 10  # one order has as many more e-mails as a tenth of all

_RANGES = (  # how many e-mails there are for each of these
    ("orders", stored.ORDERS, PER_ORDER),
    ("e-mails", stored.EMAILS, 1),
    ("attempts", stored.ATTEMPTS, 1),
    ("events", stored.EVENTS, 1),
    ("deliveries", stored.DELIVERIES, PER_ORDER),
)
_INDEXES = {  # our own, with the statements that make them
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexname LIKE 'ix_%'",
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
}
_SETTINGS = {
    "postgresql": (
        "SET statement_timeout = 0",
        "SET synchronous_commit = off",
        "SET session_replication_role = replica",
        "SET maintenance_work_mem = '1GB'",
    ),
    "sqlite": (
        "PRAGMA journal_mode = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = OFF",
        "PRAGMA cache_size = -1000000",
    ),
}
_SIZE = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}


def make(url: str, mails: int, *, busy: bool = False) -> None:
    """Fill a new database: so many e-mails, as many events, a tenth of orders and of deliveries.

    `busy`: much of it is due, and one more order, of a tenth as many e-mails, is being sent.
    """
    with filling(url) as connection:
        dialect = connection.dialect.name
        indexes = connection.execute(text(_INDEXES[dialect])).all()
        for name, _ in indexes:
            connection.execute(text(f'DROP INDEX "{name}"'))
        if dialect == "postgresql":
            _vacuum_by_itself(connection, "SET (autovacuum_enabled = off)")
        fill(connection, 1, mails, mails)
        orders = mails // PER_ORDER
        _insert(connection, "keys", stored.KEYS, (1, orders, orders))
        _insert(connection, "subscriptions", stored.SUBSCRIPTIONS, (1, 100, 100))
        _insert(connection, "history", stored.HISTORY, (1, MINUTES_KEPT, MINUTES_KEPT))
        _insert(connection, "history_hours", stored.HOURS, (1, HOURS_KEPT, HOURS_KEPT))
        if busy:
            _fill_busy(connection, mails)
        for name, definition in indexes:
            started = time.monotonic()
            connection.exec_driver_sql(definition, execution_options={"no_parameters": True})
            say(f"archive: {name} made in {time.monotonic() - started:.0f} s")
        number_from(connection, 2 * mails)
        if dialect == "postgresql":
            _vacuum_by_itself(connection, "RESET (autovacuum_enabled)")
            connection.execute(text("VACUUM ANALYZE"))
        size = connection.execute(text(_SIZE[dialect])).scalar_one()
        say(f"archive: {mails:,} e-mails and as many events are there, {size / 1e9:.1f} GB")


@contextmanager
def filling(url: str) -> Iterator[Connection]:
    """A connection that stores fast, to a database that has the tables after this."""
    store = Store(url)
    upgrade(store)
    store.close()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in _SETTINGS[connection.dialect.name]:
            connection.execute(text(setting))
        yield connection
    engine.dispose()


def fill(connection: Connection, first: int, last: int, mails: int) -> None:
    """Store the e-mails with these numbers, of so many, and what belongs to them."""
    for what, sql, per in _RANGES:
        _insert(connection, what, sql, ((first - 1) // per + 1, last // per, mails // per))


def number_from(connection: Connection, first: int) -> None:
    """Let what is stored by others have these numbers; SQLite counts on from the last one."""
    for table in ("orders", "emails", "email_attempts", "events", "deliveries"):
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT setval('{table}_seq_seq', {first})"))


def _fill_busy(connection: Connection, mails: int) -> None:
    order, more = mails // PER_ORDER + 1, mails + mails // OF_LARGE
    at = round(time.time() * 1000)  # identifiers of an order's e-mails begin with its time
    _insert(connection, "large order", stored.LARGE_ORDER, (order, order, mails), ":now", at)
    _insert(connection, "e-mails of it", stored.LARGE_EMAILS, (mails + 1, more, mails), ":now", at)
    _insert(connection, "attempts at it", stored.LARGE_ATTEMPTS, (mails + 1, more, mails), ":now", at)
    for sql in stored.BUSY:
        _insert(connection, "busy", sql, (1, 1, mails))
    for sql in stored.FAILURES:
        _insert(connection, "failures", sql, (1, stored.SUMS, stored.SUMS))


def _insert(  # noqa: PLR0913, PLR0917 what is to be said of rows
    connection: Connection,
    what: str,
    sql: str,
    rows: tuple[int, int, int],
    made: str = stored.MADE,
    now: int | None = None,
) -> None:
    """Insert the rows from one to another, of so many."""
    now = now or round(time.time() * 1000)
    begin, end, count = rows
    for first in range(begin, end + 1, STEP):
        last = min(end, first + STEP - 1)
        step = statement(connection.dialect.name, sql, (first, last, count), now, made)
        connection.exec_driver_sql(step, execution_options={"no_parameters": True})
        if last % (STEP * 2) == 0 or last == end:
            say(f"archive: {last:,} {what}")


def _vacuum_by_itself(connection: Connection, setting: str) -> None:
    for table in metadata.sorted_tables:
        connection.execute(text(f"ALTER TABLE {table.name} {setting}"))
