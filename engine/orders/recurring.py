"""Recurring orders: at each time of a cron expression, an order of its own is made of the same row.

The clock makes the runs that are due, in transactions that lock their recurring orders and move them on to their next
time: several clocks make none twice. A run's identifier follows from its recurring order and its time.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import exists, func, select, update

from engine.db.dialects import Now, insert_new, now
from engine.db.records import columns, first, read
from engine.db.tables import milliseconds, orders, recurring_orders
from engine.errors import Conflict, Invalid, NotFound, QuotaExceeded
from engine.models import derived_id
from engine.orders import budget, identities
from engine.orders.cron import Cron
from engine.orders.new_order import OrderRow, delay, insert
from engine.queue import windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.orders.budget import Budget
    from engine.orders.new_order import NewOrder
    from engine.orders.quotas import Quotas
    from engine.queue.calendars import Calendars

log = logging.getLogger(__name__)

MOST = 1_000  # of one creator
BATCH = 10  # runs in one transaction
LATE = timedelta(minutes=5)  # from a time on which a run counts as missed
SHOWN = 5  # next times that are shown


class Missed(StrEnum):
    """What becomes of runs whose time passed while no clock ran, or the database was away."""

    ONCE = "Once"  # one is made, for all of them
    SKIP = "Skip"


@dataclass(frozen=True, slots=True)
class NewRecurring:
    """A recurring order, checked."""

    name: str
    cron: str
    zone: str
    missed: Missed
    until: datetime | None
    runs: int | None
    order: NewOrder
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Recurring:
    """A recurring order as its creator sees it."""

    id: UUID
    creator: str
    name: str
    fingerprint: str
    created: datetime
    cron: str
    zone: str
    missed: str
    until: datetime | None
    runs_left: int | None
    made: int
    next_at: datetime | None  # None: it has ended
    last_at: datetime | None
    last_order: UUID | None
    last_fault: str | None

    def times(self) -> Sequence[datetime]:
        """Its next times, up to SHOWN."""
        found, at = list[datetime](), self.next_at
        most = SHOWN if self.runs_left is None else min(SHOWN, self.runs_left)
        while at and len(found) < most and not (self.until and at > self.until):
            found.append(at)
            at = Cron.read(self.cron, self.zone).following(at)
        return found


@dataclass(frozen=True, slots=True)
class Due(Recurring):
    """A recurring order that is due."""

    order_row: str  # JSON


_TABLE = recurring_orders.c
_SHOWN = select(*columns(Recurring, _TABLE))
_DUE = _TABLE.next_at <= Now()
_TURN = func.row_number().over(partition_by=_TABLE.creator, order_by=_TABLE.next_at).label("turn")
_TURNS = select(_TABLE.id, _TURN).where(_DUE).subquery()
_CHOSEN = (
    select(*columns(Due, _TABLE))
    .join(_TURNS, _TURNS.c.id == _TABLE.id)
    .where(_DUE)
    .order_by(_TURNS.c.turn, _TABLE.next_at)
    .limit(BATCH)
    .with_for_update(skip_locked=True, of=recurring_orders)
)


def store(connection: Connection, creator: str, sender: str, new: NewRecurring, its_id: UUID) -> tuple[Recurring, bool]:
    """Store a recurring order, unless its creator has it under that name; returns it, and whether it is new.

    Conflict: the name has another one, or the creator has too many.
    """
    known = _named(connection, creator, new.name)
    if known is None:
        if (connection.scalar(select(func.count()).where(_TABLE.creator == creator)) or 0) >= MOST:
            raise Conflict(f"There are {MOST:,} recurring orders of this creator; delete one first.")
        made_of = _MadeOf(new.order.row(its_id, creator, sender), new.order.sender is not None)
        values = {
            "name": new.name, "fingerprint": new.fingerprint, "cron": new.cron, "zone": new.zone,
            "missed": new.missed.value, "until": new.until, "runs_left": new.runs, "order_row": made_of.text(),
            "next_at": Cron.read(new.cron, new.zone).following(now(connection)),
        }  # fmt: skip
        inserting = insert_new(connection.dialect.name, recurring_orders)
        stored = connection.execute(
            inserting.values(id=its_id, creator=creator, created=Now(), **values).returning(_TABLE.id)
        ).first()
        known = _named(connection, creator, new.name)
        if stored and known:
            return known, True
    if known is None or known.fingerprint != new.fingerprint:
        raise Conflict("This name has another recurring order; delete that first, or use another name.")
    return known, False


def find_all(connection: Connection, creator: str) -> Sequence[Recurring]:
    """A creator's recurring orders, by name."""
    return read(Recurring, connection.execute(_SHOWN.where(_TABLE.creator == creator).order_by(_TABLE.name)))


