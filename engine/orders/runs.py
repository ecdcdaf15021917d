"""Runs of recurring orders: the orders that the clock makes at their times.

The clock makes the runs that are due, in transactions that lock their recurring orders and move them on to their next
time: several clocks make none twice. A run's identifier follows from its recurring order and its time.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import exists, func, select, update
from sqlalchemy.exc import IntegrityError

from engine.db.dialects import Now, now
from engine.db.records import columns, read
from engine.db.tables import milliseconds, orders, recurring_orders
from engine.errors import Invalid, QuotaExceeded
from engine.models import ContentType, derived_id
from engine.orders import budget, identities
from engine.orders.cron import Cron
from engine.orders.filling import pinned
from engine.orders.new_order import NewOrder, delay, insert
from engine.orders.quotas import Quotas
from engine.orders.recurring import MadeOf, Missed, Recurring
from engine.queue import windows
from engine.queue.calendars import Calendars
from engine.templating import registry

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.orders.budget import Budget
    from engine.orders.filling import Find
    from engine.orders.new_order import OrderRow, Recipient
    from engine.orders.recurring import NamedTemplate

log = logging.getLogger(__name__)

BATCH = 10  # runs in one transaction
LATE = timedelta(minutes=5)  # from a time on which a run counts as missed

_TABLE = recurring_orders.c
_DUE = _TABLE.next_at <= Now()


@dataclass(frozen=True, slots=True)
class Making:
    """What runs are made with: which template a name means, quotas, calendars."""

    find_template: Find
    quotas: Quotas = field(default_factory=lambda: Quotas(None))
    calendars: Calendars = field(default_factory=Calendars)


@dataclass(frozen=True, slots=True)
class Due(Recurring):
    """A recurring order that is due."""

    order_row: str  # JSON


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


def some_due(connection: Connection) -> bool:
    """Whether a run is due."""
    return bool(connection.scalar(select(exists().where(_DUE))))


def make_due(connection: Connection, making: Making) -> tuple[int, bool]:
    """Make the runs that are due, up to BATCH, of each creator one after the other.

    Returns how many orders were made, and whether more may be due.
    """
    found = read(Due, connection.execute(_CHOSEN))
    budgets = budget.lock(connection, making.quotas.find({due.creator for due in found}))
    at = now(connection)
    made = sum(_run(connection, due, at, budgets.get(due.creator), making) for due in found)
    budget.record(connection, budgets)
    return made, len(found) == BATCH


def _run(connection: Connection, due: Due, at: datetime, its: Budget | None, making: Making) -> bool:
    """Make one run, and move on to the next time; whether an order was made."""
    assert due.next_at  # noqa: S101 it is due
    name = derived_id(due.next_at, due.id, milliseconds(due.next_at))
    fault = "missed: nobody made it in time" if due.missed == Missed.SKIP and at - due.next_at > LATE else None
    try:
        with connection.begin_nested():
            fault = fault or _make(connection, due, name, at, its, making)
    except (ValueError, LookupError, TypeError, AttributeError, IntegrityError):  # of its own row; others are made
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


def _make(  # noqa: PLR0913, PLR0917 what a run is made of
    connection: Connection, due: Due, name: UUID, at: datetime, its: Budget | None, making: Making
) -> str | None:
    """Store the order of a run; returns why there is none."""
    row, has_identity, template = MadeOf.read(due.order_row)
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
            opening = making.calendars.first_opening(windows.read(row["sending_window"]), at, places)
        except KeyError:
            return "not made: this machine does not know one of its time zones any more"
    if template and (fault := _fill(connection, due.creator, row, template, recipients, making.find_template)):
        return f"not made: {fault}"
    due_at = milliseconds(opening) if opening else None
    insert(connection, [{**row, "id": name.hex, "send_time": None, "due_at": due_at, "trace": None}])
    if its and moment:
        its.take(moment, len(recipients))
        if its.waits(moment) and milliseconds(moment) > (due_at or 0):
            delay(connection, {name.hex: moment})
    return None


def _fill(  # noqa: PLR0913, PLR0917 as above
    connection: Connection,
    creator: str,
    row: OrderRow,
    template: NamedTemplate,
    recipients: Sequence[Recipient],
    find_template: Find,
) -> str | None:
    """Give the order of a run the version of its template; returns why it cannot have one."""
    order = NewOrder("", "", ContentType.PLAIN, recipients, template=template)
    try:
        [version] = pinned(connection, find_template, creator, [order], chained=False)
    except Invalid as error:
        place, texts = next(iter(error.errors.items()))
        return f"{place}: {texts[0]}"
    assert version  # noqa: S101 the order names a template
    registry.keep(connection, {version.id: version} if version.creator is None else {})
    row["template_id"] = version.id.hex
    return None
