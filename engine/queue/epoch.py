"""Whether the database is older than it was: restored from a backup, or a replica that lacked the last changes.

What is due in such a database may have been sent already. So an installation has a mark: a time that heartbeats move
on, and that Redis and each process remember. A database whose mark lies before the remembered one has lost what
happened in between, and that is told. If that is more than TOLERATED, its lanes are paused until an operator resumes
them.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import and_, delete, func, or_, select, update

from engine.db.dialects import Now, after, insert_new, now
from engine.db.records import columns, first, read
from engine.db.tables import (
    EPOCH,
    audit_log,
    deliveries,
    emails,
    installation,
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

WHO = "varsel"  # the name of who paused the lanes
NOT_REPEATED = {
    "orders": orders,
    "emails": emails,
    "webhooks": deliveries,
}  # by lane, rows that must not be performed twice
# A replica that takes over may lack the last seconds. That is told, and work goes on: what is repeated has the same
# Message-ID and webhook-id as before. Stopping everything until an operator comes would be worse.
TOLERATED = timedelta(seconds=30)
TOLD = timedelta(days=1)  # for which the overview says so
LACKS = "database.lacks"  # in the audit log


@dataclass(frozen=True, slots=True)
class _Installation:
    id: UUID
    mark: datetime


_INSTALLATION = select(*columns(_Installation, installation.c))


def look(connection: Connection, remembered: Mapping[UUID, datetime]) -> tuple[UUID, datetime]:
    """Compare the mark with the remembered one, tell or pause the lanes if it is older, and move it on.

    `remembered` was read before the transaction began, and is of marks that were committed: so an older one means that
    something is lost. Returns the installation's id and its new mark.
    """
    row = _installation(connection)
    if remembered.get(row.id, EPOCH) > row.mark:
        [row] = read(_Installation, connection.execute(_INSTALLATION.with_for_update()))
        if (seen := remembered[row.id]) > row.mark + TOLERATED:  # no other process has paused it meanwhile
            log.error("%s; `varsel restored` lists what would be done again", _pause(connection, row.mark, seen))
        elif seen > row.mark:
            log.error("%s", _tell(connection, row.mark, seen))
    moved = update(installation).where(installation.c.mark < Now()).values(mark=Now())
    connection.execute(moved)
    return row.id, connection.execute(select(installation.c.mark)).scalar_one()


def restored(connection: Connection, who: str = WHO) -> None:
    """Pause the lanes of a database that was just restored; the audit log names `who` as the one who said so.

    Everything that is due now may have been performed already, because no mark says when the last process ended.
    """
    _pause(connection, _installation(connection).mark, now(connection), who)
    connection.execute(delete(processes))  # as of the backup; those that run register again


@dataclass(frozen=True, slots=True)
class Older:
    """The time of a database that is older than it was, and the time that it had before."""

    as_of: datetime
    seen: datetime


def older(connection: Connection) -> Older | None:
    """How old the database is; None if it is as new as it was, or was resumed."""
    chosen = select(*columns(Older, installation.c)).where(installation.c.seen.is_not(None))
    return first(Older, connection.execute(chosen))


def lacks(connection: Connection) -> Older | None:
    """What a replica lacked that took over within the last day; None: nothing. It works on."""
    newest = select(audit_log.c.detail).where(audit_log.c.target == "database", audit_log.c.action == LACKS)
    recent = newest.where(audit_log.c.at > after(-TOLD)).order_by(audit_log.c.seq.desc()).limit(1)
    detail = connection.scalar(recent)
    if detail is None:
        return None
    return Older(*(datetime.fromisoformat(json.loads(detail)[name]) for name in ("as_of", "seen")))


def repeated(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table
) -> ColumnElement[bool]:
    """The rows of a lane that may have been performed: due when the newer database was last seen, or in flight.

    E-mails that waited for a pace could go before they were due.
    """
    row = older(connection)
    if row is None:
        return table.c.due_at <= EPOCH  # none
    if table is deliveries:
        kept = select(subscriptions.c.seq).where(subscriptions.c.removed.is_(None))
        return and_(deliveries.c.due_at <= row.seen, deliveries.c.subscription_seq.in_(kept))
    last = max(row.seen, now(connection))
    due = and_(table.c.due_at <= last, or_(table.c.due_at <= row.seen, table.c.unresolved > 0))
    return or_(due, and_(emails.c.rank.is_not(None), emails.c.waits_for.is_not(None))) if table is emails else due


def again(connection: Connection) -> dict[str, int] | None:
    """The number of rows that may be performed again, by paused lane; None if the database is as new as it was."""
    if older(connection) is None:
        return None
    waiting = in_force(connection).lanes
    return {
        lane: int(connection.scalar(select(func.count()).where(repeated(connection, table))) or 0)
        for lane, table in NOT_REPEATED.items()
        if lane in waiting
    }


def go_on(connection: Connection, who: str) -> bool:
    """End the pauses of an older database; False if there are none."""
    connection.execute(
        select(installation.c.as_of).with_for_update()
    ).one_or_none()  # of two calls at once, one does it
    row = older(connection)
    if row is None:
        return False
    connection.execute(delete(pauses).where(pauses.c.kind == LANE, pauses.c.who == WHO))
    connection.execute(update(installation).values(as_of=None, seen=None))
    note(connection, who, "restored.resume", "database", {"as_of": str(row.as_of), "seen": str(row.seen)})
    return True


def lane_goes_on(connection: Connection) -> None:
    """Forget that the database is older than it was, once each of its lanes was resumed."""
    if not in_force(connection).lanes & NOT_REPEATED.keys():
        connection.execute(update(installation).where(installation.c.seen.is_not(None)).values(as_of=None, seen=None))


def _installation(connection: Connection) -> _Installation:
    """The installation; the first call creates it."""
    known = first(_Installation, connection.execute(_INSTALLATION))
    if known is None:
        connection.execute(insert_new(connection.dialect.name, installation).values(only=1, id=uuid4(), mark=Now()))
        [known] = read(_Installation, connection.execute(_INSTALLATION))
    return known


def _tell(connection: Connection, as_of: datetime, seen: datetime) -> str:
    """Put down what the database lacks; returns it in words."""
    connection.execute(update(installation).values(mark=seen))  # so that it is found once
    note(connection, WHO, LACKS, "database", {"as_of": str(as_of), "seen": str(seen)})
    span = f"from {as_of:%Y-%m-%d %H:%M:%S.%f} to {seen:%H:%M:%S.%f} UTC, or longer"
    return f"the database lacks what was done {span}: orders of that time are lost, and e-mails may come twice"


def _pause(connection: Connection, as_of: datetime, seen: datetime, who: str = WHO) -> str:
    """Pause the lanes; returns why."""
    # The mark, too: if this server's clock is behind the other's, its time would look older once more.
    connection.execute(update(installation).values(as_of=as_of, seen=seen, mark=seen))
    told = f"its last change is of {as_of:%Y-%m-%d %H:%M:%S} UTC, but {seen:%Y-%m-%d %H:%M:%S} was seen before"
    reason = "what is due may have been done already"
    lines = [{"kind": LANE, "value": lane, "at": Now(), "who": WHO, "reason": reason} for lane in NOT_REPEATED]
    connection.execute(insert_new(connection.dialect.name, pauses).values(lines))  # an operator's own pause stays
    note(connection, who, "restored.pause", "database", {"as_of": str(as_of), "seen": str(seen)})
    return f"the database is older than it was: {told}; {', '.join(NOT_REPEATED)} are paused"
