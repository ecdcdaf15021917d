"""Subscriptions over HTTP (events contract 3.6 to 3.8) and, beyond the contract, what became of what was pushed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from api import subscription_answers as answers
from api.auth import authenticate_bearer
from api.bodies import read, require_json
from api.openapi import Operation, Parameter, Problem
from api.openapi import Response as Documented
from engine import due
from engine.access import Action, Question
from engine.errors import BadRequest, Invalid, NotFound
from engine.models import DeliveryState
from engine.subscriptions import registry
from engine.subscriptions.request import SubscriptionRequest, parse_subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from engine.models import Caller

    Handler = Callable[[Request], Awaitable[Response]]

PATH = "/events/api/v1/subscriptions"
PAGE = 50  # deliveries, when no size is asked for
ANY = "application/*"  # the two media types of an answer that is a text or a problem
INT32 = 2**31 - 1  # the contract's ids
INT64 = 2**63 - 1  # the database's
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)


def _unknown_is_empty(handler: Handler) -> Handler:
    """NotFound as the contract answers it here: 404 without a body."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except NotFound:
            return Response(status_code=404)

    return answer


async def post(request: Request) -> Response:
    """Subscribe, or find the same subscription again; either way its endpoint is validated."""
    state = request.app.state
    require_json(request)
    caller = authenticate_bearer(request, state.verifier)
    body = await read(request, state.settings.max_body_bytes)
    try:
        wish = parse_subscription(body, caller, state.rules)
    except BadRequest as error:
        return JSONResponse(str(error), 400)
    action = Action.READ if wish.is_app else Action.SUBSCRIBE
    question = Question(caller.identity or "", action, wish.resource_filter, wish.subject_filter)
    (permitted,) = await state.access.decide([question])
    if not permitted:
        return JSONResponse(f"Not authorized to create a subscription for resource {wish.resource_filter}.", 403)
    row, fresh = await state.store.writing(registry.subscribe, caller, wish)
    state.bell.ring(due.WEBHOOKS.name)
    secret = state.signer.secret(row.salt) if fresh and row.template is None else None  # no e-mail is signed with it
    location = {"Location": f"{state.events_base}/subscriptions/{row.seq}"}
    return JSONResponse(answers.Subscription.of(row, secret).content(), 201, location)


async def get_all(request: Request) -> Response:
    """The caller's subscriptions."""
    caller = authenticate_bearer(request, request.app.state.verifier)
    rows = await request.app.state.store.reading(registry.find_all, caller.identity)
    return JSONResponse(answers.SubscriptionList.of(rows).content())


@_unknown_is_empty
async def get(request: Request) -> Response:
    """One subscription."""
    caller, seq = _asked(request)
    row = await request.app.state.store.reading(registry.find, caller.identity, seq)
    return JSONResponse(answers.Subscription.of(row).content())


@_unknown_is_empty
async def delete(request: Request) -> Response:
    """End a subscription."""
    caller, seq = _asked(request)
    await request.app.state.store.writing(registry.remove, caller, seq)
    return Response()


@_unknown_is_empty
async def put_pause(request: Request) -> Response:
    """Let matching events wait."""
    caller, seq = _asked(request)
    row = await request.app.state.store.writing(registry.pause, caller, seq)
    return JSONResponse(answers.Subscription.of(row).content())


@_unknown_is_empty
async def put_resume(request: Request) -> Response:
    """Push what waits."""
    state = request.app.state
    caller, seq = _asked(request)
    row = await state.store.writing(registry.resume, caller, seq)
    state.bell.ring(due.WEBHOOKS.name)
    return JSONResponse(answers.Subscription.of(row).content())


@_unknown_is_empty
async def post_secret(request: Request) -> Response:
    """Replace the secret."""
    state = request.app.state
    caller, seq = _asked(request)
    row = await state.store.writing(registry.rotate, caller, seq)
    return JSONResponse(answers.NewSecret.of(row, state.signer.secret(row.salt)).content())


