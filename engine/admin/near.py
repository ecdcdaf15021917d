"""What is in flight, tried before, or due before its due time, of a lane's rows that come next.

Whoever looks reads the SEEN soonest, each of which may lie on a page of its own. Where more than SURE wait, the clock
reads the FAR soonest and keeps what it found: then whoever looks reads SURE, for what is of this moment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Integer, bindparam, func, select

from engine.admin.soonest import soonest
from engine.admin.standing import RETRYING, Standing
from engine.db.dialects import Now, after
from engine.db.tables import EPOCH, MILLISECOND, milliseconds
from engine.queue import due

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from engine.admin.counts import Count

SURE = 500  # rows that are read where the clock has read more
SEEN = 2_000  # where it has not
FAR = 10_000  # by the clock
# Within which an order is due that a worker has, or that is tried again, but for the few whose time somebody else says.
SOON = timedelta(hours=3)
EARLY = "early"  # as a place of counts, which has the others beside it
SINCE = "due since"  # likewise: a time, in milliseconds


@dataclass(frozen=True, slots=True)
class Near:
    """How many rows of each kind; `since`: from when on the first that is due has been; `at`: when the clock looked.

    `whole`: all that come were read.
    """

    in_flight: int = 0
    early: int = 0  # due before their due time
    retrying: int = 0  # come later, tried before
    since: datetime | None = None
    at: datetime | None = None
    whole: bool = True

    @property
    def places(self) -> Mapping[str, int]:
        """It as counts, for the clock to keep."""
        numbers = {Standing.IN_FLIGHT.value: self.in_flight, EARLY: self.early, RETRYING: self.retrying}
        return numbers | ({} if self.since is None else {SINCE: milliseconds(self.since)})


def seen(
    connection: Connection, lane: due.Lane[due.Claimed], counts: Mapping[str, Count], come: int, late: int
) -> Near:
    """What whoever looks is told of orders or e-mails, of which so many come and are due; `counts`: the lane's."""
    kept = _kept(counts)
    if kept is None:
        return replace(look(connection, lane, SEEN, come), whole=come <= SEEN)
    now = replace(look(connection, lane, SURE, come), whole=come <= FAR)
    told = replace(
        now,
        in_flight=now.in_flight or kept.in_flight,
        early=max(now.early, kept.early),
        retrying=max(now.retrying, kept.retrying),
    )
    if kept.since and (told.early > now.early or late >= SURE):
        told = replace(told, since=min(now.since or kept.since, kept.since))
    return now if told == now else replace(told, at=kept.at)


def look(connection: Connection, lane: due.Lane[due.Claimed], most: int, come: int) -> Near:
    """What is found among so many that come, and are due; `come`: how many come."""
    statements = _LOOKS[lane.name]
    far = lane is due.ORDERS and come >= most
    rows = connection.execute(statements.soon if far else statements.later, {"most": most})
    found = {word: (number, tried, since) for word, number, tried, since in rows}
    none = (0, 0, None)
    early, _, early_since = found.get(Standing.DUE, none)
    known = [early_since, connection.scalar(statements.late, {"most": most if lane is due.EMAILS else 1})]
    return Near(
        in_flight=found.get(Standing.IN_FLIGHT, none)[0],
        early=early,
        retrying=found.get(Standing.LATER, none)[1],
        since=min((since for since in known if since is not None), default=None),
    )


class _Looking(NamedTuple):
    """How a lane is looked at: to build the statements takes longer than to run them."""

    later: Select[str, int, int, datetime]
    soon: Select[str, int, int, datetime]  # of those alone that are due SOON
    late: Select[datetime]


def _looking(lane: due.Lane[due.Claimed]) -> _Looking:
    due_at, most = lane.table.c.due_at, bindparam("most", type_=Integer())

    def by_standing(*which: ColumnElement[bool]) -> Select[str, int, int, datetime]:
        its = soonest(lane, most, due_at > Now(), *which)
        word, tried = its.stands.word, func.count().filter(its.rows.c.attempts > 0)
        return select(word.label("word"), func.count(), tried, func.min(its.stands.since)).group_by(word)

    late = soonest(lane, most, due_at <= Now())
    return _Looking(by_standing(), by_standing(due_at <= after(SOON)), select(func.min(late.stands.since)))


_LOOKS = {lane.name: _looking(lane) for lane in (due.ORDERS, due.EMAILS)}


def _kept(counts: Mapping[str, Count]) -> Near | None:
    """What the clock has found, from its counts; None: it has found nothing that may be told."""
    if EARLY not in counts:
        return None
    early = counts[EARLY]
    return Near(
        in_flight=counts[Standing.IN_FLIGHT].number,
        early=early.number,
        retrying=counts[RETRYING].number,
        since=moment(counts.get(SINCE)),
        at=early.at,
    )


def moment(count: Count | None) -> datetime | None:
    """A time that is kept as a count, of milliseconds."""
    return EPOCH + count.number * MILLISECOND if count else None
