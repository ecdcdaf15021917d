"""Many rows as one parameter: a JSON array that the database takes apart.

There is one statement per group, whatever its size. Binding values one by one costs 10 to 40 microseconds a row, all
under the interpreter's lock; a JSON text costs one, and the database does the rest while other threads run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import to_json
from sqlalchemy import (
    Connection,
    FunctionElement,
    Insert,
    Text,
    bindparam,
    cast,
    column,
    select,
    true,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import CTE, ColumnElement, Executable, Row, Table
    from sqlalchemy.types import TypeEngine

AnyInsert = TypeVar("AnyInsert", bound=Insert)

LARGEST = 16_000_000  # bytes of one parameter, above which the rows are split; PostgreSQL's limit is 256 MB


class Rows:
    """A table with the given columns, to be read in a statement; `run` passes the rows.

    Values are those of JSON: an Instant is milliseconds, a UUID its hex digits, a state its text (to find that in a
    member of an enumeration takes pydantic 2 µs, twice as long as all else of an order's row).
    """

    def __init__(self, **columns: TypeEngine[Any]) -> None:
        self._columns = columns
        members = [column(name, kind) for name, kind in columns.items()]
        each = _Each(bindparam("rows", type_=Text), *members)
        self.source = each.table_valued(column("value"), *members, name="given")

    def __getitem__(self, name: str) -> ColumnElement[Any]:
        field = _Field(self.source.c.value, self.source.c[name])
        kind = self._columns[name]
        return type_coerce(field, kind) if isinstance(kind, Text) else cast(field, kind)

    def insert_into(self, table: Table, **values: ColumnElement[Any]) -> Insert:
        """An INSERT of every row, its columns by name; `values` are further columns, or replace columns."""
        return self.complete(table.insert(), **values)

    def complete(self, insert: AnyInsert, behind: CTE | None = None, /, **values: ColumnElement[Any]) -> AnyInsert:
        """Likewise, with one database's own INSERT; `behind`: what is read before the first row is written."""
        chosen = {name: self[name] for name in self._columns if name in insert.table.c} | values
        # SQLite would read a following ON CONFLICT as a join's ON, if there were no WHERE.
        rows = select(*chosen.values()).where(true())
        if behind is not None:
            rows = rows.select_from(self.source.join(behind, true()))
        return insert.from_select(list(chosen), rows)


def run(connection: Connection, statement: Executable, rows: Iterable[Mapping[str, Any]]) -> Sequence[Row[Any]]:
    """Execute a statement that reads Rows, with these rows; returns its result, if it has one."""
    found: list[Row[Any]] = []
    for given in _texts(rows):
        result = connection.execute(statement, {"rows": given})
        if result.returns_rows:
            found += result.all()
    return found


def few(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    """The parameter of a statement that reads Rows, if these are so few that they need no splitting."""
    return {"rows": to_json(list(rows)).decode()}


def _texts(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    texts: list[bytes] = []
    size = 0
    for row in rows:
        text = to_json(row)
        if texts and size + len(text) > LARGEST:
            yield _array(texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text)
    if texts:
        yield _array(texts)


def _array(texts: list[bytes]) -> str:
    return f"[{b','.join(texts).decode()}]"


class _Each(FunctionElement[Any]):
    """The elements of a JSON array, as rows; on SQLite with a column `value`, on PostgreSQL with columns of their own.

    PostgreSQL would look for each member of each element by itself, which takes a seventh longer.
    """

    inherit_cache = True


@compiles(_Each, "sqlite")
def _each_sqlite(element: _Each, compiler: Any, **options: Any) -> str:
    array, *_ = element.clauses
    return f"json_each({compiler.process(array, **options)})"


@compiles(_Each, "postgresql")
def _each_postgresql(element: _Each, compiler: Any, **options: Any) -> str:
    array, *members = element.clauses
    columns = ", ".join(
        f"{compiler.preparer.format_column(member)} {member.type.compile(dialect=compiler.dialect)}"
        for member in members
    )
    text = compiler.process(array, **options)
    return f"(SELECT * FROM json_to_recordset(CAST({text} AS JSON)) AS given ({columns}))"


class _Field(FunctionElement[Any]):
    """A member of a JSON object: SQLite finds it in the element's `value`, PostgreSQL has a column of its name."""

    inherit_cache = True


@compiles(_Field, "sqlite")
def _field_sqlite(element: _Field, compiler: Any, **options: Any) -> str:
    value, member = element.clauses
    return f"json_extract({compiler.process(value, **options)}, '$.{member.name}')"


@compiles(_Field, "postgresql")
def _field_postgresql(element: _Field, compiler: Any, **options: Any) -> str:
    _, member = element.clauses
    return str(compiler.process(member, **options))
