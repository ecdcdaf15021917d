"""Recurring orders in the console: paused, resumed and deleted by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.acting import allowed, ask_first, text_of
from api.console.pages import look, tell, write
from api.console.sessions import require
from engine.admin import recurring
from engine.admin.questions import Question
from engine.admin.resources import RECURRING
from engine.auth.operators import Role
from engine.errors import NotFound
from engine.text.language import _

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.requests import Request
    from starlette.responses import Response

LIST = "/console/recurring"


async def pause(request: Request) -> Response:
    """Make no runs of it."""
    operator, form = await allowed(request, Role.OPERATOR)
    tell(request, await write(request, recurring.pause, operator, _key(request), text_of(form, "reason")))
    return RedirectResponse(f"{LIST}/{_key(request)}", 303)


async def resume(request: Request) -> Response:
    """Make runs again."""
    operator, _form = await allowed(request, Role.OPERATOR)
    tell(request, await write(request, recurring.resume, operator, _key(request)))
    return RedirectResponse(f"{LIST}/{_key(request)}", 303)


async def ask_to_delete(request: Request) -> Response:
    """The question before it is deleted."""
    await require(request, Role.OPERATOR)
    title, meaning = await look(request, recurring.question, _key(request))
    return ask_first(request, Question(title, (meaning,)), _("Delete"), back=f"{LIST}/{_key(request)}")


async def delete(request: Request) -> Response:
    """Delete it."""
    operator, _form = await allowed(request, Role.OPERATOR)
    tell(request, await write(request, recurring.remove, operator, _key(request)))
    return RedirectResponse(LIST, 303)


def _key(request: Request) -> UUID:
    try:
        return RECURRING.read_key(request.path_params["key"])  # type: ignore[return-value]  # its key is an identifier
    except ValueError:
        raise NotFound(_("There is no such recurring order.")) from None


ROUTES = [
    Route("/recurring/{key}/pause", pause, methods=["POST"]),
    Route("/recurring/{key}/resume", resume, methods=["POST"]),
    Route("/recurring/{key}/delete", ask_to_delete),
    Route("/recurring/{key}/delete", delete, methods=["POST"]),
]