def of_all(connection: Connection) -> Sequence[Recurring]:
    """Everybody's recurring orders, for operators: those first whose next run comes first."""
    ended = _TABLE.next_at.is_(None)
    return read(Recurring, connection.execute(_SHOWN.order_by(ended, _TABLE.next_at, _TABLE.creator, _TABLE.name)))


def find(connection: Connection, creator: str, its_id: UUID) -> Recurring:
    """One of a creator's recurring orders; NotFound."""
    found = first(Recurring, connection.execute(_SHOWN.where(_TABLE.id == its_id, _TABLE.creator == creator)))
    if found is None:
        raise NotFound(f"There is no recurring order {its_id}.")
    return found


def remove(connection: Connection, creator: str, its_id: UUID) -> None:
    """End a recurring order; the orders that it has made go on. NotFound."""
    find(connection, creator, its_id)
    connection.execute(recurring_orders.delete().where(_TABLE.id == its_id))


def some_due(connection: Connection) -> bool:
    """Whether a run is due."""
    return bool(connection.scalar(select(exists().where(_DUE))))


def make_due(connection: Connection, quotas: Quotas, calendars: Calendars) -> tuple[int, bool]:
    """Make the runs that are due, up to BATCH, of each creator one after the other.

    Returns how many orders were made, and whether more may be due.
    """
    found = read(Due, connection.execute(_CHOSEN))
    budgets = budget.lock(connection, quotas.find({due.creator for due in found}))
    at = now(connection)
    made = sum(_run(connection, due, at, budgets.get(due.creator), calendars) for due in found)
    budget.record(connection, budgets)
    return made, len(found) == BATCH


def _run(connection: Connection, due: Due, at: datetime, its: Budget | None, calendars: Calendars) -> bool:
    """Make one run, and move on to the next time; whether an order was made."""
    assert due.next_at  # noqa: S101 it is due
    name = derived_id(due.next_at, due.id, milliseconds(due.next_at))
    fault = "missed: nobody made it in time" if due.missed == Missed.SKIP and at - due.next_at > LATE else None
    try:
        fault = fault or _make(connection, due, name, at, its, calendars)
    except (ValueError, LookupError, TypeError, AttributeError):  # of its own row; those of others are made
        log.exception("a run of recurring order %s could not be made", due.id)
        fault = "not made: it cannot be read; delete it, and post it again"
    try:
        following = Cron.read(due.cron, due.zone).following(max(at, due.next_at))
    except (ValueError, KeyError):
        following, fault = None, fault or f"ended: this machine does not know the time zone {due.zone} any more"
    left = due.runs_left if due.runs_left is None or fault else due.runs_left - 1
    over = left == 0 or (due.until and following and following > due.until)
    values = {"next_at": None if over else following, "runs_left": left, "last_at": due.next_at, "last_fault": fault}
    made = {} if fault else {"made": due.made + 1, "last_order": name}
    connection.execute(update(recurring_orders).where(_TABLE.id == due.id).values(**values, **made))
    return fault is None


class _MadeOf(NamedTuple):
    """The order of each run, and whether its sender is an identity of its creator's, which may be removed."""

    order: OrderRow
    has_identity: bool

    def text(self) -> str:
        return json.dumps(self._asdict())


def _make(  # noqa: PLR0913, PLR0917 what a run is made of
    connection: Connection, due: Due, name: UUID, at: datetime, its: Budget | None, calendars: Calendars
) -> str | None:
    """Store the order of a run; returns why there is none."""
    row, has_identity = _MadeOf(**json.loads(due.order_row))
    recipients = json.loads(row["recipients"])
    moment = its.admit(len(recipients)) if its else None
    if isinstance(moment, QuotaExceeded | Invalid):
        return f"not made: {moment}"
    if has_identity and not identities.has(connection, due.creator, row["sender"]):
        return "not made: its sender identity was removed"
    if connection.scalar(select(exists().where(orders.c.id == name))):
        return "made before"
    opening = None
    if row["sending_window"]:
        places = {recipient.get("timeZone") for recipient in recipients}
        try:
            opening = calendars.first_opening(windows.read(row["sending_window"]), at, places)
        except KeyError:
            return "not made: this machine does not know one of its time zones any more"
    due_at = milliseconds(opening) if opening else None
    insert(connection, [{**row, "id": name.hex, "send_time": None, "due_at": due_at, "trace": None}])
    if its and moment:
        its.take(moment, len(recipients))
        if its.waits(moment) and milliseconds(moment) > (due_at or 0):
            delay(connection, {name.hex: moment})
    return None


def _named(connection: Connection, creator: str, name: str) -> Recurring | None:
    return first(Recurring, connection.execute(_SHOWN.where(_TABLE.creator == creator, _TABLE.name == name)))
