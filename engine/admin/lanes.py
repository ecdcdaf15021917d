"""The lanes in numbers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin.amounts import Amount
from engine.admin.counts import COUNTED, DEAD, HELD, LATE, LATER, OPEN, Count, counted, counts
from engine.admin.soonest import paused_first, soonest
from engine.admin.standing import Standing, of_deliveries
from engine.db import dialects
from engine.db.dialects import Now, after
from engine.db.tables import Instant, deliveries, events, pauses, subscriptions, waiting_events
from engine.queue import due, lateness
from engine.queue.pauses import LANE
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from engine.admin.counts import Counts


SEEN = 2_000  # rows of a lane that come next, each on a page of its own; of many deliveries, the oldest
# Within which an order is due that a worker has, or that is tried again, but for the few whose time somebody else says.
SOON = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane in numbers.

    Rows in flight, retrying, or due before their due time are looked for among the SEEN soonest; of more orders than
    that, among those that are due SOON.

    `more`: the names of numbers that were not counted to their end. `counted`: when those were counted that are too
    large for each look.
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
    def left(self) -> Amount:
        """What is not done: due, later, and paused."""
        parts = [self.amount(name) for name in ("due", "waiting", "held")]
        return Amount(sum(part.number for part in parts), more=any(part.more for part in parts))


def lanes(connection: Connection, *names: str) -> list[LaneFigures]:
    """The lanes in the order in which work goes through them; of these names, if there are any."""
    rows = connection.execute(select(pauses).where(pauses.c.kind == LANE))
    paused = {row.value: _by(row.who, row.ends, row.reason) for row in rows}
    found, moment = counts(connection), dialects.now(connection)
    each: dict[str, Callable[[], LaneFigures]] = {
        due.ORDERS.name: lambda: _of_rows(connection, due.ORDERS, found, moment),
        due.EMAILS.name: lambda: _of_rows(connection, due.EMAILS, found, moment),
        due.FAN_OUTS.name: lambda: _of_fan_outs(connection, found, moment),
        due.WEBHOOKS.name: lambda: _of_webhooks(connection, found, moment),
    }
    figures = [look() for name, look in each.items() if not names or name in names]
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


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows of one standing: how many, how many of them were tried before, and since when the first has been due."""

    rows: int = 0
    tried: int = 0
    since: datetime | None = None


def _standings(
    connection: Connection,
    word: ColumnElement[str],
    attempts: ColumnElement[int],
    since: ColumnElement[datetime],
) -> defaultdict[str, _Counted]:
    """By standing, the rows that are looked at."""
    tried = func.count().filter(attempts > 0)
    chosen = select(word.label("word"), func.count(), tried, func.min(since)).group_by(word)
    return defaultdict(_Counted, {row.word: _Counted(*row[1:]) for row in connection.execute(chosen)})


def _of_rows(connection: Connection, lane: due.Lane[due.Claimed], found: Counts, moment: datetime) -> LaneFigures:
    due_at = lane.table.c.due_at
    far = lane is due.ORDERS and found[lane.name, LATER].number > SEEN
    later = soonest(lane, SEEN, due_at > Now(), *([due_at <= after(SOON)] if far else []))
    late_ones = soonest(lane, SEEN if lane is due.EMAILS else 1, due_at <= Now())
    next_ = _standings(connection, later.stands.word, later.rows.c.attempts, later.stands.since)
    first = connection.scalar(select(func.min(late_ones.stands.since)))
    busy, early, tried = next_[Standing.IN_FLIGHT].rows, next_[Standing.DUE], next_[Standing.LATER].tried
    come, late, held, dead = (found[lane.name, place] for place in (LATER, LATE, HELD, DEAD))
    oldest_due = _age(moment, first, early.since)
    paused = _oldest_paused(connection, lane, moment) if held.number else 0.0
    unseen = come.number > SEEN
    more = {"waiting": come.more, "due": late.more or (unseen and early.rows > 0), "held": held.more, "dead": dead.more}
    return LaneFigures(
        name=lane.name,
        waiting=max(0, come.number - busy - early.rows),
        due=late.number + early.rows,
        in_flight=busy,
        retrying=tried,
        held=held.number,
        dead=dead.number,
        oldest_due_seconds=oldest_due,
        oldest_seconds=max(oldest_due, paused),
        more=_names(more | {"in_flight": unseen and busy > 0, "retrying": unseen and tried > 0}),
        counted=_earliest(come, late, held, dead),
    )


def _names(more: dict[str, bool]) -> Sequence[str]:
    return sorted(name for name, is_more in more.items() if is_more)


def _earliest(*found: Count) -> datetime | None:
    """When the oldest of these counts was made, of those that were not made now."""
    return min((count.at for count in found if count.at), default=None)


def _oldest_paused(connection: Connection, lane: due.Lane[due.Claimed], moment: datetime) -> float:
    """For how long the first row that a pause stops has waited."""
    rows, stands = paused_first(lane, 1)
    first: Select[datetime] = select(func.coalesce(stands.since, rows.c.last_update, type_=Instant()))
    return _age(moment, *connection.scalars(first))


def _age(moment: datetime, *begun: datetime | None) -> float:
    """For how long the first of these has been until this moment, in seconds."""
    known = [each for each in begun if each is not None]
    return max(0.0, (moment - min(known)).total_seconds()) if known else 0.0


def _of_fan_outs(connection: Connection, found: Counts, moment: datetime) -> LaneFigures:
    """Of fan-outs, events wait; what is in flight are steps."""
    first = select(func.min(waiting_events.c.event_seq)).scalar_subquery()
    stored = connection.scalar(select(events.c.registered).where(events.c.seq == first))
    late = found[due.FAN_OUTS.name, LATE]
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


def _of_webhooks(connection: Connection, found: Counts, moment: datetime) -> LaneFigures:
    """Of webhooks, deliveries wait; what is in flight are subscriptions. Of many deliveries, the oldest are seen."""
    stands = of_deliveries()
    columns = (stands.word.label("word"), deliveries.c.attempts, stands.since.label("since"))
    kept = (deliveries.c.due_at.is_not(None), subscriptions.c.removed.is_(None))
    first = select(*columns).select_from(deliveries.join(subscriptions)).where(*kept)
    open_, dead = found[due.WEBHOOKS.name, OPEN], found[due.WEBHOOKS.name, DEAD]
    c = first.order_by(deliveries.c.seq).limit(SEEN if open_.at else COUNTED).subquery().c
    seen = _standings(connection, c.word, c.attempts, c.since)

    def number(standing: Standing) -> Count:
        return found.get((due.WEBHOOKS.name, standing), Count(seen[standing].rows, more=open_.more))

    waiting, ready, held = (number(standing) for standing in (Standing.LATER, Standing.DUE, Standing.PAUSED))
    tried, since = seen[Standing.LATER].tried, seen[Standing.DUE].since
    more = {"waiting": waiting.more, "due": ready.more, "held": held.more, "dead": dead.more}
    return LaneFigures(
        name=due.WEBHOOKS.name,
        waiting=waiting.number,
        due=ready.number,
        in_flight=_claimed(connection, subscriptions),
        retrying=tried,
        held=held.number,
        dead=dead.number,
        oldest_due_seconds=_age(moment, since),
        oldest_seconds=_age(moment, since, seen[Standing.PAUSED].since),
        more=_names(more | {"retrying": open_.more and tried > 0}),
        counted=_earliest(waiting, ready, held, dead),
    )


def _claimed(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table
) -> int:
    """Rows in flight: their due times are the ends of leases."""
    return counted(connection, table, table.c.due_at > Now(), table.c.unresolved > 0)
