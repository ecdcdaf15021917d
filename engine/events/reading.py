"""Finding events again: pages in the order of their numbers, behind the last event that a reader has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, or_, select

from engine.access import APP
from engine.tables import events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import ColumnElement

LARGEST = 4_000_000  # characters of events on one page, after which it ends early

_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for; every given condition must hold, and of a list one entry."""

    after: str = ""  # an event's id; unknown: from the beginning
    after_source: str = ""  # that event's source; without it, of several events of that id the first counts
    size: int
    resource: str | None = None
    of_apps: bool = False  # only events of apps
    subject: str | None = None
    alternative_subjects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()  # patterns with % and _
    sources: tuple[str, ...] = ()  # likewise
    any_case: bool = False  # of the patterns
    since: datetime | None = None  # the event's time, both ends included
    until: datetime | None = None


def page(connection: Connection, query: Query) -> Sequence[Any]:
    """The next events, at most `size` and not many more than LARGEST: rows of events."""
    about = _about(query)
    conditions = list(about)
    if query.after:
        seen = select(func.min(events.c.seq)).where(events.c.id == query.after, *about)
        if query.after_source:
            seen = seen.where(events.c.source == query.after_source)
        conditions.append(events.c.seq > (connection.scalar(seen) or 0))
    if query.of_apps:
        conditions.append(events.c.resource.startswith(APP, autoescape=True))
    dialect = connection.dialect.name
    if query.types:
        conditions.append(or_(*(_fits(dialect, events.c.type, each, query) for each in query.types)))
    if query.sources:
        conditions.append(or_(*(_fits(dialect, events.c.source, each, query) for each in query.sources)))
    if query.since:
        conditions.append(events.c.time >= query.since)
    if query.until:
        conditions.append(events.c.time <= query.until)
    statement = select(events).where(*conditions).order_by(events.c.seq).limit(query.size)
    found = []
    size = 0
    with connection.execute(statement.execution_options(stream_results=True)) as rows:
        for row in rows:
            found.append(row)
            size += len(row.text)
            if size > LARGEST:
                break
    return found


def _about(query: Query) -> list[ColumnElement[bool]]:
    """What a reader's own events have in common: among them, the last one seen is looked up."""
    conditions = []
    if query.resource is not None:
        conditions.append(events.c.resource == query.resource)
    if query.subject is not None:
        conditions.append(events.c.subject == query.subject)
    if query.alternative_subjects:
        conditions.append(events.c.alternative_subject.in_(query.alternative_subjects))
    return conditions


def _fits(dialect: str, column: ColumnElement[str], pattern: str, query: Query) -> ColumnElement[bool]:
    """A pattern of the contract. SQLite's LIKE does not tell upper case from lower, its GLOB does."""
    if dialect == "sqlite" and not query.any_case:
        return column.op("GLOB")(pattern.translate(_GLOB))
    like = column.ilike if query.any_case else column.like
    return like(pattern.replace("\\", "\\\\"), escape="\\")
