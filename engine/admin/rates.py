"""What was done in an hour, a day, a week or a month, step by step: from the samples of history, whatever is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, func, select, type_coerce, union_all

from engine.db import dialects
from engine.db.hours import HOUR, since_rolled
from engine.db.retention import HISTORY_KEPT, HOURS_KEPT
from engine.db.tables import EPOCH, MILLISECOND, history, history_hours, milliseconds
from engine.observability.history import DELAYS, SERIES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, Connection, Select, Table

DAY, WEEK = timedelta(days=1), timedelta(days=7)
QUANTILES = {"delay.p50": 0.5, "delay.p99": 0.99}


@dataclass(frozen=True, slots=True)
class Span:
    """How far back, and in which steps; `finer`: the span that shows one of its steps from near."""

    name: str
    length: timedelta
    step: timedelta
    finer: str | None = None

    @property
    def kept(self) -> timedelta:
        """How far back there are samples that are fine enough."""
        return HOURS_KEPT if self.step >= HOUR else HISTORY_KEPT


SPANS = {
    span.name: span
    for span in (
        Span("hour", HOUR, timedelta(minutes=1)),
        Span("day", DAY, timedelta(minutes=15), "hour"),
        Span("week", WEEK, HOUR, "day"),
        Span("month", timedelta(days=30), timedelta(hours=6), "day"),
    )
}


@dataclass(frozen=True, slots=True)
class Rates:
    """The counts of each series by step, the oldest first, and of delays, the quantiles in seconds (None: none sent).

    `before`: the sums of the same span before this one.
    """

    span: Span
    first: datetime  # when the first step begins
    now: datetime
    counts: Mapping[str, Sequence[int]]
    delays: Mapping[str, Sequence[float | None]]
    whole: Mapping[str, float | None]  # the quantiles of the whole span
    before: Mapping[str, int]

    @property
    def until(self) -> datetime:
        """When the last step ends."""
        return self.first + self.span.length

    @property
    def is_newest(self) -> bool:
        """Whether the last step has not ended yet."""
        return self.until > self.now


def rates(connection: Connection, span: Span, until: datetime | None = None) -> Rates:
    """The rates of the span whose last step has `until` in it or at its end; None: of the newest one."""
    now = dialects.now(connection)
    last = min(until or now, now)
    ended = last - (last - EPOCH) % span.step
    first = (ended if ended == until else ended + span.step) - span.length
    here = sums(connection, span, first, (*SERIES, *DELAYS))
    earlier = sums(connection, span, first - span.length)
    buckets = [here[name] for name in DELAYS]
    return Rates(
        span=span,
        first=first,
        now=now,
        counts={name: here[name] for name in SERIES},
        delays={
            name: [quantile(step, share) for step in zip(*buckets, strict=True)] for name, share in QUANTILES.items()
        },
        whole={name: quantile([sum(bucket) for bucket in buckets], share) for name, share in QUANTILES.items()},
        before={name: sum(earlier[name]) for name in SERIES},
    )


def sums(connection: Connection, span: Span, first: datetime, wanted: Collection[str] = SERIES) -> dict[str, list[int]]:
    """The counts of each series by step, the oldest first, of the span that begins at `first`."""
    end, rolled = first + span.length, since_rolled(connection) if span.step >= HOUR else first
    hours = _samples(history_hours, history_hours.c.hour, (first, min(end, rolled)), wanted)
    minutes = _samples(history, history.c.minute, (max(first, rolled), end), wanted)
    each, width = union_all(hours, minutes).subquery(), span.step // MILLISECOND
    place = (type_coerce(each.c.at, BigInteger) - milliseconds(first)) // width
    chosen = select(each.c.series, place.label("place"), func.sum(each.c["count"])).group_by(each.c.series, place)
    found = {name: [0] * (span.length // span.step) for name in wanted}
    for series, place_of, count in connection.execute(chosen):
        found[series][place_of] = int(count)
    return found


def _samples(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    table: Table, at: Column[datetime], within: tuple[datetime, datetime], wanted: Collection[str]
) -> Select[tuple[datetime, str, int]]:
    first, end = within
    chosen = select(at.label("at"), table.c.series, table.c["count"])
    return chosen.where(at >= first, at < end, table.c.series.in_(wanted))


def quantile(buckets: Sequence[int], share: float) -> float | None:
    """The delay that this share of e-mails did not exceed, in seconds, evenly within its bucket; None: there is none.

    Beyond the last bound, that bound.
    """
    bounds, sums = (0.0, *DELAYS.values()), [0, *accumulate(buckets)]
    wanted = share * sums[-1]
    if not wanted:
        return None
    place = next(place for place, upto in enumerate(sums) if upto >= wanted)
    low, high = bounds[place - 1], bounds[place]
    if high == float("inf"):
        return low
    return low + (high - low) * (wanted - sums[place - 1]) / (sums[place] - sums[place - 1])
