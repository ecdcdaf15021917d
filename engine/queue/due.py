"""The one idea: everything that waits, waits in the database with a due time.

The columns of every work table:

- `due_at`: the next instant at which somebody must look at the row; NULL = never again. A send time, a retry, the end
  of a dead worker's lease: all are this one column.
- `claim`: +1 with every claim, and with its end. It is the fencing token: an outcome counts only while the claim is
  still the newest, so one that is written twice, since the answer to its commit was lost, counts once.
- `unresolved`: claims since the last recorded outcome. Above 1, an earlier holder vanished with the row in its hands.
- `attempts`: tries that reached the wire; what the backoff schedule counts.
- `state`: what users see.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    Row,
    SmallInteger,
    Table,
    Text,
    func,
    select,
    true,
    tuple_,
    update,
)

from engine.db.rows import Rows, run
from engine.db.store import Now, after
from engine.db.tables import emails, fan_outs, jobs, orders, subscriptions
from engine.models import EmailState, FanOutState, JobState, OrderState, SubscriptionState
from engine.queue.pauses import HELD, in_force

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select, Update

    from engine.runtime.shares import Shares

LOST_IS_SUSPECT = 2  # claims lost in a row after which a row is worked on alone: it may be what kills its workers
LOOK = 300  # due rows that a fair claim looks at in a step
NEAREST = 5_000  # rows of a lane, the soonest due, of which those that workers hold are told apart
# What has been due for longer, while no worker holds any of its lane, is taken by nobody: an idle one takes it at once.
STALLED = timedelta(seconds=30)
LOST_IS_DEAD = 5  # claims lost in a row after which it is set aside for good
_HELD = Rows(seq=BigInteger(), claim=Integer())
_ENDED = Rows(seq=BigInteger(), claim=Integer(), state=Text(), attempts=SmallInteger(), delay=BigInteger())


@dataclass(frozen=True, slots=True)
class Lane:
    """A kind of due work: its table, the state that a claim shows, and the state that a hand-back restores."""

    name: str  # what wake-ups and metrics call it
    table: Table
    claimed: str
    waiting: str
    left_out: frozenset[str] = frozenset()  # of a claim: columns whose texts may be of any size

    @property
    def columns(self) -> Sequence[ColumnElement[Any]]:
        """What a claim returns of each row."""
        return [column for column in self.table.c if column.name not in self.left_out]


ORDERS = Lane(
    "orders", orders, OrderState.PROCESSING, OrderState.REGISTERED, frozenset({"subject", "body", "recipients"})
)
EMAILS = Lane("emails", emails, EmailState.SENDING, EmailState.NEW)
FAN_OUTS = Lane("fan_outs", fan_outs, FanOutState.RUNNING, FanOutState.WAITING)  # see engine/events/large_fan_outs.py
# Of webhooks, the subscription is what is claimed: see engine/webhooks/queue.py.
WEBHOOKS = Lane("webhooks", subscriptions, SubscriptionState.PUSHING, SubscriptionState.WAITING)
JOBS = Lane("jobs", jobs, JobState.RUNNING, JobState.WAITING)
LANES = (ORDERS, EMAILS, FAN_OUTS, WEBHOOKS, JOBS)
_FIRST_OF_EACH = select(
    Now(), *(select(func.min(lane.table.c.due_at)).scalar_subquery().label(lane.name) for lane in LANES)
)


def claim(
    connection: Connection, lane: Lane, limit: int, lease: timedelta, *where: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """Take up to `limit` due rows, oldest first; each is ours until `lease` has passed.

    None of a lane that is paused; only those to which `where` applies. Rows, but for what the lane leaves out.
    """
    if lane.name in in_force(connection).lanes:
        return ()
    due = oldest(lane, lane.table.c.seq).where(*where).limit(limit).cte("due")
    return take(connection, lane, select(due.c.seq), lease)


def claim_fairly(
    connection: Connection,
    lane: Lane,
    party: ColumnElement[str],
    shares: Shares,
    lease: timedelta,
    *where: ColumnElement[bool],
) -> tuple[Sequence[Row[Any]], bool]:
    """Take the oldest due rows whose party has a slot free in `shares`, which are taken; and whether more are due."""
    if lane.name in in_force(connection).lanes:
        return (), False
    table, chosen, full = lane.table, list[int](), set[str]()
    looked_at = oldest(lane, table.c.seq, table.c.due_at, party.label("party")).where(*where).limit(LOOK)
    rows: Sequence[Row[Any]] = ()
    while not shares.full:
        behind = tuple_(table.c.due_at, table.c.seq) > tuple_(rows[-1].due_at, rows[-1].seq) if rows else true()
        rows = connection.execute(looked_at.where(party.not_in(full), behind)).all()
        for row in rows:
            if shares.fits(row.party):
                shares.take(row.party)
                chosen.append(row.seq)
            else:
                full.add(row.party)
        if len(rows) < LOOK:
            break
    more = bool(full) or shares.full
    return (take(connection, lane, chosen, lease) if chosen else ()), more


def oldest(lane: Lane, *columns: ColumnElement[Any]) -> Select[Any]:
    """Select what is due, oldest first, and lock it; what others have locked is passed over."""
    table = lane.table
    due = select(*columns).where(table.c.due_at <= Now()).order_by(table.c.due_at, table.c.seq)
    return due.with_for_update(skip_locked=True)


def take(
    connection: Connection, lane: Lane, seqs: Select[tuple[int]] | Sequence[int], lease: timedelta
) -> Sequence[Row[Any]]:
    """Claim these rows, but for what the lane leaves out."""
    table = lane.table
    statement = (
        update(table)
        .where(table.c.seq.in_(seqs))
        .values(
            claim=table.c.claim + 1,
            unresolved=table.c.unresolved + 1,
            due_at=after(lease),
            state=lane.claimed,
        )
        .returning(*lane.columns)
    )
    return sorted(connection.execute(statement).all(), key=lambda row: row.seq)


def outcome(lane: Lane) -> Update:
    """The statement that ends claims; a row has `seq`, `claim`, `state`, `attempts`, `delay` (ms; NULL: settled)."""
    return holding(lane, _ENDED).values(
        claim=lane.table.c.claim + 1,
        due_at=after(_ENDED["delay"]),
        unresolved=0,
        state=_ENDED["state"],
        attempts=_ENDED["attempts"],
        last_update=Now(),
    )


def holding(lane: Lane, given: Rows) -> Update:
    """An UPDATE of rows that are still ours; `given` has `seq` and `claim`."""
    table = lane.table
    return update(table).where(table.c.seq == given["seq"], table.c.claim == given["claim"])


def extend(connection: Connection, lane: Lane, rows: Collection[Row[Any]], lease: timedelta) -> dict[int, datetime]:
    """Hold on for another `lease`; returns the new ends by `seq`: a row that is not there is not ours any more."""
    table = lane.table
    longer = holding(lane, _HELD).values(due_at=after(lease))
    extended = run(connection, longer.returning(table.c.seq, table.c.due_at), _holds(rows))
    return {row.seq: row.due_at for row in extended}


def hand_back(connection: Connection, lane: Lane, rows: Collection[Row[Any]], delay: timedelta = timedelta(0)) -> None:
    """Give rows back that were not worked on: due after `delay`, as if they had not been claimed."""
    _undo(connection, lane, rows, after(delay))


def hold(connection: Connection, lane: Lane, rows: Collection[Row[Any]]) -> None:
    """Put claimed rows of something that is paused out of the way, until the pause ends: see engine/queue/pauses.py."""
    _undo(connection, lane, rows, HELD)


def isolate(rows: Sequence[Row[Any]]) -> tuple[Sequence[Row[Any]], Sequence[Row[Any]]]:
    """Split claimed rows into what to work on and what to hand back.

    A row that several workers lost may be what kills them: it is worked on alone, so that it takes no others along.
    """
    suspects = [row for row in rows if row.unresolved > LOST_IS_SUSPECT]
    if not suspects:
        return rows, ()
    chosen = random.choice(suspects)  # noqa: S311 any will do, but not always the same
    return [chosen], [row for row in rows if row is not chosen]


def next_due(connection: Connection) -> dict[str, timedelta]:
    """By lane, how long until its next row is due (negative: since when it has been); none where nothing waits."""
    clock, *dues = connection.execute(_FIRST_OF_EACH).one()
    return {lane.name: due_at - clock for lane, due_at in zip(LANES, dues, strict=True) if due_at is not None}


def stalled(connection: Connection) -> dict[str, timedelta]:
    """Lanes that stand still, whatever the cause, each with for how long its oldest row has been due.

    They have something due, are not paused, and no worker has any row of theirs in hand.
    """
    late = {name: -until for name, until in next_due(connection).items() if -until > STALLED}
    if not late:
        return {}
    paused = in_force(connection).lanes
    lanes = [lane for lane in LANES if lane.name in late and lane.name not in paused]
    return {lane.name: late[lane.name] for lane in lanes if not _is_worked_on(connection, lane)}


def _is_worked_on(connection: Connection, lane: Lane) -> bool:
    due_at = lane.table.c.due_at
    nearest = select(lane.table.c.unresolved).where(due_at > Now(), due_at < HELD).order_by(due_at).limit(NEAREST)
    found = nearest.subquery()
    return connection.execute(select(found.c.unresolved).where(found.c.unresolved > 0).limit(1)).first() is not None


def _undo(connection: Connection, lane: Lane, rows: Collection[Row[Any]], due_at: Any) -> None:
    """End claims as if they had not been made."""
    table = lane.table
    undone = {"due_at": due_at, "state": lane.waiting, "unresolved": table.c.unresolved - 1, "claim": table.c.claim + 1}
    run(connection, holding(lane, _HELD).values(undone), _holds(rows))


def _holds(rows: Collection[Row[Any]]) -> list[dict[str, int]]:
    return [{"seq": row.seq, "claim": row.claim} for row in rows]
