"""API keys in the console: made, replaced and revoked by admins. A key is on one page, once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.acting import allowed, ask_first, numbered, text_of
from api.console.pages import look, render, tell, write
from api.console.sessions import require
from engine.admin import api_keys
from engine.admin.filters import number
from engine.admin.questions import Question
from engine.auth.operators import Role
from engine.errors import Invalid
from engine.text.language import _

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LIST = "/console/keys"
LARGEST = 10**6  # days or hours: more than any life has


async def create(request: Request) -> Response:
    """Make a key, and show it."""
    operator, form = await allowed(request, Role.ADMIN)
    kind, creator, name = (text_of(form, each) for each in ("kind", "creator", "name"))
    scopes, guests = (text_of(form, each).split() for each in ("scopes", "guests"))
    asked = api_keys.NewKey(kind, creator, name, scopes, guests, _whole(text_of(form, "days"), "days"))
    return _shown(request, *await write(request, api_keys.create, operator, asked))


async def rotate(request: Request) -> Response:
    """Make a key like this one, and show it."""
    operator, form = await allowed(request, Role.ADMIN)
    hours = _whole(text_of(form, "overlap"), "overlap")
    overlap = api_keys.OVERLAP if hours is None else timedelta(hours=hours)
    return _shown(request, *await write(request, api_keys.rotate, operator, numbered(request), overlap))


async def ask_to_revoke(request: Request) -> Response:
    """The question before a key ends."""
    await require(request, Role.ADMIN)
    title, meaning = await look(request, api_keys.question, numbered(request))
    return ask_first(request, Question(title, (meaning,)), _("Revoke"), back=LIST)


async def revoke(request: Request) -> Response:
    """End a key."""
    operator, _form = await allowed(request, Role.ADMIN)
    tell(request, await write(request, api_keys.revoke, operator, numbered(request)))
    return RedirectResponse(LIST, 303)


def _shown(request: Request, seq: int, key: str) -> Response:
    """The page with the key: an answer to a POST, which no address leads to and no browser keeps."""
    return render(request, "key.html", seq=seq, key=key)


def _whole(text: str, field: str) -> int | None:
    """A number that was typed; None: nothing was. Invalid."""
    try:
        return min(number(text), LARGEST) if text else None
    except ValueError as error:
        raise Invalid({field: [str(error)]}) from None


ROUTES = [
    Route("/keys", create, methods=["POST"]),
    Route("/keys/{key}/rotate", rotate, methods=["POST"]),
    Route("/keys/{key}/revoke", ask_to_revoke),
    Route("/keys/{key}/revoke", revoke, methods=["POST"]),
]
