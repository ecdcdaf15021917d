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
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

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
    kind, value, reason, span, until = (text_of(form, name) for name in ("kind", "value", *FIELDS))
    try:
        _check(reason, span, until)
        ends = end_of(span or until, await look(request, now), of_form(request, {FIELD: text_of(form, FIELD)}))
        paused = await write(request, pausing.pause, operator, kind, value, reason, ends)
    except Invalid as error:
        if not error.errors.keys() <= {"reason", "until"}:
            raise
        return await _ask(request, form, error.errors)
    tell(request, _("Paused: %(what)s.", what=paused))
    return to_overview(request)


def _check(reason: str, span: str, until: str) -> None:
    if not reason:
        raise Invalid({"reason": [_("Say why: others see it.")]})
    if span and until:
        raise Invalid({"until": [_("Either for so long, or until a time: empty one of both.")]})


async def _ask(
    request: Request, given: Mapping[str, Any], errors: Mapping[str, Sequence[str]] | None = None
) -> Response:
    kind, value = text_of(given, "kind"), text_of(given, "value")
    question = await look(request, questions.of_pause, kind, value)
    typed = {name: text_of(given, name) for name in FIELDS}
    about = {"question": question, "kind": kind, "value": value, "typed": typed, "errors": errors or {}, "spans": SPANS}
    return render(request, "pause.html", 400 if errors else 200, **about)


ROUTES = [Route("/pause", ask), Route("/pause", pause, methods=["POST"])]
