"""Subscriptions in the console: paused, tested and resumed by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.acting import allowed, ask_first, numbered
from api.console.pages import look, tell, write
from api.console.pausing import ask_why, typed
from api.console.sessions import require
from engine.admin import pausing, questions
from engine.admin.subscriptions import send_test
from engine.auth.operators import Role
from engine.errors import Invalid
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

LIST = "/console/subscriptions"


async def ask_to_pause(request: Request) -> Response:
    """The question before nothing more is pushed to a subscription: what that stops, and why and for how long."""
    await require(request, Role.OPERATOR)
    return await _ask(request, request.query_params)


async def pause(request: Request) -> Response:
    """Push nothing more to it; ask again, with what was typed, where the reason or the end cannot be used."""
    operator, form = await allowed(request, Role.OPERATOR)
    key = numbered(request)
    try:
        reason, ends = await typed(request, form)
        await write(request, pausing.pause_subscription, operator, key, reason, ends)
    except Invalid as error:
        return await _ask(request, form, error)
    tell(request, _("The subscription is paused."))
    return RedirectResponse(f"{LIST}/{key}", 303)


async def _ask(request: Request, given: Mapping[str, Any], wrong: Invalid | None = None) -> Response:
    key = numbered(request)
    question = await look(request, questions.of_subscription_pause, key)
    return ask_why(request, question, given, wrong, back=f"{LIST}/{key}")


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
    Route("/subscriptions/{key}/pause", ask_to_pause),
    Route("/subscriptions/{key}/pause", pause, methods=["POST"]),
    Route("/subscriptions/{key}/test", test, methods=["POST"]),
    Route("/subscriptions/{key}/resume", ask_to_resume),
    Route("/subscriptions/{key}/resume", resume, methods=["POST"]),
]
