"""Finding events again: pages in the order of their numbers, behind the last event that a reader has seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, or_, select

from engine.tables import events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import ColumnElement

_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is asked for; every given condition must hold, and of a list one entry."""

    after: str = ""  # an event's id; unknown: from the beginning
    size: int
    resource: str | None = None
    subject: str | None = None
    alternative_subjects: tuple[str, ...] = ()
    types: tuple[str, ...] = ()  # patterns with % and _
    sources: tuple[str, ...] = ()  # likewise
    any_case: bool = False  # of the patterns
    since: datetime | None = None  # the event's time, both ends included
    until: datetime | None = None


def page(connection: Connection, query: Query) -> Sequence[Any]:
    """The next events, at most `size`: rows of seq, id, type, subject, resource, text."""
    statement = select(
        events.c.seq, events.c.id, events.c.type, events.c.subject, events.c.resource, events.c.source, events.c.text
    )
    conditions: list[ColumnElement[bool]] = []
    if query.after:
        # Of several sources' events with that id, the first counts: better one event twice than one missed.
        seen = select(func.min(events.c.seq)).where(events.c.id == query.after)
        conditions.append(events.c.seq > (connection.scalar(seen) or 0))
    if query.resource is not None:
        conditions.append(events.c.resource == query.resource)
    if query.subject is not None:
        conditions.append(events.c.subject == query.subject)
    if query.alternative_subjects:
        conditions.append(events.c.alternative_subject.in_(query.alternative_subjects))
    dialect = connection.dialect.name
    if query.types:
        conditions.append(or_(*(_fits(dialect, events.c.type, each, query) for each in query.types)))
    if query.sources:
        conditions.append(or_(*(_fits(dialect, events.c.source, each, query) for each in query.sources)))
    if query.since:
        conditions.append(events.c.time >= query.since)
    if query.until:
        conditions.append(events.c.time <= query.until)
    return connection.execute(statement.where(*conditions).order_by(events.c.seq).limit(query.size)).all()


def _fits(dialect: str, column: ColumnElement[str], pattern: str, query: Query) -> ColumnElement[bool]:
    """A pattern of the contract. SQLite's LIKE does not tell upper case from lower, its GLOB does."""
    if dialect == "sqlite" and not query.any_case:
        return column.op("GLOB")(pattern.translate(_GLOB))
    like = column.ilike if query.any_case else column.like
    return like(pattern.replace("\\", "\\\\"), escape="\\")
