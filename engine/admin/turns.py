"""Whose turn it is: how much each creator has ready in the lanes where creators take turns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from engine.db.dialects import now
from engine.db.tables import EPOCH, MILLISECOND, emails
from engine.models import LEVELS
from engine.queue import due
from engine.queue.flows import look, ready, targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select

SHOWN = 10  # creators of each lane and priority, by name; and relays or domains for which e-mails wait
COUNTED = 1_000  # ready rows of a creator are counted up to here
WAITING = 10_000  # e-mails that wait for the same are counted up to here


@dataclass(frozen=True, slots=True)
class ReadyFigures:
    """What one creator has ready in a lane: due, and claimed by nobody."""

    lane: str
    priority: str
    creator: str
    ready: int  # COUNTED at most
    since: datetime  # about when its next row became due
    waits_for: str | None = None  # the relays or the domain whose pace they wait for


def turns(connection: Connection) -> Sequence[ReadyFigures]:
    """The creators that have rows ready, by lane and priority, and by whom they wait for; SHOWN of each."""
    waiting = (_of(connection, _WAITING, target) for target in list(targets(connection))[:SHOWN])
    return [*_of(connection, _ORDERS), *_of(connection, _EMAILS), *chain.from_iterable(waiting)]


def waiting(connection: Connection, target: str) -> int:
    """How many e-mails wait for a relay or domain; WAITING at most."""
    its = select(emails.c.seq).where(*ready(emails, waiting=True)).limit(WAITING)
    return connection.scalar(select(func.count()).select_from(its.subquery()), {"target": target}) or 0


class _Looking(NamedTuple):
    """How a lane is looked at: to build the statement takes longer than to run it."""

    lane: str
    statement: Select[int, str, int, int]


def _looking(lane: due.Lane[due.Claimed], *, waiting: bool = False) -> _Looking:
    """Of each of the first creators of a priority, the number of its ready rows, and the rank of its first."""
    looked = look(lane, range(len(LEVELS)), None, waiting=waiting, most=SHOWN).subquery()
    level, creator = looked.c
    row = lane.table.alias("counted")
    its = select(row.c.rank).where(*ready(row, waiting=waiting), row.c.priority == level, row.c.creator == creator)
    its = its.correlate(looked)
    count = select(func.count()).select_from(its.limit(COUNTED).subquery())
    first = its.order_by(row.c.rank, row.c.seq).limit(1)
    return _Looking(lane.name, select(level, creator, count.scalar_subquery(), first.scalar_subquery()))


_ORDERS, _EMAILS = _looking(due.ORDERS), _looking(due.EMAILS)
_WAITING = _looking(due.EMAILS, waiting=True)


def _of(connection: Connection, looking: _Looking, target: str | None = None) -> Sequence[ReadyFigures]:
    behind = {f"behind_{level}": "" for level in range(len(LEVELS))}
    rows = connection.execute(looking.statement, behind | {"target": target}).all()
    last = now(connection) if rows else EPOCH  # ranks of a large order's e-mails lie ahead
    return [
        ReadyFigures(looking.lane, LEVELS[level], creator, count, min(EPOCH + rank * MILLISECOND, last), target)
        for level, creator, count, rank in sorted(rows, key=lambda row: (row[0], row[1]))
    ]
