"""Budgets: what creators have left of their quotas, in windows by the database's clock that all processes share.

A creator's row in `quota_use` tells, for minutes and for days (UTC), the newest window in which its orders count, and
how many recipients count there so far. The transaction that stores orders locks the row, so that nothing is stored
beyond a quota, however many processes take orders in. That window lies ahead where orders are paced: an order counts
in the first window that has room for it, and is not due before. An empty window takes an order that is larger than the
quota, which then uses the following windows up, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import Integer, Text, update

from engine.db.dialects import insert_or_lock, now
from engine.db.records import columns, read
from engine.db.rows import Rows, run
from engine.db.tables import EPOCH, Instant, milliseconds, quota_use
from engine.errors import Invalid, QuotaExceeded
from engine.models import Allowance
from engine.orders.quotas import Excess, QuotaUse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Insert

    from engine.orders.quotas import Quota

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
LONGEST_WAIT = timedelta(days=1)  # of a paced order: its e-mails expire two days after its send time
_CREATORS = Rows(creator=Text())
_USES = Rows(creator=Text(), minute=Instant(), in_minute=Integer(), day=Instant(), in_day=Integer())
_RECORD = (
    update(quota_use)
    .where(quota_use.c.creator == _USES["creator"])
    .values({name: _USES[name] for name in ("minute", "in_minute", "day", "in_day")})
)


@dataclass(slots=True)
class _Window:
    """The newest window of this length in which orders count."""

    name: str
    length: timedelta
    quota: int
    start: datetime
    used: int

    def reach(self, moment: datetime, recipients: int) -> datetime:
        """The first instant from `moment` on at which so many more have room."""
        if self._window_of(moment) > self.start:
            return moment
        if not self.used or self.used + recipients <= self.quota:
            return max(moment, self.start)
        return self.start + self.length

    def take(self, moment: datetime, recipients: int) -> None:
        """Count so many more at an instant at which they have room."""
        if self._window_of(moment) > self.start:
            self.start, self.used = self._window_of(moment), 0
        self.used += recipients
        full = (self.used - 1) // self.quota
        self.start += full * self.length
        self.used -= full * self.quota

    def allowance(self, at: datetime) -> Allowance:
        """What is left at this moment, and for how long that is all."""
        present = self._window_of(at)
        if present < self.start:
            return Allowance(self.name, self.quota, self.length, 0, self.start - at)
        used = self.used if present == self.start else 0
        return Allowance(self.name, self.quota, self.length, max(0, self.quota - used), present + self.length - at)

    def _window_of(self, moment: datetime) -> datetime:
        return EPOCH + (moment - EPOCH) // self.length * self.length


class Budget:
    """What one creator has left, during one transaction that has locked its row."""

    def __init__(self, quota: Quota, use: QuotaUse, at: datetime) -> None:
        self._use = use
        self._paces = quota.exceeded is Excess.PACE
        self._at = at
        self._windows: list[_Window] = []
        if quota.per_minute:
            self._windows.append(_Window("minute", MINUTE, quota.per_minute, use.minute, use.in_minute))
        if quota.per_day:
            self._windows.append(_Window("day", DAY, quota.per_day, use.day, use.in_day))
        self.changed = False

    def admit(self, recipients: int, *, reminders: bool = False) -> datetime | Invalid | QuotaExceeded:
        """The instant from which on an order to so many may be due; or why it is not taken in.

        `reminders`: they are those of its reminders, but for one.
        """
        most = min(window.quota for window in self._windows)
        if recipients > most and not self._paces:
            member, whose = ("Reminders", ", those of its reminders included") if reminders else ("Recipients", "")
            return Invalid({member: [f"An order of this creator has at most {most:,} recipients{whose}; split it."]})
        moment = self.earliest(recipients)
        wait = moment - self._at - (LONGEST_WAIT if self._paces else timedelta())
        return self._refusal(recipients, wait) if wait > timedelta() else moment

    def earliest(self, recipients: int = 1) -> datetime:
        """The first instant, from now on, at which so many more have room."""
        moment = self._at
        while (later := max(window.reach(moment, recipients) for window in self._windows)) > moment:
            moment = later
        return moment

    def take(self, moment: datetime, recipients: int) -> None:
        """Count an order that was admitted for this instant."""
        for window in self._windows:
            window.take(moment, recipients)
        self.changed = True

    def waits(self, moment: datetime) -> bool:
        """Whether this instant is still to come."""
        return moment > self._at

    def allowances(self) -> tuple[Allowance, ...]:
        """What is left."""
        return tuple(window.allowance(self._at) for window in self._windows)

    def counted(self) -> dict[str, str | int]:
        """What counts by now, as `record` stores it; windows without a quota stay as they are."""
        use = self._use
        row = {"minute": milliseconds(use.minute), "in_minute": use.in_minute}
        row |= {"day": milliseconds(use.day), "in_day": use.in_day}
        for window in self._windows:
            row |= {window.name: milliseconds(window.start), f"in_{window.name}": window.used}
        return {"creator": use.creator, **row}

    def _refusal(self, recipients: int, wait: timedelta) -> QuotaExceeded:
        full = [window for window in self._windows if window.reach(self._at, recipients) > self._at]
        left = [window.allowance(self._at) for window in full]
        limits = ", and ".join(
            f"{each.quota:,} recipients a {each.name}, of which {each.left:,} are left" for each in left
        )
        then = "would wait for more than a day" if self._paces else "can be taken in later"
        text = f"The quota of this creator is {limits}; an order to {recipients:,} {then}."
        return QuotaExceeded(text, wait, [replace(each, during=min(each.during, wait)) for each in left])


def lock(connection: Connection, quotas: Mapping[str, Quota]) -> dict[str, Budget]:
    """The budgets of these creators, by name; other transactions wait for this one to end."""
    if not quotas:
        return {}
    # Sorted: two transactions lock the rows in the same order.
    rows = run(connection, _lock(connection.dialect.name), [{"creator": creator} for creator in sorted(quotas)])
    at = now(connection)  # after the wait for the locks
    return {use.creator: Budget(quotas[use.creator], use, at) for use in read(QuotaUse, rows)}


def record(connection: Connection, budgets: Mapping[str, Budget]) -> None:
    """Store what was taken."""
    run(connection, _RECORD, [budget.counted() for budget in budgets.values() if budget.changed])


@cache
def _lock(dialect: str) -> Insert:
    return _CREATORS.complete(insert_or_lock(dialect, quota_use, quota_use.c.creator)).returning(
        *columns(QuotaUse, quota_use.c)
    )
