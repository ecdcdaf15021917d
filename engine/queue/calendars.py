"""Calendars: named holidays and quiet hours, by a file that is followed; orders' sending windows name them."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from engine.errors import Misconfigured
from engine.queue.windows import DAY, NO_CALENDAR, Calendar, Hours, Span
from engine.runtime.config_files import Contents, read_toml

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from engine.queue.windows import Window

LONGEST_NAME = 100  # characters
LEAP_YEAR = 2024  # has each day of any year
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00", re.ASCII)
_FORM = "write [calendars.NAME] above holidays, yearly and quiet"


class Calendars:
    """The calendars of a TOML file, which is followed while it changes; None: there are none.

    Misconfigured when the file cannot be used at the start.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = Contents(file, _read, "calendars") if file else None

    @property
    def _now(self) -> Mapping[str, Calendar]:
        return self._file.now if self._file else {}

    @property
    def names(self) -> Collection[str]:
        """The calendars that there are."""
        return self._now.keys()

    def hours(self, window: Window, zone: str | None = None) -> Hours:
        """A window with its calendar, which may be gone: then it closes nothing."""
        return Hours.of(window, self._now.get(window.calendar or "", NO_CALENDAR), zone)

    def first_opening(self, window: Window, at: datetime, places: Collection[str | None]) -> datetime | None:
        """The first opening in any of these zones (None: the window's own); None: it opens nowhere."""
        if self.hours(window).opening(at) is None:  # to find that out takes long, and it is alike in all zones
            return None
        openings = [self.hours(window, zone).opening(at) for zone in set(places)]
        return min((opening for opening in openings if opening), default=None)


def time_of_day(text: object) -> int | None:
    """A time such as 08:30, or 24:00, in minutes from midnight; None: it is no such time."""
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        return None
    return int(text[:2]) * 60 + int(text[3:])


def span(begin: object, end: object) -> Span | None:
    """A time of day between two such times; None: it is none."""
    first, last = time_of_day(begin), time_of_day(end)
    return None if first is None or last is None or first in (last, DAY) else Span(first, last)


def _read(file: Path) -> dict[str, Calendar]:
    document = read_toml(file)
    named = document.pop("calendars", {})
    if document or not isinstance(named, dict):
        what = ", ".join(map(repr, sorted(document))) or "'calendars' in this form"
        raise Misconfigured(f"{file}: knows no {what}; {_FORM}")
    return {name: _calendar(name, its, f"{file}: calendars.{name[:LONGEST_NAME]!r}") for name, its in named.items()}


def _calendar(name: str, its: object, place: str) -> Calendar:
    if not 0 < len(name) <= LONGEST_NAME:
        raise Misconfigured(f"{place}: a name has 1 to {LONGEST_NAME} characters")
    if not isinstance(its, dict):
        raise Misconfigured(f"{place}: is no table; {_FORM}")
    if unknown := its.keys() - {"holidays", "yearly", "quiet"}:
        names = ", ".join(map(repr, sorted(unknown)))
        raise Misconfigured(f"{place}: knows no {names}; there are holidays, yearly and quiet")
    for key in its:
        if not isinstance(its[key], list):
            raise Misconfigured(f"{place}: {key} must be a list")
    holidays = [_holiday(each, place) for each in its.get("holidays", ())]
    yearly = [_yearly(each, place) for each in its.get("yearly", ())]
    quiet = [_quiet(each, place) for each in its.get("quiet", ())]
    return Calendar(frozenset(holidays), frozenset(yearly), tuple(quiet))


def _holiday(value: object, place: str) -> date:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Misconfigured(f"{place}: holidays are dates such as 2026-12-24, without quotes")
    return value


def _yearly(value: object, place: str) -> tuple[int, int]:
    try:
        day = date.fromisoformat(f"{LEAP_YEAR}-{value}")
    except ValueError:
        raise Misconfigured(f'{place}: yearly holidays are days such as "12-25", in quotes') from None
    return day.month, day.day


def _quiet(value: object, place: str) -> Span:
    begin, _, end = value.partition("-") if isinstance(value, str) else ("", "", "")
    if (found := span(begin, end)) is None:
        raise Misconfigured(f'{place}: quiet hours are times such as "22:00-07:00", in quotes')
    return found