@_unknown_is_empty
async def get_deliveries(request: Request) -> Response:
    """A page of what was or will be pushed."""
    app = request.app.state
    caller, seq = _asked(request)
    given = _given(request)
    state = _state(given["state"]) if "state" in given else None
    after = _number("after", given.get("after", "0"), INT64)
    size = _number("size", given.get("size", "0"), INT32)
    size = min(size, registry.MOST_DELIVERIES) if size > 0 else PAGE
    found = await app.store.reading(
        registry.deliveries, caller.identity, seq, state=state, after_id=max(after, 0), size=size
    )
    headers = {}
    if len(found) == size:
        query = {"after": found[-1][0].seq, "size": size} | ({"state": state.value} if state else {})
        headers["next"] = f"{app.events_base}/subscriptions/{seq}/deliveries?{urlencode(query)}"
    return JSONResponse(answers.DeliveryList.of(found).content(), headers=headers)


@_unknown_is_empty
async def post_replay(request: Request) -> Response:
    """Count the stored events that match or, with their count, push them again."""
    state = request.app.state
    caller, seq = _asked(request)
    given = _given(request)
    since, until = _moment("from", given), _moment("to", given)
    count = _number("count", given["count"], INT32) if "count" in given else None
    if count is None:
        found = await state.store.reading(registry.replay, caller, seq, since, until, None)
    else:
        found = await state.store.writing(registry.replay, caller, seq, since, until, count)
        state.bell.ring(due.WEBHOOKS.name)
    return JSONResponse(answers.Replay(count=found, replayed=0 if count is None else found).content())


@_unknown_is_empty
async def post_retry(request: Request) -> Response:
    """Attempt one delivery again."""
    state = request.app.state
    caller, seq = _asked(request)
    delivery = _number("delivery", request.path_params["delivery"], INT64)
    await state.store.writing(registry.retry, caller, seq, delivery)
    state.bell.ring(due.WEBHOOKS.name)
    return Response(status_code=202)


def _asked(request: Request) -> tuple[Caller, int]:
    """Who asks, and of which subscription."""
    caller = authenticate_bearer(request, request.app.state.verifier)
    return caller, _number("id", request.path_params["id"], INT32)


def _given(request: Request) -> dict[str, str]:
    """The query's parameters that have a value, their names in lower case; of several with one name, the first."""
    return {name.lower(): text for name, text in reversed(request.query_params.multi_items()) if text}


def _number(name: str, text: str, most: int) -> int:
    if not _INTEGER.fullmatch(text) or not -most - 1 <= int(text) <= most:
        raise _not_valid(name, text)
    return int(text)


def _state(text: str) -> DeliveryState:
    try:
        return DeliveryState(text.capitalize())
    except ValueError:
        raise _not_valid("state", text) from None


def _moment(name: str, given: Mapping[str, str]) -> datetime:
    text = given.get(name)
    if text is None:
        raise Invalid({name: [f"The {name} field is required."]})
    try:
        if _TIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day or time
        pass
    raise Invalid({name: [f"The value '{text}' is not valid; a time with its zone is, such as 2026-12-24T08:00:00Z."]})


def _not_valid(name: str, text: str) -> Invalid:
    return Invalid({name: [f"The value '{text}' is not valid."]})


