"""Sending windows: at which times of day, of which days, in which time zone something may leave.

What decides is the wall clock of the zone: an instant is open if the clock there reads an open time. So a window is
right through every change of the clock by construction: an hour that is skipped opens nothing, and one that comes twice
is open twice, while each e-mail still leaves once. Openness changes only when the clock comes to a boundary of the
window, or is set; `opening` and `closing` look at those instants alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from pydantic_core import from_json, to_json

from engine.text.language import N_, gettext, translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DAYS = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
DAY = 24 * 60  # minutes
FARTHEST = 400  # days that are looked at for an opening
SOON = 2  # days that are looked at for a closing: nobody has an e-mail in hand for longer
_DAY, _SECOND = timedelta(days=1), timedelta(seconds=1)
_LAST = date.max - 3 * _DAY


class Span(NamedTuple):
    """A time of day, in minutes from midnight, up to but without its end; past midnight if that is not later."""

    begin: int
    end: int

    def has(self, minute: int) -> bool:
        """Whether the clock is within."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


WHOLE_DAY = Span(0, DAY)


@dataclass(frozen=True, slots=True)
class Calendar:
    """When nothing is sent, whatever the window says: on holidays, and in quiet hours."""

    holidays: frozenset[date] = frozenset()
    yearly: frozenset[tuple[int, int]] = frozenset()  # month and day
    quiet: Sequence[Span] = ()

    def closes(self, day: date, minute: int) -> bool:
        """Whether nothing is sent at that time."""
        if day in self.holidays or (day.month, day.day) in self.yearly:
            return True
        return any(span.has(minute) for span in self.quiet)


NO_CALENDAR = Calendar()


@dataclass(frozen=True, slots=True)
class Window:
    """The days of the week (0: Monday) and the time of day at which an order's e-mails may leave.

    A span past midnight belongs to the day on which it begins. `zone` is of recipients that have none of their own.
    """

    zone: str
    days: frozenset[int] = frozenset(range(7))
    span: Span = WHOLE_DAY
    calendar: str | None = None

    def has(self, day: date, minute: int) -> bool:
        """Whether the clock is within."""
        if self.span.begin < self.span.end or minute >= self.span.begin:
            return day.weekday() in self.days and self.span.has(minute)
        return (day - _DAY).weekday() in self.days and minute < self.span.end

    def words(self) -> str:
        """Days and times, for people."""
        days = ", ".join(translated(DAYS[day]) for day in sorted(self.days))
        if len(self.days) == len(DAYS):
            days = gettext("every day")
        begin, end = (f"{minute // 60:02}:{minute % 60:02}" for minute in self.span)
        if self.span == WHOLE_DAY:
            return days
        return gettext("%(days)s from %(begin)s to %(end)s", days=days, begin=begin, end=end)

    def text(self) -> str:
        """As an order stores it, in JSON."""
        named = {"days": sorted(self.days), "span": self.span, "zone": self.zone, "calendar": self.calendar}
        return to_json(named).decode()


@cache
def zones() -> frozenset[str]:
    """The names of the time zones that are known (IANA); `localtime` is another one on each machine, `Factory` none."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


DAYTIME = Window("Europe/Oslo", span=Span(9 * 60, 17 * 60))  # of the contract's sendingTimePolicy (6.5)


@lru_cache(maxsize=1_000)
def read(text: str) -> Window:
    """A window from its `text`."""
    its = from_json(text)
    return Window(its["zone"], frozenset(its["days"]), Span(*its["span"]), its["calendar"])


@dataclass(frozen=True, slots=True)
class Hours:
    """A window with its calendar, in one zone."""

    window: Window
    calendar: Calendar
    zone: ZoneInfo

    @classmethod
    def of(cls, window: Window, calendar: Calendar = NO_CALENDAR, zone: str | None = None) -> Hours:
        """A window in a recipient's zone, or else in its own."""
        return cls(window, calendar, ZoneInfo(zone or window.zone))

    def open_at(self, at: datetime) -> bool:
        """Whether something may leave at this instant."""
        local = at.astimezone(self.zone)
        day, minute = local.date(), local.hour * 60 + local.minute
        return self.window.has(day, minute) and not self.calendar.closes(day, minute)

    def opening(self, at: datetime) -> datetime | None:
        """The first open instant from this one on; None: there is none in the next FARTHEST days."""
        return self._next(at, FARTHEST, opens=True)

    def closing(self, at: datetime) -> datetime | None:
        """The first instant from this one on that is not open; None: there is none in the next SOON days."""
        return self._next(at, SOON, opens=False)

    def _next(self, at: datetime, days: int, *, opens: bool) -> datetime | None:
        if self.open_at(at) is opens:
            return at
        day = at.astimezone(self.zone).date()
        known = set(self._changes(day - _DAY))
        for _ in range(days + 1):
            known |= set(self._changes(day))
            day += _DAY
            ends = min(self._instants(day, 0))
            for each in sorted(known):
                if at < each < ends and self.open_at(each) is opens:
                    return each
            # Where the clock is set back over midnight, a day has instants beyond the first of the next one.
            known = {each for each in known if each >= ends}
            if day > _LAST:
                break
        return None

    def _changes(self, day: date) -> Iterator[datetime]:
        """The instants of a day at which it may open or close."""
        begins, ends = min(self._instants(day, 0)), max(self._instants(day + _DAY, 0))
        if (change := _change(self.zone, begins, ends)) is not None:
            yield change
        spans = (self.window.span, *self.calendar.quiet)
        for minute in {0, *(minute % DAY for span in spans for minute in span)}:
            yield from self._instants(day, minute)

    def _instants(self, day: date, minute: int) -> Sequence[datetime]:
        """When the clock comes to a time of day: once; or twice, when it is set back."""
        wall = datetime.combine(day, time(minute // 60, minute % 60), self.zone)
        return [wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1)]


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime | None:
    """The instant between these at which the clock is set, to the second; None: it is not."""

    def ahead(at: datetime) -> timedelta | None:
        return at.astimezone(zone).utcoffset()

    before = ahead(low)
    if ahead(high) == before:
        return None
    while high - low > _SECOND:
        middle = low + (high - low) // 2
        middle = middle.replace(microsecond=0)
        low, high = (middle, high) if ahead(middle) == before else (low, middle)
    return high
