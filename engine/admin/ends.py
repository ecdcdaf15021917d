"""When a pause ends by itself: as people type it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from engine.admin.filters import typed
from engine.errors import Invalid
from engine.text.language import N_, _

if TYPE_CHECKING:
    from datetime import tzinfo

FURTHEST = timedelta(days=365)
FORGOTTEN = timedelta(hours=24)  # an older pause without an end may be: half of the time that e-mails have is over
_FOR = re.compile(r"(\d{1,4}) ?(m|min|h|d)")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):[0-5]\d")
_UNITS = {"m": "minutes", "min": "minutes", "h": "hours", "d": "days"}
_FORMS = N_("For how long (30m, 2h, 1d), or until when (08:00, or 2026-05-01 08:00).")


def end_of(text: str, now: datetime, zone: tzinfo | None) -> datetime | None:
    """The end that was typed: a span of time from now on, the next such time of the day, or a time; None: nothing was.

    Times without an offset are of this zone (None: of this machine). Invalid for `until`.
    """
    text = text.strip()
    if not text:
        return None
    try:
        found = _read(text, now, zone)
    except (ValueError, OverflowError):
        raise Invalid({"until": [_(_FORMS)]}) from None
    except Invalid as error:  # a time that clocks skip
        raise Invalid({"until": error.errors["time"]}) from None
    if found <= now:
        raise Invalid({"until": [_("This time is past.")]})
    if found > now + FURTHEST:
        text = N_("At most %(count)s days from now; without an end, until somebody resumes it.")
        raise Invalid({"until": [_(text, count=FURTHEST.days)]})
    return found


def _read(text: str, now: datetime, zone: tzinfo | None) -> datetime:
    if span := _FOR.fullmatch(text):
        return now + timedelta(**{_UNITS[span[2]]: int(span[1])})
    if not _CLOCK.fullmatch(text):
        return typed(text, zone)
    today = now.astimezone(zone).date()
    days = (typed(f"{today + timedelta(days=ahead)} {text.zfill(5)}", zone) for ahead in (0, 1))
    return next((at for at in days if at > now), now)
