"""What all tables share. `due_at, claim, unresolved, attempts, state` of a work table: see `engine/queue/due.py`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ColumnElement,
    Dialect,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    literal_column,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
BLOCK = 131_072  # rows; its part of an index has a few megabytes, however many rows there are
SEQUENCE = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only for INTEGER PRIMARY KEY


def milliseconds(moment: datetime) -> int:
    """An aware datetime as milliseconds since 1970 UTC, rounded down."""
    return (moment - EPOCH) // MILLISECOND


class Instant(TypeDecorator[datetime]):
    """A point in time: aware datetime in Python, milliseconds since 1970 UTC in the database.

    Whole numbers let one copy of each statement add a delay to the database's clock on SQLite and PostgreSQL.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> int | None:
        """Aware datetime to milliseconds."""
        return None if value is None else milliseconds(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        """Milliseconds to aware datetime."""
        return None if value is None else EPOCH + value * MILLISECOND


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def work_columns(tries: str = "attempts") -> tuple[Column[Any], ...]:
    """Columns of a table of due work; `tries`: the name of its count of tries."""
    return (
        Column("state", String(40), nullable=False),
        Column("due_at", Instant),
        Column("claim", Integer, nullable=False, default=0),
        Column("unresolved", SmallInteger, nullable=False, default=0),
        Column(tries, SmallInteger, nullable=False, default=0),
    )


def turn_columns() -> tuple[Column[Any], ...]:
    """Columns of a table whose rows are claimed in fair turns; see `engine/queue/fairness.py`."""
    return (
        Column("priority", SmallInteger, nullable=False, server_default="1"),
        Column("rank", BigInteger, CheckConstraint("rank IS NULL OR due_at IS NOT NULL")),
    )


def paused_column() -> Column[Any]:
    """The pause that stops the row, such as creator:ttd; see `engine/queue/pauses.py`."""
    return Column("paused_by", Text)


@cache
def block_of(table: Table) -> ColumnElement[int]:
    """The block of a row, with which an index begins; see `engine/db/blocks.py`."""
    block: ColumnElement[int] = table.c.seq // literal_column(str(BLOCK), Integer)
    return block


def by_beginning(column: str) -> dict[str, Any]:
    """Of an index that finds texts by what they begin with: PostgreSQL compares them byte by byte in it.

    In the order of a language, texts that begin alike need not stand together. SQLite always compares bytes.
    """
    return {"postgresql_ops": {column: "text_pattern_ops"}}


def where_set(column: Column[Any]) -> dict[str, Any]:
    """Of an index that leaves out the rows where this column is NULL: the option, as each database calls it."""
    return where(column.is_not(None))


def where(condition: ColumnElement[bool]) -> dict[str, Any]:
    """Of an index that holds the rows of this condition alone."""
    return {"sqlite_where": condition, "postgresql_where": condition}
