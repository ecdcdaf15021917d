"""Whose turn it is: how much each creator has ready in the lanes where creators take turns."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.dialects import now
from engine.db.tables import EPOCH, MILLISECOND, emails
from engine.models import LEVELS
from engine.queue import due
from engine.queue.flows import flows, ready, targets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

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
    waiting = (_of(connection, due.EMAILS, target) for target in list(targets(connection))[:SHOWN])
    return [*_of(connection, due.ORDERS), *_of(connection, due.EMAILS), *chain.from_iterable(waiting)]


def waiting(connection: Connection, target: str) -> int:
    """How many e-mails wait for a relay or domain; WAITING at most."""
    its = select(emails.c.seq).where(*ready(emails, waiting=True)).limit(WAITING)
    return connection.scalar(select(func.count()).select_from(its.subquery()), {"target": target}) or 0


def _of(connection: Connection, lane: due.Lane[due.Claimed], target: str | None = None) -> Sequence[ReadyFigures]:
    return [
        _figures(connection, lane, level, creator, target)
        for level, creators in flows(connection, lane, target).items()
        for creator in creators[:SHOWN]
    ]


def _figures(
    connection: Connection, lane: due.Lane[due.Claimed], level: int, creator: str, target: str | None
) -> ReadyFigures:
    c = lane.table.c
    its = select(c.rank).where(
        *ready(lane.table, waiting=target is not None), c.priority == level, c.creator == creator
    )
    first = its.order_by(c.rank, c.seq).limit(COUNTED).subquery()
    counted = select(func.count(), func.min(first.c.rank)).select_from(first)
    count, rank = connection.execute(counted, {"target": target}).one()
    since = min(EPOCH + (rank or 0) * MILLISECOND, now(connection))  # ranks of a large order's e-mails lie ahead
    return ReadyFigures(lane.name, LEVELS[level], creator, count, since, target)
