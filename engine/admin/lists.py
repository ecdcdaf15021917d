"""Pages of a list: a bounded time each, whatever the size of the table.

A page begins where the one before ended, by key: the last page is as quick as the first, and new rows move nothing.
Conditions without an index are checked within a WINDOW of rows; when that has too few matches, the page says how far
back it has looked, and the next one goes on from there. Pages lead both ways: the one before ends where a page begins.
Totals are counted as far as a page's time allows, and say so where they are not all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, tuple_

from engine.admin import cursors
from engine.admin.amounts import Amount
from engine.admin.counts import COUNTED
from engine.admin.filters import PAGE, parse
from engine.admin.rows import ROWS
from engine.db.dialects import now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from engine.admin.narrowed import Narrowed, Part
    from engine.admin.resources import Resource

WINDOW = 10_000  # rows that a page looks at for conditions that no index answers
ELSEWHERE = 3  # that a row counts as where another table has to be asked, too
SIZE = PAGE  # rows of a page
LARGEST = 1_000
COUNTED_ONE_BY_ONE = 1_000  # rows of a total that are looked at for their conditions


class Sort(StrEnum):
    """In which direction a list stands, as `aria-sort` has it."""

    ASCENDING = "ascending"
    DESCENDING = "descending"


@dataclass(frozen=True, slots=True)
class Place:
    """Which page of a list is meant: that behind the row `cursor`, that which ends with the row `before`, or the first.

    `sort` None: in the list's usual direction.
    """

    cursor: str | None = None
    before: str | None = None
    sort: Sort | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows as dictionaries, and where the next page begins (None: there is none).

    `looked_back`: the page has too few matches, but there may be more: `next` is the last row that it looked at; of a
    page that was reached by going back, `previous` is the first that it did not look at.
    """

    items: list[dict[str, Any]]
    next: str | None
    looked_back: bool = False
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """A page as people look at it: with the list's total (None: not counted), and the column by which it stands.

    `sort`, `usual`: its direction, and the one that it has unless another is asked for.
    """

    page: Page
    total: Amount | None
    column: str
    sort: Sort
    usual: Sort


def page(  # noqa: PLR0913, PLR0917 what is wanted of a list has so many parts
    connection: Connection,
    resource: Resource,
    given: Mapping[str, str],
    cursor: str | None = None,
    size: int = SIZE,
    sort: Sort | None = None,
) -> Page:
    """A page of the rows that match `given` (a query string's values), from `cursor` on; Invalid for wrong ones.

    `sort` None: in the list's usual direction.
    """
    narrowed = _turned(_narrowed(connection, resource, given), sort)
    return _page(connection, resource, *_shown_on(connection, resource, narrowed, cursor, size + 1), size)


def view(connection: Connection, resource: Resource, given: Mapping[str, str], place: Place, size: int = SIZE) -> View:
    """The page at that place, with what people want to know of the whole list; Invalid."""
    narrowed = _narrowed(connection, resource, given)
    column, usual = narrowed.parts[0].order[0].name, _direction(narrowed)
    narrowed = _turned(narrowed, place.sort)
    total = None
    if place.before:
        found = _before(connection, resource, narrowed, place.before, size)
    elif narrowed.checks and not place.cursor:
        keys, end = _shown_on(connection, resource, narrowed, None, max(size, COUNTED_ONE_BY_ONE) + 1)
        number = min(len(keys), COUNTED_ONE_BY_ONE)
        total = Amount(number, more=number < len(keys) or end is not None or narrowed.cut)
        found = _page(connection, resource, keys, end, size)
    else:
        keys, end = _shown_on(connection, resource, narrowed, place.cursor, size + 1)
        found = replace(_page(connection, resource, keys, end, size), previous=place.cursor)
    if not narrowed.checks:
        total = _total(connection, resource, narrowed)
    return View(found, total, column, _direction(narrowed), usual)


