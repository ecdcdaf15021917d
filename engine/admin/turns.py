"""Whose turn it is: how much each creator has ready in the lanes where creators take turns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.tables import EPOCH, MILLISECOND
from engine.models import LEVELS
from engine.queue import due
from engine.queue.fairness import flows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

SHOWN = 10  # creators of each lane and priority, by name
COUNTED = 1_000  # ready rows of a creator are counted up to here


@dataclass(frozen=True, slots=True)
class ReadyFigures:
    """What one creator has ready in a lane: due, and claimed by nobody."""

    lane: str
    priority: str
    creator: str
    ready: int  # COUNTED at most
    since: datetime  # about when its next row became due


def turns(connection: Connection) -> Sequence[ReadyFigures]:
    """The creators that have rows ready, by lane and priority; SHOWN of each."""
    return [
        _figures(connection, lane, level, creator)
        for lane in (due.ORDERS, due.EMAILS)
        for level, creators in flows(connection, lane).items()
        for creator in creators[:SHOWN]
    ]


def _figures(connection: Connection, lane: due.Lane[due.Claimed], level: int, creator: str) -> ReadyFigures:
    c = lane.table.c
    its = select(c.rank).where(c.rank.is_not(None), c.priority == level, c.creator == creator)
    first = its.order_by(c.rank, c.seq).limit(COUNTED).subquery()
    count, rank = connection.execute(select(func.count(), func.min(first.c.rank)).select_from(first)).one()
    return ReadyFigures(lane.name, LEVELS[level], creator, count, EPOCH + (rank or 0) * MILLISECOND)
