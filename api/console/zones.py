"""The reader's zone: the chosen one, or else the browser's, in which times are shown and typed.

Both stand in cookies; the script writes the browser's. Without either, times are in UTC, and the page says so.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from api.console import cookies
from engine.admin.filters import typed
from engine.queue.windows import zones

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

CHOSEN, BROWSERS = "varsel_zone", "varsel_browser_zone"  # cookies; the script knows the latter's name
DEFAULT = "UTC"
FIELD = "zone"  # of a form: the zone that its page shows
LIFE = timedelta(days=365)  # of the cookies


def chosen(request: Request) -> str | None:
    """The zone that the reader has chosen; None: none, so it is the browser's."""
    return _known(request.cookies.get(CHOSEN))


def shown(request: Request) -> str:
    """The name of the zone in which this reader's times are."""
    return chosen(request) or _known(request.cookies.get(BROWSERS)) or DEFAULT


def choose(request: Request, response: Response, zone: str) -> None:
    """Let the browser keep what was chosen; "": the browser's own zone from now on."""
    if _known(zone):
        cookies.keep(request, response, CHOSEN, zone, LIFE)
    else:
        cookies.forget(request, response, CHOSEN)


def of_form(request: Request, given: Mapping[str, str]) -> ZoneInfo:
    """The zone that the page of a form has shown, or else the reader's."""
    return ZoneInfo(_known(given.get(FIELD)) or shown(request))


def with_offset(request: Request, given: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """The values of a form, without its zone; a time without an offset gets that of the zone, or of the reader's.

    What is no time stays as it is, and is refused later; Invalid, by its name, for a time that clocks skip there.
    """
    zone = of_form(request, given)
    found = {name: value for name, value in given.items() if name != FIELD}
    for name in names:
        if text := found.get(name, "").strip():
            with suppress(ValueError, OverflowError):
                found[name] = typed(text, zone, name).isoformat()
    return found


def _known(name: str | None) -> str | None:
    return name if name in zones() else None
