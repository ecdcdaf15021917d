"""What is in flight, tried before, or due before its due time, of a lane's rows that come next.

Whoever looks reads the SEEN soonest, each of which may lie on a page of its own. Where SURE or more wait, the clock
reads the FAR soonest and keeps what it found. Then whoever looks reads SURE of those that are due within minutes: what
is of this moment is among them, since leases are short, and so are rests of relays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Integer, bindparam, func, select

from engine.admin.soonest import soonest
from engine.admin.standing import REST, RETRYING, Standing
from engine.db.dialects import Now, after
from engine.db.tables import EPOCH, MILLISECOND, milliseconds
from engine.queue import due

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from engine.admin.counts import Count

SURE = 500  # rows that are read, or counted, where the clock has done more
SEEN = 2_000  # where it has not
FAR = 10_000  # by the clock; no more than others count
# Within which an order is due that a worker has, or that is tried again, but for the few whose time somebody else says.
SOON = timedelta(hours=3)
# As places of counts. The last two are times, in milliseconds.
IN_FLIGHT, EARLY, LATE, EARLY_SINCE, LATE_SINCE = "in flight", "early", "late then", "early from", "late from"


@dataclass(frozen=True, slots=True)
class Near:
    """How many rows of each kind, and since when the first of those that are due has been.

    `more`: the kinds of which there may be more. `at`: when the clock looked, if what is told depends on it.
    """

    in_flight: int = 0
    early: int = 0  # due before their due time
    retrying: int = 0  # come later, tried before
    late: int = 0  # how many were due when the clock looked
    early_since: datetime | None = None
    late_since: datetime | None = None
    at: datetime | None = None
    more: frozenset[str] = frozenset()

    @property
    def since(self) -> datetime | None:
        """Since when the first has been due, early or late."""
        return min((since for since in (self.early_since, self.late_since) if since), default=None)

    @property
    def places(self) -> Mapping[str, int]:
        """It as counts, for the clock to keep."""
        numbers = {IN_FLIGHT: self.in_flight, EARLY: self.early, RETRYING: self.retrying, LATE: self.late}
        times = {EARLY_SINCE: self.early_since, LATE_SINCE: self.late_since}
        return numbers | {place: milliseconds(time) for place, time in times.items() if time}


def near(
    connection: Connection, lane: due.Lane[due.Claimed], counts: Mapping[str, Count], come: int, late: int
) -> Near:
    """What whoever looks is told of orders or e-mails, of which so many come and are due; `counts`: the lane's."""
    kept = _kept(counts)
    if kept is None:
        now = look(connection, lane, SEEN, come, late)
        return _unsure(now, dict.fromkeys(_KINDS, come >= SEEN))
    told = now = _look(connection, lane, SURE, REST if come >= SURE else None, late)
    if come >= SURE:
        told = _beside(now, kept, come)
    if kept.late_since and late >= SURE and lane is due.EMAILS:
        told = replace(told, late_since=min(told.late_since or kept.late_since, kept.late_since), at=kept.at)
    return told


def look(connection: Connection, lane: due.Lane[due.Claimed], most: int, come: int, late: int) -> Near:
    """What is found among so many rows that come, and so many that are due, of `come` and `late` that there are."""
    return _look(connection, lane, most, SOON if lane is due.ORDERS and come >= most else None, late)


def _look(connection: Connection, lane: due.Lane[due.Claimed], most: int, within: timedelta | None, late: int) -> Near:
    statements = _LOOKS[lane.name]
    bounds = {"most": most} if within is None else {"most": most, "within": within // MILLISECOND}
    rows = connection.execute(statements.next if within is None else statements.soon, bounds)
    found = {word: (number, tried, since) for word, number, tried, since in rows}
    none = (0, 0, None)
    early, _, early_since = found.get(Standing.DUE, none)
    return Near(
        in_flight=found.get(Standing.IN_FLIGHT, none)[0],
        early=early,
        retrying=found.get(Standing.LATER, none)[1],
        late=late,
        early_since=early_since,
        late_since=connection.scalar(statements.late, {"most": most if lane is due.EMAILS else 1}),
    )


_KINDS = ("in_flight", "early", "retrying")


def _beside(now: Near, kept: Near, come: int) -> Near:
    """What is found among few, beside what the clock has found among many.

    Of those that were early then, as many may be late now as more are late: there may be more, if others have come.
    """
    in_flight = min(max(now.in_flight, kept.in_flight), come)
    early = min(max(now.early, kept.early - max(0, now.late - kept.late)), come - in_flight)
    retrying = min(max(now.retrying, kept.retrying), come - in_flight - early)
    told = replace(now, in_flight=in_flight, early=early, retrying=retrying, at=kept.at)
    if kept.early_since and early:
        told = replace(told, early_since=min(now.early_since or kept.early_since, kept.early_since))
    unsure = {kind: come >= FAR or getattr(now, kind) > getattr(kept, kind) for kind in _KINDS}
    return _unsure(told, unsure | {"early": unsure["early"] or early < min(kept.early, come - in_flight)})


def _unsure(found: Near, kinds: Mapping[str, bool]) -> Near:
    """The same, with the kinds of which some were found and there may be more."""
    return replace(found, more=frozenset(kind for kind, more in kinds.items() if more and getattr(found, kind)))


def _kept(counts: Mapping[str, Count]) -> Near | None:
    """What the clock has found, from its counts; None: it has found nothing that may be told."""
    if not {IN_FLIGHT, EARLY, RETRYING, LATE} <= counts.keys():
        return None
    return Near(
        in_flight=counts[IN_FLIGHT].number,
        early=counts[EARLY].number,
        retrying=counts[RETRYING].number,
        late=counts[LATE].number,
        early_since=moment(counts.get(EARLY_SINCE)),
        late_since=moment(counts.get(LATE_SINCE)),
        at=counts[EARLY].at,
    )


def moment(count: Count | None) -> datetime | None:
    """A time that is kept as a count, of milliseconds."""
    return EPOCH + count.number * MILLISECOND if count else None


class _Looking(NamedTuple):
    """How a lane is looked at: to build the statements takes longer than to run them."""

    next: Select[str, int, int, datetime]
    soon: Select[str, int, int, datetime]  # of those alone that are due within so many milliseconds
    late: Select[datetime]


def _looking(lane: due.Lane[due.Claimed]) -> _Looking:
    due_at, most = lane.table.c.due_at, bindparam("most", type_=Integer())

    def by_standing(*which: ColumnElement[bool]) -> Select[str, int, int, datetime]:
        its = soonest(lane, most, due_at > Now(), *which)
        word, tried = its.stands.word, func.count().filter(its.rows.c.attempts > 0)
        return select(word.label("word"), func.count(), tried, func.min(its.stands.since)).group_by(word)

    late = soonest(lane, most, due_at <= Now())
    soon = due_at <= after(bindparam("within", type_=BigInteger()))
    return _Looking(by_standing(), by_standing(soon), select(func.min(late.stands.since)))


_LOOKS = {lane.name: _looking(lane) for lane in (due.ORDERS, due.EMAILS)}
