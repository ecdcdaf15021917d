"""Sender identities in the console: made, made the default and removed by admins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.acting import allowed, numbered, text_of
from api.console.pages import tell, write
from engine.admin import senders
from engine.auth.operators import Role

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LIST = "/console/senders"


async def add(request: Request) -> Response:
    """Let a creator's orders have a sender."""
    operator, form = await allowed(request, Role.ADMIN)
    given = {name: text_of(form, name) for name in ("creator", "address", "name", "reply_to")}
    asked = senders.NewSender(**given, is_default=bool(text_of(form, "default")))
    tell(request, await write(request, senders.add, operator, asked))
    return RedirectResponse(LIST, 303)


async def make_default(request: Request) -> Response:
    """Let orders that name no sender have this one."""
    operator, _ = await allowed(request, Role.ADMIN)
    tell(request, await write(request, senders.make_default, operator, numbered(request)))
    return RedirectResponse(LIST, 303)


async def remove(request: Request) -> Response:
    """Let no new order have a sender."""
    operator, _ = await allowed(request, Role.ADMIN)
    tell(request, await write(request, senders.remove, operator, numbered(request)))
    return RedirectResponse(LIST, 303)


ROUTES = [
    Route("/senders", add, methods=["POST"]),
    Route("/senders/{key}/default", make_default, methods=["POST"]),
    Route("/senders/{key}/remove", remove, methods=["POST"]),
]
