"""The lanes in numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin import open_deliveries
from engine.admin.amounts import Amount
from engine.admin.counts import COUNTED, DEAD, HELD, LATE, LATER, OPEN, Count, counted, counts, of_lane
from engine.admin.near import near
from engine.admin.soonest import paused_first, soonest
from engine.admin.standing import Standing
from engine.db import dialects
from engine.db.dialects import Now
from engine.db.tables import Instant, events, pauses, subscriptions, waiting_events
from engine.queue import due, lateness
from engine.queue.pauses import LANE
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Select, Table


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane in numbers.

    Rows in flight, retrying, or due before their due time are looked for among those that come next: see near.py.

    `more`: the names of numbers that were not counted to their end. `counted`: when those were counted for which each
    look has too much to read.
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
    more: Sequence[str] = ()
    counted: datetime | None = None
    blocked: bool = False  # what is due waits for relays, all of which are down
    per_minute: float | None = None  # rows that end, as of late; None: it is not known
    empty_in_seconds: float | None = None  # for what is due, at that rate; None: nothing moves, or nothing is due

    def moving(self, per_minute: float, *, blocked: bool) -> LaneFigures:
        """The same, at this rate."""
        known = self.due and per_minute and not blocked and "due" not in self.more
        return replace(
            self,
            blocked=blocked and self.due > 0,
            per_minute=per_minute,
            empty_in_seconds=60 * self.due / per_minute if known else None,
        )

    def paused(self, reason: str) -> LaneFigures:
        """The same, paused: what would be due is paused."""
        more = [name for name in self.more if name != "due"] + (["held"] if "due" in self.more else [])
        held = self.held + self.due
        return replace(self, paused_reason=reason, held=held, due=0, oldest_due_seconds=0.0, more=sorted({*more}))

    def amount(self, name: str) -> Amount:
        """One of its numbers."""
        return Amount(getattr(self, name), more=name in self.more)

    @property
    def is_worked_on(self) -> bool:
        """Whether workers have rows of it at this moment, for certain: nothing here was counted before."""
        return self.in_flight > 0 and self.counted is None

    @property
    def left(self) -> Amount:
        """What is not done: due, later, and paused."""
        parts = [self.amount(name) for name in ("due", "waiting", "held")]
        return Amount(sum(part.number for part in parts), more=any(part.more for part in parts))


def lanes(connection: Connection, *names: str) -> list[LaneFigures]:
    """The lanes in the order in which work goes through them; of these names, if there are any."""
    rows = connection.execute(select(pauses).where(pauses.c.kind == LANE))
    paused = {row.value: _by(row.who, row.ends, row.reason) for row in rows}
    found, moment = counts(connection), dialects.now(connection)
    looks = {name: look for name, look in _LOOKS.items() if not names or name in names}
    figures = [look(connection, of_lane(found, name), moment) for name, look in looks.items()]
    return [lane.paused(paused[lane.name]) if lane.name in paused else lane for lane in figures]


def in_flight(connection: Connection, lane: due.Lane[due.Claimed]) -> int:
    """How many orders or e-mails workers have in hand, of the NEAREST that come next: what is to be drained."""
    later = soonest(lane, lateness.NEAREST, lane.table.c.due_at > Now())
    return connection.scalar(select(func.count().filter(later.stands.in_flight))) or 0


def _by(who: str, ends: datetime | None, reason: str) -> str:
    """Who has paused it, until when, and why."""
    until = ends and f"{ends:%Y-%m-%d %H:%M} UTC"
    by = _("by %(who)s until %(time)s", who=who, time=until) if until else _("by %(who)s", who=who)
    return f"{by}: {reason}" if reason else by


def _of_rows(
    lane: due.Lane[due.Claimed], connection: Connection, found: Mapping[str, Count], moment: datetime
) -> LaneFigures:
    come, late, held, dead = (found[place] for place in (LATER, LATE, HELD, DEAD))
    its = near(connection, lane, found, come.number, late.number)
    oldest_due = _age(moment, its.since)
    paused = _oldest_paused(connection, lane, moment) if held.number else 0.0
    more = {"waiting": come.more, "due": late.more, "held": held.more, "dead": dead.more}
    more |= {("due" if kind == "early" else kind): True for kind in its.more}
    return LaneFigures(
        name=lane.name,
        waiting=max(0, come.number - its.in_flight - its.early),
        due=late.number + its.early,
        in_flight=its.in_flight,
        retrying=its.retrying,
        held=held.number,
        dead=dead.number,
        oldest_due_seconds=oldest_due,
        oldest_seconds=max(oldest_due, paused),
        more=_names(more),
        counted=_earliest(come.at, late.at, held.at, dead.at, its.at),
    )


def _names(more: dict[str, bool]) -> Sequence[str]:
    return sorted(name for name, is_more in more.items() if is_more)


def _earliest(*times: datetime | None) -> datetime | None:
    """When the oldest was counted, of those that were not counted now."""
    return min((at for at in times if at), default=None)


def _oldest_paused(connection: Connection, lane: due.Lane[due.Claimed], moment: datetime) -> float:
    """For how long the first row that a pause stops has waited."""
    return _age(moment, *connection.scalars(_FIRST_PAUSED[lane.name]))


def _age(moment: datetime, *begun: datetime | None) -> float:
    """For how long the first of these has been until this moment, in seconds."""
    known = [each for each in begun if each is not None]
    return max(0.0, (moment - min(known)).total_seconds()) if known else 0.0


def _of_fan_outs(connection: Connection, found: Mapping[str, Count], moment: datetime) -> LaneFigures:
    """Of fan-outs, events wait; what is in flight are steps."""
    first = select(func.min(waiting_events.c.event_seq)).scalar_subquery()
    stored = connection.scalar(select(events.c.registered).where(events.c.seq == first))
    late = found[LATE]
    return LaneFigures(
        name=due.FAN_OUTS.name,
        waiting=0,
        due=late.number,
        in_flight=_claimed(connection, due.FAN_OUTS.table),
        retrying=0,
        held=0,
        dead=0,
        oldest_due_seconds=(age := _age(moment, stored)),
        oldest_seconds=age,
        more=_names({"due": late.more}),
        counted=late.at,
    )


def _of_webhooks(connection: Connection, found: Mapping[str, Count], moment: datetime) -> LaneFigures:
    """Of webhooks, deliveries wait; what is in flight are subscriptions."""
    open_, dead = found[OPEN], found[DEAD]
    kept = open_deliveries.kept(found)
    its = kept or open_deliveries.oldest(connection, COUNTED)
    more = open_.more or (open_.at is not None and kept is None)  # an older program's clock has counted these alone
    waiting, ready, held = (its[standing] for standing in (Standing.LATER, Standing.DUE, Standing.PAUSED))
    return LaneFigures(
        name=due.WEBHOOKS.name,
        waiting=waiting.number,
        due=ready.number,
        in_flight=_claimed(connection, subscriptions),
        retrying=waiting.tried,
        held=held.number,
        dead=dead.number,
        oldest_due_seconds=_age(moment, ready.since),
        oldest_seconds=_age(moment, ready.since, held.since),
        more=_names(
            dict.fromkeys(("waiting", "due", "held"), more)
            | {"retrying": more and waiting.tried > 0, "dead": dead.more}
        ),
        counted=_earliest(dead.at, open_.at if kept else None),
    )


def _claimed(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table
) -> int:
    """Rows in flight: their due times are the ends of leases."""
    return counted(connection, table, table.c.due_at > Now(), table.c.unresolved > 0)


def _first_paused(lane: due.Lane[due.Claimed]) -> Select[datetime]:
    """Since when the first row that a pause stops has waited: to build the statement takes longer than to run it."""
    rows, stands = paused_first(lane, 1)
    return select(func.coalesce(stands.since, rows.c.last_update, type_=Instant()))


_FIRST_PAUSED = {lane.name: _first_paused(lane) for lane in (due.ORDERS, due.EMAILS)}
_LOOKS: Mapping[str, Callable[[Connection, Mapping[str, Count], datetime], LaneFigures]] = {
    due.ORDERS.name: partial(_of_rows, due.ORDERS),
    due.EMAILS.name: partial(_of_rows, due.EMAILS),
    due.FAN_OUTS.name: _of_fan_outs,
    due.WEBHOOKS.name: _of_webhooks,
}
