"""The one idea: everything that waits, waits in the database with a due time.

The columns of every work table:

- `due_at`: the next instant at which a worker must look at the row. A send time, a retry and the end of a dead worker's
  lease all use this column. NULL: no worker looks at it until another change makes it due.
- `claim`: grows by one with every claim and with its end. It is the fencing token: an outcome counts only while its
  claim is the newest, so an outcome that is written twice counts once.
- `unresolved`: claims since the last recorded outcome. Above 1, an earlier worker ended while it had the row.
- `attempts`: what the backoff schedule counts. Of e-mails: tries that reached the wire; of orders: answers of the
  condition's endpoint, and errors of Varsel's; of jobs: batches that ended in an error. Subscriptions have
  `failures`; of fan-outs, it is the number of events that are still to be queued one by one, after lost workers.
- `state`: what users see of orders, e-mails and jobs.
- `priority` and `rank`, in orders and e-mails, and `waits_for` in e-mails: whose turn it is; see
  engine/queue/fairness.py.
- `paused_by`, in orders and e-mails: the pause that stops the row. Until the pause ends, the row has no due time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar, TypeVarTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Integer,
    SmallInteger,
    Table,
    Text,
    bindparam,
    case,
    func,
    select,
    true,
    tuple_,
    type_coerce,
    update,
)

from engine.db import records
from engine.db.dialects import Now, after
from engine.db.rows import Rows, run
from engine.db.tables import MILLISECOND, emails, fan_outs, jobs, orders, subscriptions
from engine.models import EmailState, FanOutState, JobState, OrderState, SubscriptionState
from engine.queue.pauses import in_force
from engine.runtime.shares import in_turns

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import BindParameter, ColumnElement, Executable, Select, Update

    from engine.runtime.shares import Shares

LOST_IS_SUSPECT = 2  # lost claims in a row from which on a row is worked on alone: it may be what kills workers
LOOK = 300  # due rows that one step of a fair claim looks at
LOST_IS_DEAD = 5  # lost claims in a row from which on a row is set aside for good
_LEASE: BindParameter[int] = bindparam("lease", type_=BigInteger())
_LEASED = Rows(seq=BigInteger(), claim=Integer())
_HANDED_BACK = Rows(seq=BigInteger(), claim=Integer(), delay=BigInteger(), waits_for=Text(), behind=BigInteger())
_STOPPED = Rows(seq=BigInteger(), claim=Integer(), cause=Text())
_ENDED = Rows(seq=BigInteger(), claim=Integer(), state=Text(), attempts=SmallInteger(), delay=BigInteger())


class Claimed(Protocol):
    """A row in a worker's hands."""

    @property
    def seq(self) -> int: ...
    @property
    def claim(self) -> int: ...
    @property
    def unresolved(self) -> int: ...
    @property
    def due_at(self) -> datetime:
        """The end of the lease as of the claim, by the database's clock."""


R = TypeVar("R", bound=Claimed)


class HandedBack(NamedTuple, Generic[R]):
    """A row that was not worked on: it is due again after `delay`.

    If it `waits_for` somebody, it may be claimed before, at its turn: where it would stand if it became due `behind`.
    """

    row: R
    delay: timedelta = timedelta(0)
    waits_for: str | None = None
    behind: timedelta = timedelta(0)


Columns = TypeVarTuple("Columns")
R_co = TypeVar("R_co", bound=Claimed, covariant=True)


@dataclass(frozen=True, slots=True)
class Lane(Generic[R_co]):  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    """A kind of due work: its table, the record that a claim returns, and the states of claimed and waiting rows."""

    name: str  # what wake-ups and metrics call it
    table: Table  # type: ignore[explicit-any]
    record: type[R_co]
    claimed: str
    waiting: str
    computed: Mapping[str, ColumnElement[object]] = field(default_factory=dict)  # fields that are no columns

    @property
    def columns(self) -> Sequence[ColumnElement[object]]:
        """What a claim returns of each row."""
        return records.columns(self.record, self.table.c, self.computed)


