"""Storing events, and numbering them so that readers by number miss none.

A reader remembers the number of the last event that it saw. An event that appeared later with a lower number would be
missed. So numbers are given under a lock until the transaction ends: on PostgreSQL an advisory lock, taken as late as
possible; on SQLite the lock of the one writer.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import Connection, Text, func, select

from engine.db.dialects import Now, RowNow, insert_new
from engine.db.rows import Rows, run
from engine.db.tables import EPOCH, MILLISECOND, Instant, events, milliseconds
from engine.events.large_fan_outs import FanOut, fan_out_or_wait
from engine.models import CloudEvent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.sql.dml import ReturningInsert

LOCK = 0x6576656E7473  # "events": any number that nothing else uses

_GIVEN = Rows(
    id=Text(),
    source=Text(),
    type=Text(),
    subject=Text(),
    resource=Text(),
    alternative_subject=Text(),
    time=Instant(),
    text=Text(),
)


class EventRow(TypedDict):
    """An event as JSON can hold it."""

    id: str
    source: str
    type: str
    subject: str | None
    resource: str | None
    alternative_subject: str | None
    time: int | None
    text: str


def persist(connection: Connection, given: Sequence[CloudEvent]) -> FanOut:
    """Store events and queue them for their subscribers or, if these are many, let them wait for that.

    An event that is stored already (by source and id) is neither stored nor queued again.
    """
    by_name: dict[tuple[str, str], CloudEvent] = {}
    for event in given:
        by_name.setdefault((event.id, event.source), event)
    fresh = run(connection, _insert(connection.dialect.name), map(as_row, given))
    return fan_out_or_wait(connection, [(row.seq, by_name[row.id, row.source]) for row in fresh])


def as_row(event: CloudEvent) -> EventRow:
    """An event as JSON can hold it."""
    return {
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "resource": event.resource,
        "alternative_subject": event.alternative_subject,
        "time": None if event.time is None else milliseconds(event.time),
        "text": event.text,
    }


def from_row(row: EventRow) -> CloudEvent:
    """The opposite of `as_row`."""
    return CloudEvent(
        id=row["id"],
        source=row["source"],
        type=row["type"],
        subject=row["subject"],
        resource=row["resource"],
        alternative_subject=row["alternative_subject"],
        time=None if row["time"] is None else EPOCH + row["time"] * MILLISECOND,
        text=row["text"],
    )


@cache
def _insert(dialect: str) -> ReturningInsert[int, str, str]:
    """Take the lock, and store; in one statement, since other writers wait for each answer from here to the commit.

    Who watches is asked behind it: this statement sees what was committed before it waited for the lock.
    """
    if dialect == "postgresql":
        lock = select(func.pg_advisory_xact_lock(LOCK).label("taken")).cte("lock")
        insert = _GIVEN.complete(insert_new(dialect, events), lock, registered=RowNow())
    else:
        insert = _GIVEN.complete(insert_new(dialect, events), registered=Now())
    return insert.returning(events.c.seq, events.c.id, events.c.source)
