"""What operators do: to one row, to all that match, and to what is paused. Each is a POST with a token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console.pages import look, render, tell, write
from api.console.selecting import meant, told
from api.console.sessions import check_csrf, require
from api.console.zones import FIELD, with_offset
from engine.admin import actions, changes, jobs, lookups, pausing, questions, stopping, words
from engine.admin.filters import number
from engine.admin.questions import Question
from engine.admin.resources import RESOURCES
from engine.admin.sentences import thing
from engine.auth.operators import Role
from engine.db.dialects import now
from engine.errors import BadRequest, Conflict, Invalid, NotFound
from engine.orders.withdrawing import LOOK_EVERY, WITHIN
from engine.runtime.clock import steady
from engine.text.language import _, translated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from starlette.datastructures import FormData, ImmutableMultiDict
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.admin.actions import Action


async def ask_one(request: Request) -> Response:
    """The question before an action on one row, or which time is meant, if it takes one and has none."""
    await require(request, Role.OPERATOR)
    action, key = _action(request), _key(request)
    back = f"/console/{action.resource.name}/{key}"
    try:
        argument = _argument(request, action, request.query_params)
        question = await look(request, questions.of_one, action, key, argument)
    except Invalid as error:
        present = await look(request, changes.present_time, key)
        return _ask_time(request, action, error, None, back, present)
    given = {action.takes: argument} if action.takes else {}
    return ask_first(request, question, _(action.label), fields=given, back=back, action=action)


async def one(request: Request) -> Response:
    """Do an action to one row."""
    operator, form = await allowed(request, Role.OPERATOR)
    action, key = _action(request), _key(request)
    argument, terms = _argument(request, action, form), request.app.state.terms
    made = await write(request, actions.perform, operator, action, key, argument, terms)
    done = _(action.done, what=words.of_row(action.resource.name))
    rest = await _rest(request, key) if action.steps else ""
    tell(request, f"{done}{rest}.", made)
    return RedirectResponse(f"/console/{action.resource.name}/{key}", 303)


async def _rest(request: Request, key: Any) -> str:
    """Do what the first step of an action has left to do; returns what has become of the row, behind a colon."""
    until = steady() + WITHIN.total_seconds()
    while steady() < until:
        left = await write(request, stopping.step, key)
        if not (left.more or left.in_hand):
            break
        await asyncio.sleep(0 if left.more else LOOK_EVERY)
    return f": {await look(request, stopping.outcome, key)}"


async def ask(request: Request) -> Response:
    """The question before an action on all that match, or which time is meant, if it takes one and has none."""
    await require(request, Role.OPERATOR)
    action = _action(request)
    return await _ask_all(request, action, request.query_params)


async def all_of(request: Request) -> Response:
    """Start an action on all that match; the job's page shows its progress. Ask again if more match by now."""
    operator, form = await allowed(request, Role.OPERATOR)
    action = _action(request)
    given, argument = meant(action, form), _argument(request, action, form)
    try:
        asked = jobs.Asked(number(text_of(form, "asked")), number(text_of(form, "newest")))
    except ValueError:
        raise BadRequest(_("The form does not say what was asked about: begin anew.")) from None
    try:
        counted = await look(request, jobs.confirmed, action, given, asked)
    except (BadRequest, Conflict) as error:
        return await _ask_all(request, action, form, _("%(why)s Nothing was done.", why=error))
    seq = await write(request, jobs.start, operator, action, given, argument, counted)
    return RedirectResponse(f"/console/jobs/{seq}", 303)


async def stop_job(request: Request) -> Response:
    """Stop a job after its current batch."""
    operator, _form = await allowed(request, Role.OPERATOR)
    key = numbered(request)
    await write(request, jobs.stop, operator, key)
    tell(request, _("The job is stopped; what it has done stays done."))
    return RedirectResponse(f"/console/jobs/{key}", 303)


async def ask_to_resume(request: Request) -> Response:
    """The question before such a pause ends."""
    await require(request, Role.ADMIN)
    given = {name: request.query_params.get(name, "").strip() for name in ("kind", "value")}
    question = await look(request, questions.of_resume, given["kind"], given["value"])
    return ask_first(request, question, _("Resume"), fields=given)


async def resume(request: Request) -> Response:
    """End such a pause."""
    operator, form = await allowed(request, Role.ADMIN)
    kind, value = (text_of(form, name) for name in ("kind", "value"))
    await write(request, pausing.resume, operator, kind, value)
    tell(request, _("Resumed: %(what)s.", what=thing(kind, value)))
    return to_overview(request)


async def ask_to_resume_restored(request: Request) -> Response:
    """The question before the lanes of a restored database go on."""
    await require(request, Role.ADMIN)
    return ask_first(request, await look(request, questions.of_restored), _("Resume the lanes"))


async def resume_restored(request: Request) -> Response:
    """Let the lanes go on that were paused because the database is older than it was."""
    operator, _form = await allowed(request, Role.ADMIN)
    tell(request, await write(request, pausing.go_on_restored, operator))
    return to_overview(request)


async def ask_to_drain(request: Request) -> Response:
    """The question before all lanes are paused."""
    await require(request, Role.ADMIN)
    return ask_first(request, await look(request, questions.of_drain, pausing.LANES), _("Drain all lanes"))


