"""When lanes have work, and whether they stand still."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.dialects import Now, after
from engine.queue.due import LANES
from engine.queue.pauses import in_force

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Connection

    from engine.queue.due import Claimed, Lane

# How often the clock looks for due rows, at least. Whoever makes a row due earlier wakes a worker.
LOOK_EVERY = timedelta(seconds=1)
NEAREST = 5_000  # rows of a lane, soonest due first, among which leased ones are looked for
# What is due later is nobody's: a lease takes an hour at most; the rest is for a clock that was set back.
LEASED = timedelta(hours=3)
# A lane stands still when a row has been due for longer and no worker has a lease in that lane: an idle worker would
# have claimed the row at once.
STALLED = timedelta(seconds=30)
# The condition is said, since SQLite uses an index of the rows with a due time for those alone.
_FIRST_OF_EACH = select(
    Now(),
    *(
        select(func.min(lane.table.c.due_at)).where(lane.table.c.due_at.is_not(None)).scalar_subquery().label(lane.name)
        for lane in LANES
    ),
)


def next_due(connection: Connection) -> dict[str, timedelta]:
    """How long until each lane's next row is due, negative if it is overdue; lanes without open rows are left out."""
    clock, *dues = connection.execute(_FIRST_OF_EACH).one()
    return {lane.name: due_at - clock for lane, due_at in zip(LANES, dues, strict=True) if due_at is not None}


def stalled(connection: Connection, worked_on: Collection[str] = ()) -> dict[str, timedelta]:
    """Lanes that stand still, whatever the cause, each with how long its oldest row has been due.

    Such a lane has a due row, is not paused, and no worker has a lease in it. `worked_on`: lanes of which it is known
    that workers have.
    """
    late = {name: -until for name, until in next_due(connection).items() if -until > STALLED}
    if not late:
        return {}
    paused = in_force(connection).lanes
    lanes = [lane for lane in LANES if lane.name in late and lane.name not in (*paused, *worked_on)]
    return {lane.name: late[lane.name] for lane in lanes if not _is_worked_on(connection, lane)}


def _is_worked_on(connection: Connection, lane: Lane[Claimed]) -> bool:
    due_at = lane.table.c.due_at
    leased = (due_at > Now(), due_at <= after(LEASED))
    nearest = select(lane.table.c.unresolved).where(*leased).order_by(due_at).limit(NEAREST)
    found = nearest.subquery()
    return connection.execute(select(found.c.unresolved).where(found.c.unresolved > 0).limit(1)).first() is not None
