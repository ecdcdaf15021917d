"""Subscriptions in the console: paused, tested and resumed by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.acting import allowed, ask_first, numbered, text_of
from api.console.pages import look, tell, write
from api.console.sessions import require
from engine.admin import pausing, questions
from engine.admin.subscriptions import send_test
from engine.auth.operators import Role
from engine.text.language import _

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LIST = "/console/subscriptions"


async def pause(request: Request) -> Response:
    """Push nothing more to a subscription."""
    operator, form = await allowed(request, Role.OPERATOR)
    key = numbered(request)
    await write(request, pausing.pause_subscription, operator, key, text_of(form, "reason"))
    tell(request, _("The subscription is paused."))
    return RedirectResponse(f"{LIST}/{key}", 303)


async def test(request: Request) -> Response:
    """Push a test event to a subscription."""
    operator, _form = await allowed(request, Role.OPERATOR)
    key = numbered(request)
    await write(request, send_test, operator, key)
    tell(request, _("The test event is on its way: its answer is shown below."))
    return RedirectResponse(f"{LIST}/{key}", 303)


async def ask_to_resume(request: Request) -> Response:
    """The question before a subscription goes on."""
    await require(request, Role.OPERATOR)
    key = numbered(request)
    question = await look(request, questions.of_subscription, key)
    return ask_first(request, question, _("Resume"), back=f"{LIST}/{key}")


async def resume(request: Request) -> Response:
    """Push what waits, and go on."""
    operator, _form = await allowed(request, Role.OPERATOR)
    key = numbered(request)
    await write(request, pausing.resume_subscription, operator, key)
    tell(request, _("The subscription is resumed."))
    return RedirectResponse(f"{LIST}/{key}", 303)


ROUTES = [
    Route("/subscriptions/{key}/pause", pause, methods=["POST"]),
    Route("/subscriptions/{key}/test", test, methods=["POST"]),
    Route("/subscriptions/{key}/resume", ask_to_resume),
    Route("/subscriptions/{key}/resume", resume, methods=["POST"]),
]
