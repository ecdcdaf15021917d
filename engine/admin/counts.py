"""How many rows of a lane are due, come later, are paused, or have failed, however many these are.

Whoever looks counts up to COUNTED: that takes a bounded time, and small numbers are those of this moment. What goes
beyond is counted to its end by the clock, now and then, and kept for everybody who looks, with what it finds among the
rows that come next (near.py). Where it was a moment ago, they count up to SURE alone: whether it is few again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from sqlalchemy import Integer, bindparam, func, literal, select

from engine.admin import kept, near, open_deliveries
from engine.db.dialects import Now, after
from engine.db.tables import (
    DELIVERY_DEAD,
    EMAIL_FAILED,
    ORDER_SET_ASIDE,
    deliveries,
    emails,
    lane_counts,
    orders,
    waiting_events,
)
from engine.queue import due

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, FromClause, Select

COUNTED = 10_000  # rows of a kind are counted up to here by those who look
LARGEST = 10_000_000  # likewise, by the clock
LASTING = timedelta(minutes=5)  # for which what the clock has counted is told
Place: TypeAlias = tuple[str, str]  # a lane, and where its rows are
LATER, LATE, HELD, DEAD, OPEN = "to come", "late", "paused", "dead", "open"


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows; `more`: at least so many. `at`: when they were counted, if that was not now.

    Where the place is a time, milliseconds since 1970.
    """

    number: int
    more: bool = False
    at: datetime | None = None


Counts: TypeAlias = Mapping[Place, Count]


def of_lane(found: Counts, lane: str) -> Mapping[str, Count]:
    """The counts of one lane."""
    return {place: count for (name, place), count in found.items() if name == lane}


def counts(connection: Connection) -> Counts:
    """Of each place; of deliveries by their standing only what the clock has counted."""
    told = select(lane_counts, kept.is_new(lane_counts.c.at).label("is_new"))
    rows = connection.execute(told.where(lane_counts.c.at.between(after(-LASTING), Now()))).all()
    sure = {(row.lane, row.place) for row in rows if row.is_new}
    most = {place: near.SURE if place in sure else COUNTED for place in _ROWS}
    found = {place: Count(number, more=number >= most[place]) for place, number in _bounded(connection, most).items()}
    large, many = {place for place, count in found.items() if count.more}, _many(found)
    for row in rows:
        place = (row.lane, row.place)
        looked_at = place not in most and row.is_new and (row.lane in many or (row.lane, OPEN) in large)
        if place in large or looked_at:
            found[place] = Count(max(most.get(place, 0), row.number), more=row.number >= LARGEST, at=row.at)
    return found


def large(connection: Connection) -> Mapping[Place, int]:
    """Of places that have more than others count, how many there are; of lanes where many wait, what is near.

    It takes a second for a few million.
    """
    numbers = _bounded(connection, dict.fromkeys(_ROWS, COUNTED))
    beyond = [place for place, number in numbers.items() if number >= COUNTED]
    found = {place: connection.execute(_number(_ROWS[place]), {"most": LARGEST}).scalar_one() for place in beyond}
    if (due.WEBHOOKS.name, OPEN) in beyond:
        its = open_deliveries.places(open_deliveries.many(connection, LARGEST))
        found |= {(due.WEBHOOKS.name, place): number for place, number in its.items()}
    for lane in (due.ORDERS, due.EMAILS):
        come, late = numbers[lane.name, LATER], found.get((lane.name, LATE), numbers[lane.name, LATE])
        if max(come, late) >= near.SURE:
            its = near.look(connection, lane, near.FAR, come, late).places
            found |= {(lane.name, place): number for place, number in its.items()}
    return found


def _many(found: Counts) -> set[str]:
    """The lanes of which as many rows are due, or come later, as everybody reads who looks."""
    return {name for (name, place), count in found.items() if place in (LATER, LATE) and count.number >= near.SURE}


def keep(connection: Connection, at: datetime, found: Mapping[Place, int]) -> None:
    """Keep what was counted then, in place of what was kept before."""
    rows = [{"lane": lane, "place": place, "number": number} for (lane, place), number in found.items()]
    kept.keep(connection, lane_counts, at, rows)


def counted(  # type: ignore[explicit-any]  # SQLAlchemy's FromClause has one inside
    connection: Connection, table: FromClause, *conditions: ColumnElement[bool]
) -> int:
    """How many rows of a table match; COUNTED at most."""
    return connection.execute(_number(_rows(table, *conditions)), {"most": COUNTED}).scalar_one()


def _rows(  # type: ignore[explicit-any]  # likewise
    table: FromClause, *conditions: ColumnElement[bool]
) -> Select[int]:
    return select(literal(1)).select_from(table).where(*conditions).limit(bindparam("most", type_=Integer()))


def _number(rows: Select[int]) -> Select[int]:
    return select(func.count()).select_from(rows.subquery())


_ROWS: Mapping[Place, Select[int]] = {
    **{
        (name, place): _rows(table, condition)
        for name, table, dead in ((due.ORDERS.name, orders, ORDER_SET_ASIDE), (due.EMAILS.name, emails, EMAIL_FAILED))
        for place, condition in (
            (LATER, table.c.due_at > Now()),
            (LATE, table.c.due_at <= Now()),
            (HELD, table.c.paused_by.is_not(None)),
            (DEAD, dead),
        )
    },
    (due.FAN_OUTS.name, LATE): _rows(waiting_events),
    (due.WEBHOOKS.name, OPEN): _rows(deliveries, deliveries.c.due_at.is_not(None)),
    (due.WEBHOOKS.name, DEAD): _rows(deliveries, DELIVERY_DEAD),
}
_BOUNDED = select(
    *(
        _number(rows.limit(bindparam(f"most_{number}", type_=Integer()))).scalar_subquery().label(f"number_{number}")
        for number, rows in enumerate(_ROWS.values())
    )
)


def _bounded(connection: Connection, most: Mapping[Place, int]) -> Mapping[Place, int]:
    """Of each place up to so many, in one look."""
    bounds = {f"most_{number}": most[place] for number, place in enumerate(_ROWS)}
    return dict(zip(_ROWS, connection.execute(_BOUNDED, bounds).one(), strict=True))
