"""Reading events: pages in the order of their numbers, after the last event that a reader has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, case, or_, select, true

from engine.db.blocks import onwards
from engine.db.bounded import read_within
from engine.db.frequent import Alike, Stretch
from engine.db.records import EventName, StoredEvent, columns, first, read
from engine.db.tables import block_of, events
from engine.resources import APP

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement

LARGEST = 4_000_000  # characters of events on one page, after which it ends early
# The cost of patterns: a floating character (after a %) may be compared with each character of each event.
WORK = 200_000  # floating characters times events that a page looks at
MOST_LOOKED_AT = 10_000  # events

_STORED, _NAMES = select(*columns(StoredEvent, events.c)), select(*columns(EventName, events.c))
_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A reader's conditions: an event must meet each of them, and one entry of each list."""

    after: str = ""  # an event's id; if it is unknown, the page starts at the beginning
    after_source: str = ""  # that event's source; without it, the first of several events with that id counts
    size: int
    resource: str | None = None
    of_apps: bool = False  # only events of apps
    subject: str | None = None
    alternative_subjects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()  # patterns with % and _
    sources: tuple[str, ...] = ()  # likewise
    any_case: bool = False  # of the patterns
    since: datetime | None = None  # of the event's time, both ends included
    until: datetime | None = None

    @property
    def by_subject(self) -> bool:
        """Whether an index finds the events by what they are about; it begins with the block."""
        return self.subject is not None or bool(self.alternative_subjects)


@dataclass(frozen=True, slots=True)
class Page:
    """Events, and the last event that was looked at: the next page begins after it; None: nothing was left."""

    rows: Sequence[StoredEvent]
    last: EventName | None


def page(connection: Connection, query: Query) -> Page:
    """The next events: at most `size`, about LARGEST characters, and only as many looked at as patterns allow."""
    seen = _seen(connection, query) if query.after else 0
    conditions = _about(query) if query.by_subject else []  # else, there is the resource at most: see `_stretch`
    if query.of_apps:
        conditions.append(events.c.resource.startswith(APP, autoescape=True))
    if query.since:
        conditions.append(events.c.time >= query.since)
    if query.until:
        conditions.append(events.c.time <= query.until)
    found: list[StoredEvent] = []
    for part in onwards(connection, events, seen) if query.by_subject else (true(),):
        end, full = _read_on(connection, query, seen, [*conditions, part], found)
        if full or end is not None:
            return Page(found, found[-1] if full else end)
    return Page(found, found[-1] if found else None)


def _read_on(
    connection: Connection,
    query: Query,
    seen: int,
    conditions: Sequence[ColumnElement[bool]],
    found: list[StoredEvent],
) -> tuple[EventName | None, bool]:
    """Add what meets the conditions to `found`; returns where patterns end the page, and whether it is full."""
    end = _end(connection, query, seen, conditions)
    fitting = [
        or_(*(_fits(connection.dialect.name, column, each, query) for each in patterns))
        for column, patterns in ((events.c.type, query.types), (events.c.source, query.sources))
        if patterns
    ]
    which, order = _stretch(connection, query, seen, None if end is None else end.seq)
    chosen = _STORED.where(*conditions, *which, *fitting).order_by(*order).limit(query.size - len(found))
    room = LARGEST - sum(len(event.text) for event in found)
    rows, whole = read_within(connection, chosen, room, lambda row: len(row.text))
    found += read(StoredEvent, rows)
    return end, len(found) == query.size or not whole


def _stretch(connection: Connection, query: Query, seen: int, upto: int | None = None) -> Stretch:
    """Events behind a number (0: from the first one on) and up to another, in the order of their numbers."""
    number = events.c.seq
    if query.resource is not None and not query.by_subject:
        its = Alike(events.c.resource, query.resource, number)
        return its.stretch(connection, behind=seen or None, upto=upto)
    bounds = [*([number > seen] if seen else []), *([] if upto is None else [number <= upto])]
    # As it begins with the block, no planner walks through all events for a subject.
    return Stretch(bounds, [block_of(events), number] if query.by_subject else [number])


def _seen(connection: Connection, query: Query) -> int:
    """The number of the event that `after` names; 0, the beginning, when there is none.

    It may have another resource or subject. If several events have that id, one that meets the conditions comes first.
    """
    named = select(events.c.seq).where(events.c.id == query.after)
    if query.after_source:
        named = named.where(events.c.source == query.after_source)
    about = and_(true(), *_about(query))
    nearest = named.order_by(case((about, 0), else_=1), events.c.seq)
    return connection.scalar(nearest.limit(1)) or 0


def _end(
    connection: Connection, query: Query, seen: int, conditions: Sequence[ColumnElement[bool]]
) -> EventName | None:
    """The last event that this page compares with patterns; None: it compares all that are left."""
    patterns = (*query.types, *query.sources)
    if not patterns:
        return None
    looked_at = min(MOST_LOOKED_AT, WORK // max(1, sum(map(floating, patterns))))
    which, order = _stretch(connection, query, seen)
    chosen = _NAMES.where(*conditions, *which).order_by(*order)
    return first(EventName, connection.execute(chosen.offset(looked_at - 1).limit(1)))


def floating(pattern: str) -> int:
    """The number of a pattern's characters that can match anywhere in a text."""
    return len(pattern.partition("%")[2])


def _about(query: Query) -> list[ColumnElement[bool]]:
    """The conditions on resource and subject."""
    conditions = []
    if query.resource is not None:
        conditions.append(events.c.resource == query.resource)
    if query.subject is not None:
        conditions.append(events.c.subject == query.subject)
    if query.alternative_subjects:
        conditions.append(events.c.alternative_subject.in_(query.alternative_subjects))
    return conditions


def _fits(dialect: str, column: ColumnElement[str], pattern: str, query: Query) -> ColumnElement[bool]:
    """The condition of a contract's pattern. SQLite's LIKE ignores case, its GLOB does not."""
    if dialect == "sqlite" and not query.any_case:
        return column.op("GLOB")(pattern.translate(_GLOB))
    like = column.ilike if query.any_case else column.like
    return like(pattern.replace("\\", "\\\\"), escape="\\")
