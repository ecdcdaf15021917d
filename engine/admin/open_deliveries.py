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

    from sqlalchemy import Connection

    from engine.admin.counts import Count

_STANDINGS = (Standing.LATER, Standing.DUE, Standing.PAUSED)
_SINCE = {Standing.DUE: "due since", Standing.PAUSED: "held since"}  # as places of counts: times, in milliseconds
_STANDS = of_deliveries()
_OPEN = (
    select(_STANDS.word.label("word"), deliveries.c.attempts, _STANDS.since.label("since"))
    .select_from(deliveries.join(subscriptions))
    .where(deliveries.c.due_at.is_not(None), subscriptions.c.removed.is_(None))
    .order_by(deliveries.c.seq)
    .limit(bindparam("most", type_=Integer()))
    .subquery()
)
_BY_STANDING = select(
    _OPEN.c.word, func.count(), func.count().filter(_OPEN.c.attempts > 0), func.min(_OPEN.c.since)
).group_by(_OPEN.c.word)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Those of one standing."""

    number: int = 0
    tried: int = 0
    since: datetime | None = None


def by_standing(connection: Connection, most: int) -> Mapping[Standing, Deliveries]:
    """The oldest of them, so many."""
    found = {word: Deliveries(*row) for word, *row in connection.execute(_BY_STANDING, {"most": most})}
    return {standing: found.get(standing, Deliveries()) for standing in _STANDINGS}


def places(found: Mapping[Standing, Deliveries]) -> Mapping[str, int]:
    """What the clock has found, as counts."""
    numbers = {standing.value: found[standing].number for standing in _STANDINGS}
    times = {place: found[standing].since for standing, place in _SINCE.items()}
    since = {place: milliseconds(time) for place, time in times.items() if time is not None}
    return numbers | {RETRYING: found[Standing.LATER].tried} | since


def kept(found: Mapping[str, Count]) -> Mapping[Standing, Deliveries] | None:
    """What the clock has found, from its counts; None: it has found nothing that may be told."""
    if RETRYING not in found:
        return None

    def of(standing: Standing) -> Deliveries:
        tried = found[RETRYING].number if standing is Standing.LATER else 0
        return Deliveries(found[standing].number, tried, moment(found.get(_SINCE.get(standing, ""))))

    return {standing: of(standing) for standing in _STANDINGS}
