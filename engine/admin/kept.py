"""What the clock looks at now and then for everybody, because it takes too long for each who looks."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select

from engine.db.dialects import Now, after, insert_new, now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, Table

NEW = timedelta(minutes=2)  # for which it is told in place of a look, unless the clock looks again before


def is_new(at: Column[datetime]) -> ColumnElement[bool]:
    """Whether what a row tells, which was looked at then, may stand in place of a look."""
    return at.between(after(-NEW), Now())


def age(connection: Connection, at: Column[datetime]) -> timedelta | None:
    """How far from now the newest of what is kept is, or lies ahead; None: nothing is kept.

    It lies ahead when the database's clock was set back: then it is no newer than one that is as old.
    """
    newest = connection.scalar(select(func.max(at)))
    return None if newest is None else abs(now(connection) - newest)


def keep(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table, at: datetime, rows: Sequence[Mapping[str, object]]
) -> None:
    """Keep these rows, which were looked at then, in place of others; one that another clock has just kept stays."""
    connection.execute(delete(table))
    if rows:
        connection.execute(insert_new(connection.dialect.name, table).values([{**row, "at": at} for row in rows]))