def count_of_page(connection: Connection, resource: Resource, given: Mapping[str, str], size: int) -> int:
    """How many rows the first page has that is so large; Invalid."""
    return len(_shown_on(connection, resource, _narrowed(connection, resource, given), None, size)[0])


def may_have(
    connection: Connection, resource: Resource, given: Mapping[str, str], *which: ColumnElement[bool]
) -> list[bool]:
    """Of each of these, whether it is true of a row that matches, or there are more than are looked at; Invalid."""
    narrowed = _narrowed(connection, resource, given)
    looked_at = ((part, _ordered(resource, narrowed, part)) for part in narrowed.parts)
    more = any(_window_end(connection, narrowed, *each) for each in looked_at)
    its = (replace(narrowed, rest=[*narrowed.rest, one]) for one in which)
    return [more or bool(_shown_on(connection, resource, each, None, 1)[0]) for each in its]


def counts(  # noqa: PLR0913, PLR0917 two counts in one look
    connection: Connection,
    resource: Resource,
    given: Mapping[str, str],
    also: ColumnElement[bool],
    part: ColumnElement[bool],
    most: int,
) -> tuple[int, int]:
    """How many rows match, counted up to `most`, and of how many of these `part` is true. Its time has no bound.

    `also`: a further condition.
    """
    narrowed = _narrowed(connection, resource, given)
    parts = or_(*(each.which for each in narrowed.parts))
    chosen = select(part.label("part")).select_from(resource.table)
    matching = chosen.where(parts, *narrowed.all, also).limit(most).subquery()
    numbers = select(func.count(), func.count().filter(matching.c.part)).select_from(matching)
    number, of_these = connection.execute(numbers).one()
    return number, of_these


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
        chosen = _ordered(resource, narrowed, part, *beyond).where(*narrowed.checks, also)
        found += connection.execute(chosen.limit(size - len(found))).all()
        if len(found) == size:
            return [row.key for row in found], cursors.written(found[-1][1:])
    return [row.key for row in found], None


def _page(
    connection: Connection, resource: Resource, found: Sequence[Row[Any]], end: tuple[Any, ...] | None, size: int
) -> Page:
    """The first rows of what was found, and where it goes on."""
    items = ROWS[resource.name](connection, [row.key for row in found[:size]])
    if len(found) > size:
        return Page(items, cursors.written(found[size - 1][1:]))
    return Page(items, None if end is None else cursors.written(end), looked_back=end is not None)


def _before(connection: Connection, resource: Resource, narrowed: Narrowed, before: str, size: int) -> Page:
    """The page that ends with the row `before`; the first one has what is left."""
    found, end = _shown_on(connection, resource, narrowed.reversed(), before, size + 1, itself=True)
    items = ROWS[resource.name](connection, [row.key for row in reversed(found[:size])])
    if len(found) > size:
        return Page(items, before, previous=cursors.written(found[size][1:]))
    previous = None if end is None else cursors.written(end)
    return Page(items, before, looked_back=end is not None or not found, previous=previous)


def _total(connection: Connection, resource: Resource, narrowed: Narrowed) -> Amount:
    """How many rows an index finds, counted up to COUNTED."""
    number = 0
    for part in narrowed.parts:
        chosen = _ordered(resource, narrowed, part)
        if narrowed.sorted:
            chosen = chosen.order_by(None)
        its = chosen.limit(COUNTED + 1 - number).subquery()
        number += connection.execute(select(func.count()).select_from(its)).scalar_one()
    return Amount(min(number, COUNTED), more=number > COUNTED or narrowed.cut)


