"""Recurring orders: at each time of a cron expression, the clock makes an order of its own (runs.py)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, Self

from sqlalchemy import func, select

from engine.db.dialects import Now, insert_new, now
from engine.db.records import columns, first, read
from engine.db.tables import recurring_orders
from engine.errors import Conflict, Invalid, NotFound
from engine.observability.audit import note_consumer
from engine.orders.cron import Cron
from engine.orders.filling import pinned

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.orders.filling import Find
    from engine.orders.new_order import NewOrder, OrderRow

MOST = 1_000  # of one creator
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
    next_at: datetime | None  # None: it has ended, or is paused
    last_at: datetime | None
    last_order: UUID | None
    last_fault: str | None
    paused_reason: str | None

    def times(self) -> Sequence[datetime]:
        """Its next times, up to SHOWN."""
        found, at = list[datetime](), self.next_at
        most = SHOWN if self.runs_left is None else min(SHOWN, self.runs_left)
        while at and len(found) < most and not (self.until and at > self.until):
            found.append(at)
            at = Cron.read(self.cron, self.zone).following(at)
        return found


_TABLE = recurring_orders.c
_SHOWN = select(*columns(Recurring, _TABLE))


def check(connection: Connection, find_template: Find, creator: str, new: NewRecurring) -> None:
    """Whether the template and its values fit, unless its creator has the recurring order already; Invalid."""
    known = _named(connection, creator, new.name)
    if known and known.fingerprint == new.fingerprint:
        return
    try:
        pinned(connection, find_template, creator, [new.order], chained=False)
    except Invalid as error:
        raise Invalid({f"Order.{place}": texts for place, texts in error.errors.items()}) from None


def store(connection: Connection, creator: str, sender: str, new: NewRecurring, its_id: UUID) -> tuple[Recurring, bool]:
    """Store a recurring order, unless its creator has it under that name; returns it, and whether it is new.

    Conflict: the name has another one, or the creator has too many.
    """
    known = _named(connection, creator, new.name)
    if known is None:
        if (connection.scalar(select(func.count()).where(_TABLE.creator == creator)) or 0) >= MOST:
            raise Conflict(f"There are {MOST:,} recurring orders of this creator; delete one first.")
        named = new.order.template
        template = NamedTemplate(named.name, named.version) if named else None
        made_of = MadeOf(new.order.row(its_id, creator, sender), new.order.sender is not None, template)
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


def find(connection: Connection, creator: str, its_id: UUID) -> Recurring:
    """One of a creator's recurring orders; NotFound."""
    found = first(Recurring, connection.execute(_SHOWN.where(_TABLE.id == its_id, _TABLE.creator == creator)))
    if found is None:
        raise NotFound(f"There is no recurring order {its_id}.")
    return found


def remove(connection: Connection, who: str, creator: str, its_id: UUID) -> None:
    """End a recurring order, and note `who` did; the orders that it has made go on. NotFound."""
    found = find(connection, creator, its_id)
    connection.execute(recurring_orders.delete().where(_TABLE.id == its_id))
    note_consumer(connection, who, "delete", f"recurring/{its_id}", {"name": found.name})


def following(connection: Connection, its: Recurring) -> datetime | None:
    """Its next time from now on; None: there is none, or this machine does not know its time zone any more."""
    try:
        at = Cron.read(its.cron, its.zone).following(now(connection))
    except (ValueError, KeyError):
        return None
    return None if at and its.until and at > its.until else at


class NamedTemplate(NamedTuple):
    """Which template each run has; version None: the newest by then."""

    name: str
    version: int | None


class MadeOf(NamedTuple):
    """The order of each run, its template, and whether its sender is an identity of its creator's (may be removed)."""

    order: OrderRow
    has_identity: bool
    template: NamedTemplate | None = None

    def text(self) -> str:
        return json.dumps(self._asdict())

    @classmethod
    def read(cls, text: str) -> Self:
        """As `text` has written it, in this version or an earlier one."""
        stored = json.loads(text)
        template = stored.get("template")
        return cls(stored["order"], stored["has_identity"], NamedTemplate(*template) if template else None)


def _named(connection: Connection, creator: str, name: str) -> Recurring | None:
    return first(Recurring, connection.execute(_SHOWN.where(_TABLE.creator == creator, _TABLE.name == name)))
