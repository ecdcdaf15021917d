"""The page on which a reader chooses the language, and the zone in which times are shown and typed.

It works without JavaScript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console import languages
from api.console.acting import allowed, text_of
from api.console.pages import render, tell
from api.console.sessions import PATH, require
from api.console.zones import BROWSERS, choose
from engine.auth.operators import Role
from engine.queue.windows import zones
from engine.text.language import _, spoken

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def ask(request: Request) -> Response:
    """The languages and zones, with those in use chosen."""
    await require(request, Role.VIEWER)
    return render(
        request,
        "zone.html",
        zones=sorted(zones()),
        browsers=request.cookies.get(BROWSERS, ""),
        languages=languages.NAMES,
        chosen=languages.chosen(request),
        preferred=languages.of_browser(request).code,
        back=_back(request.query_params.get("back", "")),
    )


async def keep(request: Request) -> Response:
    """Keep the choice, and go back to the page from which the reader came."""
    _operator, form = await allowed(request, Role.VIEWER)
    zone = text_of(form, "zone")
    answer = RedirectResponse(_back(text_of(form, "back")), 303)
    choose(request, answer, zone)
    with spoken(languages.choose(request, answer, text_of(form, "language"))):
        times = _("Times are in %(zone)s from now on.", zone=zone)
        tell(request, times if zone else _("Times are in the browser's zone from now on."))
    return answer


def _back(path: str) -> str:
    """A page of the console."""
    return path if path.startswith(f"{PATH}/") else f"{PATH}/overview"


ROUTES = [Route("/zone", ask), Route("/zone", keep, methods=["POST"])]
