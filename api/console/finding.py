"""The search box: what is found for a scrap, by kind; a whole identifier leads to its page at once."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.pages import look, render
from api.console.sessions import require
from engine.admin import searching
from engine.admin.tries import tries
from engine.auth.operators import Role
from engine.errors import Invalid

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def find(request: Request) -> Response:
    """What was found, newest first; how to ask, where nothing was typed; the page of a whole identifier."""
    operator = await require(request, Role.VIEWER)
    text = request.query_params.get("q", "").strip()
    if not text:
        return _shown(request, text)
    try:
        searching.check(text)
    except Invalid as error:
        return _shown(request, text, 400, wrong=" ".join(error.errors["q"]))
    if place := await look(request, searching.identified, text):
        return RedirectResponse(f"/console/{place}", 303)
    sees = operator.role.sees_personal_data
    groups = await look(request, searching.search, text, sees_personal_data=sees)
    found = tries(text, sees_personal_data=sees) if not groups else []
    return _shown(request, text, groups=[asdict(group) for group in groups], tries=found)


def _shown(request: Request, text: str, status: int = 200, **values: Any) -> Response:
    return render(request, "find.html", status, **{"query": text, "groups": [], "tries": [], "wrong": None} | values)


ROUTES = [Route("/find", find)]
