"""The lanes in numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import func, literal, select

from engine.admin.standing import Standing, of_deliveries, of_emails, of_orders
from engine.db import dialects
from engine.db.dialects import Now
from engine.db.tables import (
    DELIVERY_DEAD,
    EMAIL_FAILED,
    ORDER_SET_ASIDE,
    Instant,
    deliveries,
    events,
    pauses,
    subscriptions,
    waiting_events,
)
from engine.queue import due, lateness
from engine.queue.pauses import LANE

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table

    from engine.admin.standing import Standings

COUNTED = 100_000  # rows of a kind are counted up to here
HELD = 10_000  # likewise, those that a pause of a creator or a domain holds back, of each table
DELIVERIES = 20_000  # likewise, the oldest that are open


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane in numbers. Rows are counted up to COUNTED, those in flight or retrying among the NEAREST soonest.

    Deliveries are counted among the DELIVERIES oldest.
    """

    name: str
    waiting: int  # due later: a send time, or an attempt that comes again
    due: int
    in_flight: int  # claimed by a worker
    retrying: int  # of those that wait: tried before
    held: int  # paused with their lane, creator, domain or subscription
    dead: int  # failed for good, or set aside
    oldest_due_seconds: float  # 0.0 when nothing is due
    paused_reason: str | None = None  # who paused it, and why
    oldest_seconds: float = 0.0  # the same of what is due or paused
    more: bool = False  # the numbers of open rows are lower bounds
    blocked: bool = False  # what is due waits for relays, all of which are down
    per_minute: float | None = None  # rows that end, as of late; None: it is not known
    empty_in_seconds: float | None = None  # for what is due, at that rate; None: nothing moves, or nothing is due

    def moving(self, per_minute: float, *, blocked: bool) -> LaneFigures:
        """The same, at this rate."""
        known = self.due and per_minute and not blocked
        return replace(
            self,
            blocked=blocked and self.due > 0,
            per_minute=per_minute,
            empty_in_seconds=60 * self.due / per_minute if known else None,
        )

    def paused(self, reason: str) -> LaneFigures:
        """The same, paused: what would be due is paused."""
        return replace(self, paused_reason=reason, held=self.held + self.due, due=0, oldest_due_seconds=0.0)


def lanes(connection: Connection) -> list[LaneFigures]:
    """The lanes in the order in which work goes through them."""
    rows = connection.execute(select(pauses).where(pauses.c.kind == LANE))
    paused = {row.value: _by(row.who, row.ends, row.reason) for row in rows}
    each = (
        _of_rows(connection, due.ORDERS, of_orders(), ORDER_SET_ASIDE),
        _of_rows(connection, due.EMAILS, of_emails(), EMAIL_FAILED),
        _of_fan_outs(connection),
        _of_webhooks(connection),
    )
    return [lane.paused(paused[lane.name]) if lane.name in paused else lane for lane in each]


