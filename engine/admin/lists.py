"""Pages of a list: a bounded time each, whatever the size of the table.

A page begins where the one before ended, by key: the last page is as quick as the first, and new rows move nothing.
Conditions without an index are checked within a WINDOW of rows; when that has too few matches, the page says how far
back it has looked, and the next one goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Uuid, func, or_, select, tuple_

from engine.admin.filters import number, parse
from engine.admin.rows import ROWS
from engine.db.dialects import now
from engine.db.tables import EPOCH, MILLISECOND, Instant, milliseconds
from engine.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, ColumnElement, Connection, Row, Select

    from engine.admin.narrowed import Narrowed, Part
    from engine.admin.resources import Resource

WINDOW = 10_000  # rows that a page looks at for conditions that no index answers
SIZE = 50  # rows of a page
LARGEST = 1_000
_NO_CURSOR = {"cursor": ["Not a cursor of this list; begin at its newest page."]}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as dictionaries, and where the next page begins (None: there is none).

    `looked_back`: the page has too few matches, but there may be more: `next` is the last row that it looked at.
    """

    items: list[dict[str, Any]]
    next: str | None
    looked_back: bool = False


def page(
    connection: Connection, resource: Resource, given: Mapping[str, str], cursor: str | None = None, size: int = SIZE
) -> Page:
    """A page of the rows that match `given` (a query string's values), from `cursor` on; Invalid for wrong ones."""
    found, end = _shown_on(connection, resource, given, cursor, size + 1)
    items = ROWS[resource.name](connection, [row.key for row in found[:size]])
    if len(found) > size:
        return Page(items, _cursor(found[size - 1][1:]))
    return Page(items, None if end is None else _cursor(end), looked_back=end is not None)


def count_of_page(connection: Connection, resource: Resource, given: Mapping[str, str], size: int) -> int:
    """How many rows the first page has that is so large; Invalid."""
    return len(_shown_on(connection, resource, given, None, size)[0])


def count(
    connection: Connection, resource: Resource, given: Mapping[str, str], also: ColumnElement[bool], most: int
) -> int:
    """How many rows match, counted up to `most`; `also`: a further condition. Its time has no bound."""
    narrowed = _narrowed(connection, resource, given)
    parts = or_(*(part.which for part in narrowed.parts))
    matching = select(resource.key).where(parts, *narrowed.by, *narrowed.rest, also).limit(most).subquery()
    return connection.execute(select(func.count()).select_from(matching)).scalar_one()


def batch(  # noqa: PLR0913, PLR0917 a page without its rows
    connection: Connection,
    resource: Resource,
    given: Mapping[str, str],
    also: ColumnElement[bool],
    cursor: str | None,
    size: int,
) -> tuple[list[Any], str | None]:
    """The keys of up to `size` matching rows from `cursor` on, and the cursor behind them; None: that was all."""
    narrowed = _narrowed(connection, resource, given)
    found: list[Row[Any]] = []
    for part, beyond in _from(narrowed, cursor):
        chosen = _ordered(resource, narrowed, part).where(*narrowed.rest, also, *beyond)
        found += connection.execute(chosen.limit(size - len(found))).all()
        if len(found) == size:
            return [row.key for row in found], _cursor(found[-1][1:])
    return [row.key for row in found], None


def _shown_on(
    connection: Connection, resource: Resource, given: Mapping[str, str], cursor: str | None, size: int
) -> tuple[Sequence[Row[Any]], tuple[Any, ...] | None]:
    """The keys and places of a page's rows, and the end of the window that was searched; None: it has no end."""
    narrowed = _narrowed(connection, resource, given)
    found: list[Row[Any]] = []
    for part, beyond in _from(narrowed, cursor):
        looked_at = _ordered(resource, narrowed, part).where(*beyond)
        end = _window_end(connection, looked_at) if narrowed.rest else None
        chosen = looked_at.where(*narrowed.rest, *([] if end is None else [_within(narrowed, part, end)]))
        found += connection.execute(chosen.limit(size - len(found))).all()
        if end is not None or len(found) == size:
            return found, end
    return found, None


def _narrowed(connection: Connection, resource: Resource, given: Mapping[str, str]) -> Narrowed:
    return resource.narrow(connection, parse(given, resource.fields, now(connection)))


def _from(narrowed: Narrowed, cursor: str | None) -> Sequence[tuple[Part, Sequence[ColumnElement[bool]]]]:
    """The parts of a list from the cursor on, each with what lies beyond that; Invalid.

    The length of a cursor says of which part it is.
    """
    if cursor is None:
        return [(part, ()) for part in narrowed.parts]
    texts = cursor.split(".")
    for place, part in enumerate(narrowed.parts):
        if len(part.order) == len(texts):
            beyond = _beyond(narrowed, part, _position(part, texts))
            return [(part, [beyond]), *((behind, ()) for behind in narrowed.parts[place + 1 :])]
    raise Invalid(_NO_CURSOR)


def _ordered(resource: Resource, narrowed: Narrowed, part: Part) -> Select[Any]:
    """What an index answers of a part.

    Where it is sorted afterwards, no index may seem to have that order: for a frequent text, PostgreSQL would walk
    through the whole list, and expect to meet one soon.
    """
    chosen = select(resource.key.label("key"), *part.order).where(part.which, *narrowed.by)
    order = [func.coalesce(column, column) for column in part.order] if narrowed.sorted else part.order
    return chosen.order_by(*(column.desc() if narrowed.newest_first else column for column in order))


def _window_end(connection: Connection, looked_at: Select[Any]) -> tuple[Any, ...] | None:
    """Where the window's last row stands; None: the window reaches to the end of the part."""
    row = connection.execute(looked_at.offset(WINDOW - 1).limit(1)).one_or_none()
    return None if row is None else tuple(row[1:])


def _beyond(narrowed: Narrowed, part: Part, position: tuple[Any, ...]) -> ColumnElement[bool]:
    place, given = _place(part), _values(part, position)
    beyond: ColumnElement[bool] = place < given if narrowed.newest_first else place > given
    return beyond


def _within(narrowed: Narrowed, part: Part, position: tuple[Any, ...]) -> ColumnElement[bool]:
    place, given = _place(part), _values(part, position)
    within: ColumnElement[bool] = place >= given if narrowed.newest_first else place <= given
    return within


def _place(part: Part) -> Any:
    first, *more = part.order
    return tuple_(first, *more) if more else first


def _values(part: Part, position: tuple[Any, ...]) -> Any:
    return tuple_(*position, types=[column.type for column in part.order]) if position[1:] else position[0]


def _cursor(position: Sequence[Any]) -> str:
    return ".".join(_shown(value) for value in position)


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return str(milliseconds(value))
    return value.hex if isinstance(value, UUID) else str(value)


def _position(part: Part, texts: Sequence[str]) -> tuple[Any, ...]:
    try:
        return tuple(_read(column, text) for column, text in zip(part.order, texts, strict=True))
    except (ValueError, OverflowError):
        raise Invalid(_NO_CURSOR) from None


def _read(column: Column[Any], text: str) -> Any:
    if isinstance(column.type, Uuid):
        return UUID(text)
    value = number(text)
    return EPOCH + value * MILLISECOND if isinstance(column.type, Instant) else value