def _shown_on(  # noqa: PLR0913 where a page begins has so many parts
    connection: Connection,
    resource: Resource,
    narrowed: Narrowed,
    cursor: str | None,
    size: int,
    *,
    itself: bool = False,
) -> tuple[Sequence[Row[Any]], tuple[Any, ...] | None]:
    """The keys and places of a page's rows, and the end of the window that was searched; None: it has no end.

    `itself`: from the cursor's row on, and the end is the first row that was not looked at.
    """
    found: list[Row[Any]] = []
    for part, beyond in _from(narrowed, cursor, itself=itself):
        looked_at = _ordered(resource, narrowed, part, *beyond)
        end = _window_end(connection, narrowed, part, looked_at, itself=itself) if narrowed.checks else None
        within = [] if end is None else [_compared(narrowed, part, end, beyond=False, itself=not itself)]
        chosen = _ordered(resource, narrowed, part, *within, *beyond).where(*narrowed.checks)
        found += connection.execute(chosen.limit(size - len(found))).all()
        if end is not None or len(found) == size:
            return found, end
    return found, None


def _narrowed(connection: Connection, resource: Resource, given: Mapping[str, str]) -> Narrowed:
    return resource.narrow(connection, parse(given, resource.fields, now(connection)))


def _direction(narrowed: Narrowed) -> Sort:
    return Sort.DESCENDING if narrowed.newest_first else Sort.ASCENDING


def _turned(narrowed: Narrowed, sort: Sort | None) -> Narrowed:
    return narrowed if sort in (None, _direction(narrowed)) else narrowed.reversed()


def _from(
    narrowed: Narrowed, cursor: str | None, *, itself: bool = False
) -> Sequence[tuple[Part, Sequence[ColumnElement[bool]]]]:
    """The parts of a list behind the cursor, each with what lies there; or from that row `itself` on; Invalid."""
    if cursor is None:
        return [(part, ()) for part in narrowed.parts]
    place, position = cursors.read(narrowed.parts, cursor)
    part = narrowed.parts[place]
    beyond = _compared(narrowed, part, position, beyond=True, itself=itself)
    return [(part, [beyond]), *((behind, ()) for behind in narrowed.parts[place + 1 :])]


def _ordered(resource: Resource, narrowed: Narrowed, part: Part, *within: ColumnElement[bool]) -> Select[Any]:
    """What an index answers of a part, `within` the bounds of a page.

    These come first: of two bounds on one side, SQLite begins or ends at the first that it meets, and reads all rows up
    to the other.

    Where it is sorted afterwards, no index may seem to have that order: for a frequent text, PostgreSQL would walk
    through the whole list, and expect to meet one soon.
    """
    chosen = select(resource.key.label("key"), *part.order).where(*within, part.which, *narrowed.indexed)
    order = [func.coalesce(column, column) for column in part.order] if narrowed.sorted else _order(narrowed, part)
    return chosen.order_by(*(column.desc() if narrowed.newest_first else column for column in order))


def _window_end(
    connection: Connection, narrowed: Narrowed, part: Part, looked_at: Select[Any], *, itself: bool = False
) -> tuple[Any, ...] | None:
    """The place at which the window ends; None: there are fewer rows, so it reaches to the part's end."""
    after = (WINDOW // ELSEWHERE if narrowed.asks_elsewhere else WINDOW) - (not itself)
    row = connection.execute(looked_at.with_only_columns(*part.order).offset(after).limit(1)).one_or_none()
    return None if row is None else tuple(row)


def _compared(
    narrowed: Narrowed, part: Part, position: tuple[Any, ...], *, beyond: bool, itself: bool
) -> ColumnElement[bool]:
    """What stands beyond a position, or before it; with the row at that position `itself`, or without."""
    below = beyond == narrowed.newest_first
    if narrowed.walked:
        return and_(*narrowed.walked.bound(position[0], below=below, itself=itself))
    place: Any = tuple_(*part.order) if position[1:] else part.order[0]
    given = tuple_(*position, types=[column.type for column in part.order]) if position[1:] else position[0]
    less, greater = (place <= given, place >= given) if itself else (place < given, place > given)
    found: ColumnElement[bool] = less if below else greater
    return found


def _order(narrowed: Narrowed, part: Part) -> Sequence[ColumnElement[Any]]:
    """The columns of the index by which a part is walked through."""
    return [narrowed.walked.column, *part.order] if narrowed.walked else part.order