def _by(who: str, ends: datetime | None, reason: str) -> str:
    """Who has paused it, until when, and why."""
    until = f" until {ends:%Y-%m-%d %H:%M} UTC" if ends else ""
    return f"by {who}{until}" + (f": {reason}" if reason else "")


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows of one standing: how many, how many of them were tried before, and since when the first has been due."""

    rows: int = 0
    tried: int = 0
    since: datetime | None = None


def _standings(connection: Connection, looked_at: Select[object]) -> defaultdict[str, _Counted]:
    """By standing, the rows of a query with `word`, `attempts` and `since`."""
    each = looked_at.subquery()
    tried = func.count().filter(each.c.attempts > 0)
    chosen = select(each.c.word, func.count(), tried, func.min(each.c.since)).group_by(each.c.word)
    return defaultdict(_Counted, {word: _Counted(*counts) for word, *counts in connection.execute(chosen)})


def _of_rows(
    connection: Connection, lane: due.Lane[due.Claimed], stands: Standings, dead: ColumnElement[bool]
) -> LaneFigures:
    table, due_at = lane.table, lane.table.c.due_at
    oldest, later = due_at <= Now(), due_at > Now()
    columns = (stands.word.label("word"), table.c.attempts, stands.since.label("since"))
    soonest = select(*columns).order_by(due_at).limit(lateness.NEAREST)
    found = _standings(connection, soonest.where(later))
    first = _standings(connection, soonest.where(oldest))[Standing.DUE].since
    in_flight, early = found[Standing.IN_FLIGHT].rows, found[Standing.DUE]
    come, late = counted(connection, table, later), counted(connection, table, oldest)
    held = counted(connection, table, table.c.paused_by.is_not(None))
    oldest_due = _age(connection, first, early.since)
    return LaneFigures(
        name=lane.name,
        waiting=max(0, come - in_flight - early.rows),
        due=min(COUNTED, late + early.rows),
        in_flight=in_flight,
        retrying=found[Standing.LATER].tried,
        held=held,
        dead=counted(connection, table, dead),
        oldest_due_seconds=oldest_due,
        oldest_seconds=max(oldest_due, _oldest_paused(connection, table, stands) if held else 0.0),
        more=COUNTED in (come, late, held),
    )


def _oldest_paused(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table, stands: Standings
) -> float:
    """For how long the first row that a pause stops has waited."""
    since: ColumnElement[datetime] = func.coalesce(stands.since, table.c.last_update, type_=Instant())
    first = select(since).where(table.c.paused_by.is_not(None)).order_by(table.c.seq).limit(1)
    return _age(connection, *connection.scalars(first))


def _age(connection: Connection, *moments: datetime | None) -> float:
    """For how long the first of these moments has passed, in seconds."""
    known = [moment for moment in moments if moment is not None]
    return max(0.0, (dialects.now(connection) - min(known)).total_seconds()) if known else 0.0


def _of_fan_outs(connection: Connection) -> LaneFigures:
    """Of fan-outs, events wait; what is in flight are steps."""
    first = select(func.min(waiting_events.c.event_seq)).scalar_subquery()
    stored = connection.scalar(select(events.c.registered).where(events.c.seq == first))
    return LaneFigures(
        name=due.FAN_OUTS.name,
        waiting=0,
        due=counted(connection, waiting_events),
        in_flight=_claimed(connection, due.FAN_OUTS.table),
        retrying=0,
        held=0,
        dead=0,
        oldest_due_seconds=(age := _age(connection, stored)),
        oldest_seconds=age,
    )


def _of_webhooks(connection: Connection) -> LaneFigures:
    """Of webhooks, deliveries wait; what is in flight are subscriptions."""
    stands = of_deliveries()
    columns = (stands.word.label("word"), deliveries.c.attempts, stands.since.label("since"))
    kept = (deliveries.c.due_at.is_not(None), subscriptions.c.removed.is_(None))
    first = select(*columns).select_from(deliveries.join(subscriptions)).where(*kept)
    found = _standings(connection, first.order_by(deliveries.c.seq).limit(DELIVERIES))
    due_since, paused_since = found[Standing.DUE].since, found[Standing.PAUSED].since
    return LaneFigures(
        name=due.WEBHOOKS.name,
        waiting=found[Standing.LATER].rows,
        due=found[Standing.DUE].rows,
        in_flight=_claimed(connection, subscriptions),
        retrying=found[Standing.LATER].tried,
        held=found[Standing.PAUSED].rows,
        dead=counted(connection, deliveries, DELIVERY_DEAD),
        oldest_due_seconds=_age(connection, due_since),
        oldest_seconds=_age(connection, due_since, paused_since),
        more=sum(each.rows for each in found.values()) == DELIVERIES,
    )


def _claimed(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table
) -> int:
    """Rows in flight: their due times are the ends of leases."""
    return counted(connection, table, table.c.due_at > Now(), table.c.unresolved > 0)


def counted(  # type: ignore[explicit-any]  # SQLAlchemy's FromClause has one inside
    connection: Connection, table: FromClause, *conditions: ColumnElement[bool]
) -> int:
    """How many rows of a table match; COUNTED at most."""
    matching = select(literal(1)).select_from(table).where(*conditions).limit(COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(matching)).scalar_one()
