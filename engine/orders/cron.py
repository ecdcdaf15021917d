"""Cron expressions in a time zone: minute, hour, day, month, day of the week (0 and 7: Sunday), as crontab(5) has them.

Times at fixed hours come once on every day that has them in the expression, through every change of the clock: one that
the clock skips comes when it is set forward, and of one that comes twice the first counts. Where the hour is `*`, times
come in every hour that passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST = 200  # characters
FARTHEST = 41  # years: 29 February is a Sunday once in 28 years, and in 40 where a century has none
SET_BACK = timedelta(hours=3)  # the most by which a clock is set back
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(
    r"(?:\*|(?P<first>[a-z]{3}|\d{1,2})(?:-(?P<last>[a-z]{3}|\d{1,2}))?)(?:/(?P<step>\d{1,2}))?", re.ASCII
)
_DAY = timedelta(days=1)
_LAST = date.max - 3 * _DAY


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an expression: its name, its values, and the names of these, from its least value on."""

    name: str
    least: int
    most: int
    names: Sequence[str] = ()

    def read(self, text: str) -> frozenset[int]:
        """The values that a text allows; ValueError."""
        return frozenset(value for part in text.split(",") for value in self._part(part))

    def _part(self, text: str) -> Sequence[int]:
        match = _PART.fullmatch(text)
        if not match or match["step"] == "0":
            raise ValueError(f"{text!r} is no {self.name}")
        step = int(match["step"] or 1)
        if match["first"] is None:
            return range(self.least, self.most + 1, step)
        first = self._value(match["first"])
        last = self._value(match["last"]) if match["last"] else self.most if match["step"] else first
        if not self.least <= first <= last <= self.most:
            raise ValueError(f"{text!r} is no {self.name}")
        return range(first, last + 1, step)

    def _value(self, text: str) -> int:
        if text.isdigit():
            return int(text)
        if text not in self.names:
            raise ValueError(f"{text!r} is no {self.name}")
        return self.names.index(text) + self.least


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of the month", 1, 31),
    Field("month", 1, 12, _MONTHS),
    Field("day of the week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """An expression in a time zone."""

    minutes: Sequence[int]
    hours: Sequence[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]  # 0: Monday
    any_day: bool  # whether a day is named by both kinds, of which one is enough
    every_hour: bool
    zone: ZoneInfo

    @classmethod
    def read(cls, text: str, zone: str) -> Cron:
        """An expression; ValueError says what is wrong with it. The zone is known."""
        parts = text.lower().split()
        if len(parts) != len(FIELDS) or len(text) > LONGEST:
            raise ValueError("an expression has five fields: minute, hour, day, month, day of the week")
        minutes, hours, days, months, weekdays = (field.read(part) for field, part in zip(FIELDS, parts, strict=True))
        any_day = not (parts[2].startswith("*") or parts[4].startswith("*"))
        of_week = frozenset((day - 1) % 7 for day in weekdays)
        every = parts[1] == "*"
        return cls(sorted(minutes), sorted(hours), days, months, of_week, any_day, every, ZoneInfo(zone))

    def following(self, after: datetime) -> datetime | None:
        """The first time after an instant; None: there is none."""
        found: datetime | None = None
        until: datetime | None = None
        since = after.astimezone(self.zone).replace(tzinfo=None)
        for wall in self._walls(since - SET_BACK if self._is_set(after, 2 * SET_BACK) else since):
            if until and wall > until:
                break
            for at in self._instants(wall.replace(tzinfo=self.zone)):
                if at > after and (found is None or at < found):
                    found, until = at, wall + SET_BACK  # a later time on the clock can be an earlier instant
            if found and not self._is_set(found, SET_BACK):
                break  # it is not
        return found

    def _is_set(self, at: datetime, during: timedelta) -> bool:
        """Whether the clock is set at about that time."""
        begins, ends = (moment.astimezone(self.zone).utcoffset() for moment in (at - during, at + during))
        return begins != ends

    def _has(self, day: date) -> bool:
        by_month, by_week = day.day in self.days, day.weekday() in self.weekdays
        return day.month in self.months and (by_month or by_week if self.any_day else by_month and by_week)

    def _walls(self, since: datetime) -> Iterator[datetime]:
        """The times on the clock, from the hour of one on or a little before."""
        day = (since + SET_BACK).date() - _DAY
        last = min(_LAST, _LAST.replace(year=min(day.year + FARTHEST, _LAST.year)))
        while day <= last:
            if day.month not in self.months:
                day = day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1, day=1)
                continue
            for hour in self.hours if self._has(day) else ():
                if datetime.combine(day, time(hour, 59)) >= since:
                    yield from (datetime.combine(day, time(hour, minute)) for minute in self.minutes)
            day += _DAY

    def _instants(self, wall: datetime) -> Iterator[datetime]:
        """When the clock comes to a time, or jumps over it."""
        first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
        if first <= second:
            yield first
            if self.every_hour and second != first:
                yield second
        elif not self.every_hour:
            yield _jump(second, first, self.zone)


def _jump(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The instant between these at which the clock is set forward."""
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high