# Not IS NOT NULL: in RETURNING, SQLite 3.40 says so of a column that is NULL.
_ASKED: ColumnElement[object] = type_coerce(func.coalesce(orders.c.condition_answer, "") != "", Boolean)
ORDERS = Lane(
    "orders",
    orders,
    records.Order,
    OrderState.PROCESSING,
    OrderState.REGISTERED,
    {"recipients_size": func.length(orders.c.recipients), "asked": _ASKED},
)
EMAILS = Lane("emails", emails, records.Email, EmailState.SENDING, EmailState.NEW)
# See engine/events/large_fan_outs.py, and engine/webhooks/deliveries.py: that lane claims subscriptions.
FAN_OUTS = Lane("fan_outs", fan_outs, records.FanOut, FanOutState.RUNNING, FanOutState.WAITING)
WEBHOOKS = Lane("webhooks", subscriptions, records.Subscription, SubscriptionState.PUSHING, SubscriptionState.WAITING)
JOBS = Lane("jobs", jobs, records.Job, JobState.RUNNING, JobState.WAITING)
LANES: tuple[Lane[Claimed], ...] = (ORDERS, EMAILS, FAN_OUTS, WEBHOOKS, JOBS)


def claim(
    connection: Connection, lane: Lane[R], limit: int, lease: timedelta, *where: ColumnElement[bool]
) -> Sequence[R]:
    """Claim up to `limit` due rows that match `where`, the oldest first, for `lease`; none of a paused lane."""
    if lane.name in in_force(connection).lanes:
        return ()
    due = _oldest(lane, select(lane.table.c.seq)).where(*where).limit(limit).cte("due")
    return take(connection, lane, select(due.c.seq), lease)


def claim_fairly(
    connection: Connection,
    lane: Lane[R],
    party: ColumnElement[str],
    shares: Shares,
    lease: timedelta,
    *where: ColumnElement[bool],
) -> tuple[Sequence[R], bool]:
    """Claim the oldest due rows whose party has a free slot in `shares`; take the slots; tell whether more are due."""
    if lane.name in in_force(connection).lanes:
        return (), False
    table, chosen, full = lane.table, list[int](), set[str]()
    looked_at = _oldest(lane, select(table.c.seq, table.c.due_at, party.label("party"))).where(*where).limit(LOOK)
    behind: ColumnElement[bool] = true()
    while not shares.full:
        rows = connection.execute(looked_at.where(party.not_in(full), behind)).all()
        for row in (rows[place] for place in in_turns([row.party for row in rows])):
            if shares.fits(row.party):
                shares.take(row.party)
                chosen.append(row.seq)
            else:
                full.add(row.party)
        if len(rows) < LOOK:
            break
        behind = tuple_(table.c.due_at, table.c.seq) > tuple_(rows[-1].due_at, rows[-1].seq)
    more = bool(full) or shares.full
    return (take(connection, lane, chosen, lease) if chosen else ()), more


def _oldest(lane: Lane[Claimed], chosen: Select[*Columns]) -> Select[*Columns]:
    """The due rows of a selection, oldest first and locked; rows that others have locked are skipped."""
    table = lane.table
    due = chosen.where(table.c.due_at <= Now()).order_by(table.c.due_at, table.c.seq)
    return due.with_for_update(skip_locked=True)


def take(
    connection: Connection, lane: Lane[R], seqs: Select[tuple[int]] | Sequence[int], lease: timedelta
) -> Sequence[R]:
    """Claim these rows."""
    return taken(connection, lane, taking(lane, seqs), lease)


def taking(lane: Lane[Claimed], seqs: Select[tuple[int]] | Sequence[int]) -> Executable:
    """The statement that claims these rows, for `taken`; to build it takes longer than to run it."""
    table = lane.table
    values = {"claim": table.c.claim + 1, "unresolved": table.c.unresolved + 1, "due_at": after(_LEASE)}
    unready = {"rank": None} if "rank" in table.c else {}
    statement = update(table).where(table.c.seq.in_(seqs)).values(**values, **unready, state=lane.claimed)
    return statement.returning(*lane.columns)


