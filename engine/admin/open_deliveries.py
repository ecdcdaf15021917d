"""Open deliveries by where they stand: how many, how many of them were tried before, and since when they have been due.

Whoever looks counts up to COUNTED, the oldest first; the clock counts more, and keeps it as counts (counts.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Integer, bindparam, func, select

from engine.admin.near import moment
from engine.admin.standing import RETRYING, Standing, of_deliveries
from engine.db.tables import deliveries, milliseconds, subscriptions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from engine.admin.counts import Count

_STANDINGS = (Standing.LATER, Standing.DUE, Standing.PAUSED)
_SINCE = {Standing.DUE: "due from", Standing.PAUSED: "held from"}  # as places of counts: times, in milliseconds


@dataclass(frozen=True, slots=True)
class Figures:
    """Deliveries of one standing."""

    number: int = 0
    tried: int = 0
    since: datetime | None = None


def oldest(connection: Connection, most: int) -> Mapping[Standing, Figures]:
    """Of so many, the oldest."""
    return _found(connection, _OLDEST, most)


def many(connection: Connection, most: int) -> Mapping[Standing, Figures]:
    """Of so many, in any order: the database may read them as it likes."""
    return _found(connection, _MANY, most)


def places(found: Mapping[Standing, Figures]) -> Mapping[str, int]:
    """What the clock has found, as counts."""
    numbers = {standing.value: found[standing].number for standing in _STANDINGS}
    times = {place: found[standing].since for standing, place in _SINCE.items()}
    since = {place: milliseconds(time) for place, time in times.items() if time}
    return numbers | {RETRYING: found[Standing.LATER].tried} | since


def kept(found: Mapping[str, Count]) -> Mapping[Standing, Figures] | None:
    """What the clock has found, from its counts; None: it has found nothing that may be told."""
    if not {*_STANDINGS, RETRYING} <= found.keys():
        return None
    tried = {Standing.LATER: found[RETRYING].number}
    return {
        standing: Figures(found[standing].number, tried.get(standing, 0), moment(found.get(_SINCE.get(standing, ""))))
        for standing in _STANDINGS
    }


def _open() -> Select[str, int, datetime]:
    stands = of_deliveries()
    chosen = select(stands.word.label("word"), deliveries.c.attempts, stands.since.label("since"))
    joined = chosen.select_from(deliveries.join(subscriptions))
    return joined.where(deliveries.c.due_at.is_not(None), subscriptions.c.removed.is_(None))


def _by_standing(its: Select[str, int, datetime]) -> Select[str, int, int, datetime]:
    c = its.limit(bindparam("most", type_=Integer())).subquery().c
    tried = func.count().filter(c.attempts > 0)
    return select(c.word, func.count(), tried, func.min(c.since)).group_by(c.word)


_OLDEST, _MANY = _by_standing(_open().order_by(deliveries.c.seq)), _by_standing(_open())


def _found(connection: Connection, statement: Select[str, int, int, datetime], most: int) -> Mapping[Standing, Figures]:
    rows = connection.execute(statement, {"most": most})
    found = {word: Figures(number, tried, since) for word, number, tried, since in rows}
    return {standing: found.get(standing, Figures()) for standing in _STANDINGS}
