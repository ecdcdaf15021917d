"""What SQLite and PostgreSQL write differently: the time, and an INSERT of a row that may exist already."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, ColumnElement, Connection, FunctionElement, literal, select, type_coerce
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.compiler import compiles

from engine.db.tables import MILLISECOND, Instant

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Column, Insert, Table


# Not extract(), which computes with decimal numbers: that takes three times as long, for each row anew.
_MILLISECONDS = "CAST(date_part('epoch', {}) * 1000 AS BIGINT)"


class Now(FunctionElement[Any]):
    """The database's clock, so that machines with skewed clocks agree; stable within a statement."""

    type = Instant()
    inherit_cache = True


class RowNow(Now):
    """The time of each row of a statement, which may have waited for a lock. PostgreSQL only."""

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
    return _MILLISECONDS.format("statement_timestamp()")


@compiles(RowNow, "postgresql")
def _row_now_postgresql(_element: RowNow, _compiler: Any, **_: Any) -> str:
    return _MILLISECONDS.format("clock_timestamp()")


_NOW = select(Now())


def now(connection: Connection) -> datetime:
    """The database's time, of the newest statement."""
    found: datetime = connection.execute(_NOW).scalar_one()
    return found


def insert_new(dialect: str, table: Table) -> Insert:
    """An INSERT that leaves a row that exists already unchanged (neither database needs a savepoint for it)."""
    build = sqlite_insert if dialect == "sqlite" else postgresql_insert
    return build(table).on_conflict_do_nothing()


def insert_or_lock(dialect: str, table: Table, key: Column[Any]) -> Insert:
    """An INSERT that locks a row that has this key already; both are returned."""
    build = sqlite_insert if dialect == "sqlite" else postgresql_insert
    insert = build(table)
    return insert.on_conflict_do_update(index_elements=[key], set_={key.name: insert.excluded[key.name]})