def taken(
    connection: Connection,
    lane: Lane[R],
    statement: Executable,
    lease: timedelta,
    given: Mapping[str, object] = MappingProxyType({}),
) -> Sequence[R]:
    """Run a statement of `taking`; `given`: the parameters of its selection."""
    rows = connection.execute(statement, {**given, "lease": lease // MILLISECOND})
    return sorted(records.read(lane.record, rows), key=lambda row: row.seq)


def outcome(lane: Lane[Claimed]) -> Update:
    """The statement that ends claims; it takes `seq`, `claim`, `state`, `attempts` and `delay` (ms; NULL: settled)."""
    return leased(lane, _ENDED).values(
        claim=lane.table.c.claim + 1,
        due_at=after(_ENDED["delay"]),
        unresolved=0,
        state=_ENDED["state"],
        attempts=_ENDED["attempts"],
        last_update=Now(),
    )


def leased(lane: Lane[Claimed], given: Rows) -> Update:
    """An UPDATE of rows whose claim is still the newest; `given` has `seq` and `claim`.

    Their turns end: others may have made a row ready whose lease had ended, and not have claimed it yet.
    """
    table = lane.table
    unready = {name: None for name in ("rank", "waits_for") if name in table.c}
    return update(table).where(table.c.seq == given["seq"], table.c.claim == given["claim"]).values(**unready)


def extend(
    connection: Connection, lane: Lane[Claimed], rows: Collection[Claimed], lease: timedelta
) -> dict[tuple[int, int], datetime]:
    """Extend leases; returns the new ends by `seq` and `claim`. A row that is missing has another claim by now."""
    table = lane.table
    longer = leased(lane, _LEASED).values(due_at=after(lease))
    extended = run(connection, longer.returning(table.c.seq, table.c.claim, table.c.due_at), _claims(rows))
    return {(row.seq, row.claim): row.due_at for row in extended}


def hand_back(connection: Connection, lane: Lane[Claimed], rows: Collection[Claimed]) -> None:
    """Hand back rows that were not worked on: they are due now, as if they had not been claimed."""
    hand_back_later(connection, lane, [HandedBack(row) for row in rows])


def hand_back_later(connection: Connection, lane: Lane[Claimed], handed_back: Collection[HandedBack[R]]) -> None:
    """Hand back rows that were not worked on, each in its way."""
    back = leased(lane, _HANDED_BACK).values(_unclaimed(lane) | {"due_at": after(_HANDED_BACK["delay"])})
    if "waits_for" in lane.table.c:
        ready_at = type_coerce(Now(), BigInteger) + _HANDED_BACK["behind"]
        waits_for = _HANDED_BACK["waits_for"]
        back = back.values(waits_for=waits_for, rank=case((waits_for.is_not(None), ready_at)))
    run(connection, back, [_written(each) for each in handed_back])


def pause(connection: Connection, lane: Lane[Claimed], rows: Collection[Claimed], causes: Mapping[int, str]) -> None:
    """Pause the claimed rows that have a cause; `causes` names it by `seq`. See engine/queue/pauses.py."""
    back = leased(lane, _STOPPED).values(_unclaimed(lane) | {"due_at": None, "paused_by": _STOPPED["cause"]})
    run(connection, back, [mine | {"cause": causes[mine["seq"]]} for mine in _claims(rows) if mine["seq"] in causes])


def is_suspect(row: Claimed) -> bool:
    """Whether so many workers ended with a row that the row may be the cause."""
    return row.unresolved > LOST_IS_SUSPECT


def is_lost(row: Claimed) -> bool:
    """Whether so many workers ended with a row that it must be set aside."""
    return row.unresolved > LOST_IS_DEAD


def isolate(rows: Sequence[R]) -> tuple[Sequence[R], Sequence[R]]:
    """Split claimed rows into rows to work on and rows to hand back.

    A suspect is worked on alone, so that no other row is lost with it.
    """
    suspects = [row for row in rows if is_suspect(row)]
    if not suspects:
        return rows, ()
    chosen = random.choice(suspects)  # noqa: S311 any of them, but not always the same
    return [chosen], [row for row in rows if row is not chosen]


def _unclaimed(lane: Lane[Claimed]) -> dict[str, object]:
    """The values that undo a claim, except the due time."""
    table = lane.table
    return {"state": lane.waiting, "unresolved": table.c.unresolved - 1, "claim": table.c.claim + 1}


def _written(each: HandedBack[R]) -> Mapping[str, object]:
    times = {"delay": each.delay // MILLISECOND, "behind": each.behind // MILLISECOND}
    return {"seq": each.row.seq, "claim": each.row.claim, "waits_for": each.waits_for, **times}


def _claims(rows: Collection[Claimed]) -> list[dict[str, int]]:
    return [{"seq": row.seq, "claim": row.claim} for row in rows]
