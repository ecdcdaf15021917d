"""What the clock looks at now and then for everybody, because it takes too long for each who looks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from engine.db.dialects import Now, after, insert_new, now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Table

NEW = timedelta(minutes=2)  # for which it is told in place of a look, unless the clock looks again before


def is_new(table: Table) -> ColumnElement[bool]:  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    """Whether what a row tells may stand in place of a look."""
    return table.c.at.between(after(-NEW), Now())


def age(connection: Connection, table: Table) -> timedelta | None:  # type: ignore[explicit-any]  # likewise
    """How far from now the newest of what is kept is, or lies ahead; None: nothing is kept.

    It lies ahead when the database's clock was set back: then it is no newer than one that is as old.
    """
    at = connection.scalar(select(func.max(table.c.at)))
    return None if at is None else abs(now(connection) - at)


def keep(  # type: ignore[explicit-any]  # likewise
    connection: Connection, table: Table, at: datetime, rows: Sequence[Mapping[str, object]]
) -> None:
    """Keep these rows, which were looked at then, in place of those that were kept before; of two clocks, one does."""
    connection.execute(delete(table))
    if rows:
        connection.execute(insert_new(connection.dialect.name, table).values([{**row, "at": at} for row in rows]))
