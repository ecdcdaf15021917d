"""What is in a database: its schema's step, rows and greatest number of each table, indexes and constraints.

It is asked over a connection of the driver's own, since a dump and its census must see the same moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Dialect, column, func, select, table, text

from engine.db.dialects import Now
from engine.db.tables import EPOCH, MILLISECOND, metadata

if TYPE_CHECKING:
    from datetime import datetime

Ask: TypeAlias = Callable[[str], Sequence[Sequence[Any]]]  # a statement without parameters; its rows

_NUMBER = "seq"  # the column by which rows are numbered, where they are
_TABLES = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename",
}
_SHAPE = {
    "sqlite": "SELECT type || ' ' || name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "postgresql": """
SELECT 'table ' || tablename FROM pg_tables WHERE schemaname = current_schema()
UNION ALL SELECT 'index ' || indexname FROM pg_indexes WHERE schemaname = current_schema()
UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
UNION ALL SELECT 'sequence ' || sequencename FROM pg_sequences WHERE schemaname = current_schema()""",
}
_GIVEN = {  # the greatest number that a table has given so far, by table
    "sqlite": "SELECT name, seq FROM sqlite_sequence",
    "postgresql": """
SELECT holder.relname, last_value FROM pg_sequences
JOIN pg_class AS its ON its.relname = sequencename AND its.relnamespace = schemaname::regnamespace
JOIN pg_depend ON pg_depend.objid = its.oid AND deptype IN ('a', 'i')
JOIN pg_class AS holder ON holder.oid = refobjid WHERE schemaname = current_schema()""",
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Of a table: how many rows, and the greatest number that one has (None: they are not numbered, or none is)."""

    count: int
    greatest: int | None


@dataclass(frozen=True, slots=True)
class Census:
    """What was found at a moment, by the database's clock; `shape`: tables, indexes and so on, by kind and name."""

    moment: datetime
    revision: str
    rows: Mapping[str, Rows]
    shape: frozenset[str]


def take(ask: Ask, dialect: Dialect, progress: Callable[[int, int], None]) -> Census:
    """Count all tables; `progress` gets how many are counted, and of how many."""
    [[moment]] = ask(str(select(Now()).compile(dialect=dialect)))
    [[revision]] = ask(str(select(text("version_num")).select_from(text("alembic_version"))))
    names = [name for [name] in ask(_TABLES[dialect.name])]
    rows = {}
    for done, name in enumerate(names):
        progress(done, len(names))
        rows[name] = _count(ask, dialect, name)
    progress(len(names), len(names))
    shape = frozenset(each for [each] in ask(_SHAPE[dialect.name]))
    return Census(EPOCH + moment * MILLISECOND, revision, rows, shape)


def spent(ask: Ask, dialect: Dialect, rows: Mapping[str, Rows]) -> list[str]:
    """Tables that would give a row a number that another row has already."""
    given = {name: number or 0 for name, number in ask(_GIVEN[dialect.name])}
    return [name for name, its in rows.items() if name in given and given[name] < (its.greatest or 0)]


def _count(ask: Ask, dialect: Dialect, name: str) -> Rows:
    known = metadata.tables.get(name)
    numbered = known is not None and _NUMBER in known.c
    columns = [func.count(), *([func.max(column(_NUMBER))] if numbered else [])]
    [[count, *greatest]] = ask(str(select(*columns).select_from(table(name)).compile(dialect=dialect)))
    return Rows(count, greatest[0] if greatest else None)