async def drain(request: Request) -> Response:
    """Pause every lane: what is in flight ends, and nothing new begins."""
    operator, form = await allowed(request, Role.ADMIN)
    await write(request, pausing.drain, operator, pausing.LANES, text_of(form, "reason"))
    tell(request, _("All lanes are paused; they are drained when nothing is in flight."))
    return to_overview(request)


async def ask_to_resume_all(request: Request) -> Response:
    """The question before all paused lanes go on."""
    await require(request, Role.ADMIN)
    return ask_first(request, await look(request, questions.of_resume_all), _("Resume"))


async def resume_all(request: Request) -> Response:
    """Let all paused lanes go on."""
    operator, _form = await allowed(request, Role.ADMIN)
    await write(request, pausing.resume_all, operator)
    tell(request, _("All lanes are resumed."))
    return to_overview(request)


async def allowed(request: Request, role: Role) -> tuple[str, FormData]:
    """The operator's name and what was sent; Forbidden for too small a role or without a token."""
    operator = await require(request, role)
    return operator.name, await check_csrf(request)


async def _ask_all(
    request: Request, action: Action, form: ImmutableMultiDict[str, Any], changed: str | None = None
) -> Response:
    """Ask before an action on all that match; `changed`: what has changed since the last question."""
    given = meant(action, form)
    back = f"/console/{action.resource.name}?{urlencode(given)}"
    try:
        argument = _argument(request, action, form)
        asked, question = await look(request, questions.of_all, action, given, argument)
    except Invalid as error:
        if "time" not in error.errors:
            raise
        return _ask_time(request, action, error, given, back, await look(request, now))
    fields: dict[str, Any] = given | {"asked": asked.number, "newest": asked.newest}
    if action.takes:
        fields[action.takes] = argument
    shown = told(given)
    if failure := given.get("failure"):
        shown |= {"failure": (await look(request, lookups.said, {failure})).get(failure, failure)}
    about: dict[str, Any] = {"action": action, "count": asked.number, "many": True, "filter": shown}
    return ask_first(request, question, question.title, fields=fields, back=back, changed=changed, **about)


def _ask_time(  # noqa: PLR0913, PLR0917 a question has so many parts
    request: Request, action: Action, error: Invalid, fields: Mapping[str, str] | None, back: str, present: datetime
) -> Response:
    """Ask which time is meant, beginning with the present one; what was typed stays. `fields` None: of one row."""
    typed = text_of(request.query_params, action.takes or "")
    question = Question(_("%(action)s: to when?", action=_(action.label)), before=present if fields is None else None)
    wrong = " ".join(error.errors["time"]) if typed else ""
    about: dict[str, Any] = {"action": action, "typed": typed, "wrong": wrong, "filter": told(fields or {}) or None}
    about |= {"present": present, "fields": fields or {}, "back": back}
    return ask_first(request, question, _("Continue"), 400 if typed else 200, **about)


def ask_first(request: Request, question: Question, button: str, status: int = 200, **values: Any) -> Response:
    """A page with the question; its answer goes to where the question was asked."""
    nothing: dict[str, Any] = {"fields": {}, "back": "/console/overview", "changed": None}
    nothing |= {"action": None, "count": 1, "many": False, "filter": None, "typed": None, "wrong": ""}
    about = nothing | {"question": question, "button": button, "address": request.url.path} | values
    return render(request, "confirm.html", 409 if about["changed"] else status, **about)


def to_overview(request: Request) -> Response:
    """The first page, as it is after what was done."""
    request.app.state.snapshot.read_at = float("-inf")  # what was done is to be seen at once
    return RedirectResponse("/console/overview", 303)


def _action(request: Request) -> Action:
    return actions.find(request.path_params["resource"], request.path_params["action"])


def _key(request: Request) -> Any:
    resource = RESOURCES[request.path_params["resource"]]
    try:
        return resource.read_key(request.path_params["key"])
    except ValueError:
        raise NotFound(_("There is no such row among the %(resource)s.", resource=translated(resource.name))) from None


def numbered(request: Request) -> int:
    """The number in the page's address; NotFound."""
    try:
        return number(request.path_params["key"])
    except ValueError:
        raise NotFound(_("There is no such page.")) from None


def _argument(request: Request, action: Action, given: Mapping[str, Any]) -> str | None:
    """What the action takes, if anything: a time, read in the zone that the page shows; Invalid."""
    if not action.takes:
        return None
    typed = {name: text_of(given, name) for name in (action.takes, FIELD) if name in given}
    return with_offset(request, typed, [action.takes]).get(action.takes, "")


def text_of(form: Mapping[str, Any], name: str) -> str:
    """What was typed into a field."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


ROUTES = [
    Route("/jobs/{key}/stop", stop_job, methods=["POST"]),
    Route("/resume", ask_to_resume),
    Route("/resume", resume, methods=["POST"]),
    Route("/restored/resume", ask_to_resume_restored),
    Route("/restored/resume", resume_restored, methods=["POST"]),
    Route("/drain", ask_to_drain),
    Route("/drain", drain, methods=["POST"]),
    Route("/lanes/resume", ask_to_resume_all),
    Route("/lanes/resume", resume_all, methods=["POST"]),
    Route("/{resource}/all/{action}", ask),
    Route("/{resource}/all/{action}", all_of, methods=["POST"]),
    Route("/{resource}/{key}/{action}", ask_one),
    Route("/{resource}/{key}/{action}", one, methods=["POST"]),
]
