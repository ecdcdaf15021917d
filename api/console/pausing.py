"""Pausing a lane, a creator or a recipients' domain: a question with numbers, a reason, and an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from api.console.acting import allowed, text_of, to_overview
from api.console.pages import look, render, tell, write
from api.console.sessions import require
from api.console.zones import FIELD, of_form
from engine.admin import pausing, questions
from engine.admin.ends import end_of
from engine.auth.operators import Role
from engine.db.dialects import now
from engine.errors import Invalid
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from engine.admin.questions import Question

SPANS = {
    "30m": N_("in 30 minutes"),
    "1h": N_("in an hour"),
    "2h": N_("in 2 hours"),
    "8h": N_("in 8 hours"),
    "24h": N_("in 24 hours"),
}
FIELDS = ("reason", "for", "until")


async def ask(request: Request) -> Response:
    """The question before something is paused: what it stops, and why and for how long."""
    await require(request, Role.ADMIN)
    return await _ask(request, request.query_params)


async def pause(request: Request) -> Response:
    """Pause it; ask again, with what was typed, where the reason or the end cannot be used."""
    operator, form = await allowed(request, Role.ADMIN)
    kind, value = (text_of(form, name) for name in ("kind", "value"))
    try:
        reason, ends = await typed(request, form)
        paused = await write(request, pausing.pause, operator, kind, value, reason, ends)
    except Invalid as error:
        return await _ask(request, form, error)
    tell(request, _("Paused: %(what)s.", what=paused))
    return to_overview(request)


async def _ask(request: Request, given: Mapping[str, Any], wrong: Invalid | None = None) -> Response:
    what = {name: text_of(given, name) for name in ("kind", "value")}
    question = await look(request, questions.of_pause, *what.values())
    return ask_why(request, question, given, wrong, fields=what)


async def typed(request: Request, form: Mapping[str, Any]) -> tuple[str, datetime | None]:
    """Why something is paused, and until when (None: until somebody resumes it), as it was typed; Invalid."""
    reason, span, until = (text_of(form, name) for name in FIELDS)
    if not reason:
        raise Invalid({"reason": [_("Say why: others see it.")]})
    if span and until:
        raise Invalid({"until": [_("Either for so long, or until a time: empty one of both.")]})
    zone = of_form(request, {FIELD: text_of(form, FIELD)})
    return reason, end_of(span or until, await look(request, now), zone)


def ask_why(  # noqa: PLR0913 a question has so many parts
    request: Request,
    question: Question,
    given: Mapping[str, Any],
    wrong: Invalid | None = None,
    *,
    fields: Mapping[str, str] | None = None,
    back: str = "/console/overview",
) -> Response:
    """The question before something is paused, with why and until when; its answer goes to where it was asked.

    `given`: what was typed, which stays. `wrong`: what cannot be used of that, beside its fields; else it is raised.
    """
    errors = wrong.errors if wrong else {}
    if wrong and not errors.keys() <= {"reason", "until"}:
        raise wrong
    about: dict[str, Any] = {"question": question, "errors": errors, "spans": SPANS, "fields": fields or {}}
    about |= {"typed": {name: text_of(given, name) for name in FIELDS}, "address": request.url.path, "back": back}
    return render(request, "pause.html", 400 if wrong else 200, **about)


ROUTES = [Route("/pause", ask), Route("/pause", pause, methods=["POST"])]