def _integer(most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


_ID = Parameter("id", "path", "the subscription's id", required=True, schema=_integer(INT32))
_DELIVERY = Parameter("delivery", "path", "the delivery's id", required=True, schema=_integer(INT64))
_DATE_TIME = {"type": "string", "format": "date-time"}
_REFUSED = {
    400: Documented("The id is no number, or a parameter breaks a rule.", Problem),
    401: Documented("No bearer token, or one that does not verify."),
    403: Documented("The subscription is another consumer's."),
    503: Documented("The database does not answer; Retry-After says when to come again.", Problem),
}
_KNOWN = _REFUSED | {404: Documented("There is no such subscription.")}

OPERATIONS = (
    Operation(
        method="POST",
        path=PATH,
        handler=post,
        summary="Subscribe to events",
        description=(
            "Events that match every given filter are posted to `endPoint`, once that has accepted the validation "
            "event. The same subscription again is the same one: its endpoint is validated anew. Subscriptions to "
            "other than app events need the scope `altinn:events.subscribe`. The answer to a new one holds the "
            "`secret` that pushed events are signed with, which is never shown again."
        ),
        request=SubscriptionRequest,
        example={
            "endPoint": "https://example.no/events",
            "resourceFilter": "urn:altinn:resource:app_ttd_apps-test",
            "typeFilter": ["app.instance.*"],
        },
        responses={
            201: Documented("Subscribed.", answers.Subscription, headers={"Location": "where the subscription is"}),
            400: Documented(
                "A rule is broken: its text; or a problem, when the body is no such JSON.", answers.Refusal, ANY
            ),
            401: _REFUSED[401],
            403: Documented("A scope is missing: no body. No access to the resource: a JSON string says so."),
            408: Documented("The body took longer than 30 seconds.", Problem),
            413: Documented("The body is too large.", Problem),
            415: Documented("The body is not JSON.", Problem),
            503: _REFUSED[503],
        },
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="GET",
        path=PATH,
        handler=get_all,
        summary="Your subscriptions",
        description="All of the caller's, validated or not, the oldest first.",
        responses={
            200: Documented("The subscriptions, possibly none.", answers.SubscriptionList),
            401: _REFUSED[401],
            503: _REFUSED[503],
        },
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{id}}",
        handler=get,
        summary="A subscription",
        description="With its filters, and how it is: validated, paused, failing.",
        parameters=(_ID,),
        responses={200: Documented("The subscription.", answers.Subscription), **_KNOWN},
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{id}}",
        handler=delete,
        summary="Unsubscribe",
        description="At once: what waits to be pushed is dropped, and the log of its deliveries is removed.",
        parameters=(_ID,),
        responses={200: Documented("Removed."), **_KNOWN},
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="PUT",
        path=f"{PATH}/{{id}}/pause",
        handler=put_pause,
        summary="Pause a subscription",
        description="Nothing is pushed; events that match meanwhile wait.",
        parameters=(_ID,),
        responses={200: Documented("Paused.", answers.Subscription), **_KNOWN},
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="PUT",
        path=f"{PATH}/{{id}}/resume",
        handler=put_resume,
        summary="Resume a subscription",
        description="What waits is pushed; if the endpoint was left alone because it kept failing, no longer.",
        parameters=(_ID,),
        responses={200: Documented("Resumed.", answers.Subscription), **_KNOWN},
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{id}}/secret",
        handler=post_secret,
        summary="Replace a subscription's secret",
        description="The answer is the only place that shows the new one. For 24 hours, both sign what is pushed.",
        parameters=(_ID,),
        responses={200: Documented("Replaced.", answers.NewSecret), **_KNOWN},
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="GET",
        path=f"{PATH}/{{id}}/deliveries",
        handler=get_deliveries,
        summary="A subscription's deliveries",
        description=(
            "What was or will be pushed, the newest first, with the newest attempts of each. When a page is full, the "
            "header `next` leads to the next one."
        ),
        parameters=(
            _ID,
            Parameter("state", "query", "only deliveries in this state", schema={"enum": list(DeliveryState)}),
            Parameter("after", "query", "id of the last delivery seen", schema=_integer(INT64)),
            Parameter("size", "query", "of a page", schema=_integer(registry.MOST_DELIVERIES) | {"default": PAGE}),
        ),
        responses={
            200: Documented(
                "A page, possibly empty.", answers.DeliveryList, headers={"next": "where the next page is"}
            ),
            **_KNOWN,
        },
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{id}}/replay",
        handler=post_replay,
        summary="Push stored events again",
        description=(
            "Of the events that were stored in that time, those that match the subscription. Asked without `count`, "
            "it answers how many these are and pushes nothing; repeated with that `count`, it pushes them all, up to "
            f"{registry.MOST_REPLAYED:,}."
        ),
        parameters=(
            _ID,
            Parameter("from", "query", "stored then or later, with time zone", required=True, schema=_DATE_TIME),
            Parameter("to", "query", "stored then or earlier, with time zone", required=True, schema=_DATE_TIME),
            Parameter("count", "query", "how many events are expected", schema=_integer(INT32, 0)),
        ),
        responses={
            200: Documented("Counted, or on their way.", answers.Replay),
            409: Documented("Another number of events matches by now; nothing is pushed.", Problem),
            **_KNOWN,
        },
        credentials=("bearer",),
        tag="Subscriptions",
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{id}}/deliveries/{{delivery}}/retry",
        handler=post_retry,
        summary="Attempt a delivery again",
        description="At once, and from the beginning of the retry schedule.",
        parameters=(_ID, _DELIVERY),
        responses={
            202: Documented("It will be attempted."),
            **_KNOWN,
            404: Documented("There is no such subscription or delivery."),
            409: Documented("It was delivered already.", Problem),
        },
        credentials=("bearer",),
        tag="Subscriptions",
    ),
)
