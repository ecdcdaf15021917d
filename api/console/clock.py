"""The page on which a reader chooses the zone in which times are shown and typed; it works without JavaScript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.acting import allowed, text_of
from api.console.pages import render, tell
from api.console.sessions import PATH, require
from api.console.zones import BROWSERS, choose
from engine.auth.operators import Role
from engine.queue.windows import zones

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def ask(request: Request) -> Response:
    """The zones, with the one in use chosen."""
    await require(request, Role.VIEWER)
    return render(
        request,
        "zone.html",
        zones=sorted(zones()),
        browsers=request.cookies.get(BROWSERS, ""),
        back=_back(request.query_params.get("back", "")),
    )


async def keep(request: Request) -> Response:
    """Keep the choice, and go back to the page from which the reader came."""
    _, form = await allowed(request, Role.VIEWER)
    zone = text_of(form, "zone")
    tell(request, f"Times are in {zone} from now on." if zone else "Times are in the browser's zone from now on.")
    answer = RedirectResponse(_back(text_of(form, "back")), 303)
    choose(request, answer, zone)
    return answer


def _back(path: str) -> str:
    """A page of the console."""
    return path if path.startswith(f"{PATH}/") else f"{PATH}/overview"


ROUTES = [Route("/zone", ask), Route("/zone", keep, methods=["POST"])]
