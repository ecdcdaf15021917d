"""The rules for when an order may be sent, beyond the contract: its window, its recipients' zones, its expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from engine.errors import Invalid
from engine.orders.checks import zoned
from engine.orders.new_order import TOO_FAR
from engine.queue.calendars import span
from engine.queue.windows import DAYS, FARTHEST, WHOLE_DAY, Window, zones
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from engine.orders.checks import Broken
    from engine.orders.new_order import NewOrder
    from engine.orders.timing_request import SendingWindow, Timing
    from engine.queue.calendars import Calendars

_BY_NAME = {name.lower(): number for number, name in enumerate(DAYS)}
LONGEST_SHOWN = 5  # names of calendars that a refusal lists


class Timed(TypedDict):
    """Members of a new order."""

    expires_at: datetime | None
    sending_window: Window | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Times:
    """When an order is sent, if it is taken in: `at`, its send time, or in its window from then on."""

    at: datetime
    window: Window | None
    due_at: datetime | None  # the first opening, of recipients in any zone; None: `at`

    def members(self, request: Timing) -> Timed:
        """Of the order that a checked request asks for."""
        return {"expires_at": request.expires_at, "sending_window": self.window, "due_at": self.due_at}


def times(
    request: Timing, at: datetime, calendars: Calendars, places: Collection[str | None], usual: Window | None = None
) -> Times:
    """When a checked order is sent; `places`: the zones of its recipients, `usual`: the window without its own."""
    window = _window(request.sending_window) if request.sending_window else usual
    return Times(at, window, calendars.first_opening(window, at, places) if window else None)


def check_timing(  # noqa: PLR0913, PLR0917 what its rules compare it with
    request: Timing, at: datetime, now: datetime, calendars: Calendars, places: Collection[str | None], broken: Broken
) -> None:
    """The window and the expiry of an order that is to be sent from `at` on."""
    its = request.sending_window
    first: datetime | None = at
    if its and _is_right(its, calendars, broken):
        known = [zone for zone in places if zone is None or zone in zones()]
        first = calendars.first_opening(_window(its), at, known or [None])
        if first is None:
            broken.add("SendingWindow", f"The window and its calendar open at no time in the next {FARTHEST} days.")
    if request.expires_at is not None:
        _check_expiry(request.expires_at, at, first or at, now, broken)


def check_expiries(orders: Sequence[NewOrder]) -> None:
    """Invalid when one of a chain's orders expires before its window opens, also if that follows from its policy."""
    early = [
        place for place, its in enumerate(orders) if its.expires_at and its.due_at and its.expires_at <= its.due_at
    ]
    if early:
        text = "expiresAt must be after the first opening of the window."
        raise Invalid({f"Reminders[{place - 1}].ExpiresAt" if place else "ExpiresAt": [text] for place in early})


def check_zone(zone: str, broken: Broken) -> None:
    """A recipient's zone."""
    if zone not in zones():
        broken.add("TimeZone", "This is no IANA time zone, such as Europe/Oslo.")


def _check_expiry(expires: datetime, at: datetime, first: datetime, now: datetime, broken: Broken) -> None:
    field = "ExpiresAt"
    if expires.tzinfo is None:
        broken.add(field, "expiresAt must have a time zone, such as Z or +01:00.")
        expires = zoned(expires)
    if expires >= TOO_FAR:
        broken.add(field, f"expiresAt must be before the year {TOO_FAR.year}.")
    elif expires <= max(at, now):
        broken.add(field, "expiresAt must be after the requested send time, and not in the past.")
    elif expires <= first:
        broken.add(field, f"expiresAt must be after the first opening of the sendingWindow, {rfc3339(first)}.")


def _is_right(its: SendingWindow, calendars: Calendars, broken: Broken) -> bool:
    """Whether the window keeps its rules; tells which it breaks."""
    within = broken.within("SendingWindow")
    before = len(broken.errors)
    if its.zone not in zones():
        within.add("Zone", "This is no IANA time zone, such as Europe/Oslo.")
    if its.days is not None and (not its.days or any(day.lower() not in _BY_NAME for day in its.days)):
        within.add("Days", f"Days are {', '.join(DAYS)}; at least one is needed.")
    if (its.begin, its.to) != (None, None) and span(its.begin, its.to) is None:
        within.add("From", "Give two times that differ, such as 09:00 and 17:00; the second may be 24:00.")
    if its.calendar is not None and its.calendar not in calendars.names:
        names = ", ".join(sorted(calendars.names)[:LONGEST_SHOWN]) or "none"
        within.add("Calendar", f"This installation has no such calendar; it has {names}.")
    return len(broken.errors) == before


def _window(its: SendingWindow) -> Window:
    """A window that keeps its rules."""
    days = frozenset(_BY_NAME[day.lower()] for day in its.days or DAYS)
    return Window(its.zone, days, span(its.begin, its.to) or WHOLE_DAY, its.calendar)
