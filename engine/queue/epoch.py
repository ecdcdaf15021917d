"""Whether the database is older than it was: restored from a backup, or a replica that had not got everything.

What such a database says is due has been sent already. So an installation has a mark, a time that its processes move
on with their heartbeats, and that Redis and each process remember. A database whose mark lies well before what they
remember has lost what happened in between: its lanes are paused until an operator lets them go on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import UUID, uuid4

import redis
from sqlalchemy import and_, delete, func, or_, select, update

from engine.db.dialects import Now, insert_new, now
from engine.db.records import columns, first, read
from engine.db.tables import (
    EPOCH,
    MILLISECOND,
    deliveries,
    emails,
    installation,
    milliseconds,
    orders,
    pauses,
    processes,
    subscriptions,
)
from engine.observability.audit import note
from engine.queue.pauses import LANE, in_force

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Table

log = logging.getLogger(__name__)

WHO = "varsel"  # who paused the lanes, in the list of pauses
KEPT_BACK = {"orders": orders, "emails": emails, "webhooks": deliveries}  # by lane, what would be done again
# A replica that takes over may lack the last seconds. What these would repeat has its old Message-ID and webhook-id;
# to stop everything for it until somebody comes would be worse.
TOLERATED = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class _Installation:
    id: UUID
    mark: datetime


_INSTALLATION = select(*columns(_Installation, installation.c))


class Memory:
    """The newest marks that Redis and this process have seen, by installation."""

    KEY = "varsel:marks"

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._own: dict[UUID, datetime] = {}

    def recall(self) -> Mapping[UUID, datetime] | None:
        """All of them; None when Redis does not answer."""
        try:
            told = cast("list[tuple[bytes, float]]", self._client.zrange(self.KEY, 0, -1, withscores=True))
        except (redis.RedisError, OSError):
            return None
        found = {UUID(name.decode()): EPOCH + int(score) * MILLISECOND for name, score in told}
        return {name: max(found.get(name, EPOCH), self._own.get(name, EPOCH)) for name in found | self._own}

    def keep(self, name: UUID, mark: datetime) -> None:
        """Remember a mark that is in the database for good."""
        self._own[name] = mark
        try:
            self._client.zadd(self.KEY, {str(name): milliseconds(mark)}, gt=True)
        except (redis.RedisError, OSError):
            return  # the next heartbeat tells a newer one

    def look(self, connection: Connection, remembered: Mapping[UUID, datetime]) -> tuple[UUID, datetime]:
        """As the function of this name."""
        return look(connection, remembered)


def look(connection: Connection, remembered: Mapping[UUID, datetime]) -> tuple[UUID, datetime]:
    """Compare the mark with what was remembered before the transaction began, pause where it is older, and move it on.

    Returns the installation's name and its new mark.
    """
    row = _installation(connection)
    if remembered.get(row.id, EPOCH) > row.mark + TOLERATED:
        [row] = read(_Installation, connection.execute(_INSTALLATION.with_for_update()))
        if (seen := remembered[row.id]) > row.mark + TOLERATED:  # nobody else has paused it meanwhile
            log.error("%s; `varsel restored` lists what would be done again", _pause(connection, row.mark, seen))
    moved = update(installation).where(installation.c.mark < Now()).values(mark=Now())
    connection.execute(moved)
    return row.id, connection.execute(select(installation.c.mark)).scalar_one()


def restored(connection: Connection, who: str = WHO) -> None:
    """Pause the lanes of a database that was just restored; `who` says so, in the audit log.

    Of what is due now, all may be done already: no mark says when the last process ended.
    """
    _pause(connection, _installation(connection).mark, now(connection), who)
    connection.execute(delete(processes))  # of the time of the backup; those that run sign anew


@dataclass(frozen=True, slots=True)
class Older:
    """When a database is of that is older than it was, and of when it was."""

    as_of: datetime
    seen: datetime


def older(connection: Connection) -> Older | None:
    """How much older the database is than it was; None: it is as new as it was, or goes on."""
    chosen = select(*columns(Older, installation.c)).where(installation.c.seen.is_not(None))
    return first(Older, connection.execute(chosen))


def repeated(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table
) -> ColumnElement[bool]:
    """Which rows of a lane may have been done before: due when the newer database was last seen, or in hand before."""
    row = older(connection)
    if row is None:
        return table.c.due_at <= EPOCH  # none
    if table is deliveries:
        kept = select(subscriptions.c.seq).where(subscriptions.c.removed.is_(None))
        return and_(deliveries.c.due_at <= row.seen, deliveries.c.subscription_seq.in_(kept))
    last = max(row.seen, now(connection))
    return and_(table.c.due_at <= last, or_(table.c.due_at <= row.seen, table.c.unresolved > 0))


def again(connection: Connection) -> dict[str, int] | None:
    """How much would perhaps be done again, by lane that waits for a word; None: the database is as new as it was."""
    if older(connection) is None:
        return None
    waiting = in_force(connection).lanes
    return {
        lane: int(connection.scalar(select(func.count()).where(repeated(connection, table))) or 0)
        for lane, table in KEPT_BACK.items()
        if lane in waiting
    }


def go_on(connection: Connection, who: str) -> bool:
    """End the pauses that an older database began; False: there are none."""
    connection.execute(select(installation.c.as_of).with_for_update()).one_or_none()  # of two at once, one does it
    row = older(connection)
    if row is None:
        return False
    connection.execute(delete(pauses).where(pauses.c.kind == LANE, pauses.c.who == WHO))
    connection.execute(update(installation).values(as_of=None, seen=None))
    note(connection, who, "restored.resume", "database", {"as_of": str(row.as_of), "seen": str(row.seen)})
    return True


def lane_goes_on(connection: Connection) -> None:
    """Forget that the database is older than it was, once its lanes go on one by one."""
    if not in_force(connection).lanes & KEPT_BACK.keys():
        connection.execute(update(installation).where(installation.c.seen.is_not(None)).values(as_of=None, seen=None))


def _installation(connection: Connection) -> _Installation:
    """The installation, which the first who asks makes."""
    known = first(_Installation, connection.execute(_INSTALLATION))
    if known is None:
        connection.execute(insert_new(connection.dialect.name, installation).values(only=1, id=uuid4(), mark=Now()))
        [known] = read(_Installation, connection.execute(_INSTALLATION))
    return known


def _pause(connection: Connection, as_of: datetime, seen: datetime, who: str = WHO) -> str:
    """Pause the lanes; returns why."""
    # The mark too: where this server's clock is behind the other's, its time would be found to be older once more.
    connection.execute(update(installation).values(as_of=as_of, seen=seen, mark=seen))
    told = f"of {as_of:%Y-%m-%d %H:%M:%S} UTC, but it was of {seen:%Y-%m-%d %H:%M:%S} before"
    reason = "what is due may have been done already"
    lines = [{"kind": LANE, "value": lane, "at": Now(), "who": WHO, "reason": reason} for lane in KEPT_BACK]
    connection.execute(insert_new(connection.dialect.name, pauses).values(lines))  # who has paused one already, has
    note(connection, who, "restored.pause", "database", {"as_of": str(as_of), "seen": str(seen)})
    return f"the database is older than it was, {told}: {', '.join(KEPT_BACK)} are paused"
