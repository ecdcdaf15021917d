"""History by the hour: sums of its minutes, stored once an hour has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, func, select, type_coerce

from engine.db.dialects import insert_new, now
from engine.db.tables import EPOCH, Instant, history, history_hours

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=2)  # after an hour's end, nobody adds to it any more


def roll_up(connection: Connection) -> None:
    """Store the sums of the hours that have ended since the last one that is stored."""
    ended = now(connection) - SETTLED
    at, length = type_coerce(history.c.minute, BigInteger), HOUR // timedelta(milliseconds=1)
    hour = type_coerce(at - at % length, Instant).label("hour")
    left = (history.c.minute >= since_rolled(connection), history.c.minute < ended - (ended - EPOCH) % HOUR)
    sums = select(hour, history.c.series, func.sum(history.c["count"])).where(*left).group_by(hour, history.c.series)
    new = insert_new(connection.dialect.name, history_hours)  # another scheduler may have stored them meanwhile
    connection.execute(new.from_select(["hour", "series", "count"], sums))


def since_rolled(connection: Connection) -> datetime:
    """From when on the sums of hours are not stored yet."""
    last: datetime | None = connection.scalar(select(func.max(history_hours.c.hour)))
    return last + HOUR if last else EPOCH
