"""Subscriptions over HTTP (events contract 3.6 to 3.8) and, beyond the contract, pausing and new secrets."""

from __future__ import annotations

import asyncio
from functools import wraps
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from api import reads
from api import subscription_answers as answers
from api.auth import authenticate_bearer
from api.bodies import Taken, require_json
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.parameters import INT32, integer, integers
from api.problems import Problem
from engine.auth.access import Action, Question
from engine.errors import BadRequest, NotFound
from engine.queue import due
from engine.subscriptions import registry
from engine.subscriptions.request import SubscriptionRequest
from engine.subscriptions.rules import parse_subscription

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from engine.models import Caller

    Handler = Callable[[Request], Awaitable[Response]]

PATH = "/events/api/v1/subscriptions"
LARGEST = 128 * 1024  # bytes of a subscription: all its texts at their longest, each character as a JSON escape
ANY = "application/*"  # the two media types of an answer that is a text or a problem
ID = Parameter("id", "path", "the subscription's id", required=True, schema=integers(INT32))
_REFUSED = {
    400: Documented("The id is no number, or a parameter breaks a rule.", Problem),
    401: Documented("No bearer token, or one that does not verify."),
    403: Documented("The subscription is another consumer's."),
    503: Documented("The database does not answer; Retry-After says when to come again.", Problem),
}
KNOWN = _REFUSED | {404: Documented("There is no such subscription.")}

OPERATIONS = Operations("Subscriptions")


def unknown_is_empty(handler: Handler) -> Handler:
    """NotFound as the contract answers it here: 404 without a body."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except NotFound:
            return Response(status_code=404)

    return answer


@OPERATIONS.add(
    Description(
        method="POST",
        path=PATH,
        summary="Subscribe to events",
        description=(
            "Events that match every given filter are posted to `endPoint`, once that has accepted the validation "
            "event. Posting the same subscription again gives the existing one and validates its endpoint anew. "
            "Subscriptions to other events than apps' need the scope `altinn:events.subscribe`. The answer to a new "
            "one holds the `secret` that pushed events are signed with, which is never shown again."
        ),
        request=SubscriptionRequest,
        example={
            "endPoint": "https://receiver.example/events",
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
            409: Documented("The consumer has as many subscriptions as it can have; `detail` has the number.", Problem),
            408: Documented("The body took longer than 30 seconds.", Problem),
            413: Documented(f"The body has more than {LARGEST:,} bytes.", Problem),
            415: Documented("The body is not JSON, or it is compressed.", Problem),
            503: _REFUSED[503],
        },
        credentials=("bearer",),
    )
)
async def post(request: Request) -> Response:
    """Subscribe, or find the same subscription again; either way its endpoint is validated."""
    state = request.app.state
    require_json(request)
    caller = await authenticate_bearer(request, state.verifier)
    try:
        async with Taken(request, caller.name, min(LARGEST, state.settings.max_body_bytes)) as body:
            spec = parse_subscription(body, caller, state.rules)
    except BadRequest as error:
        return JSONResponse(str(error), 400)
    action = Action.READ if spec.is_app else Action.SUBSCRIBE
    question = Question(caller.identity or "", action, spec.resource_filter, spec.subject_filter, caller.party)
    (permitted,) = await state.access.decide([question])
    if not permitted:
        return JSONResponse(f"Not authorized to create a subscription for resource {spec.resource_filter}.", 403)
    most = state.settings.max_subscriptions
    row, fresh = await state.writers.write(caller.name, registry.subscribe, caller, spec, most)
    state.notifier.notify(due.WEBHOOKS.name)
    secret = state.signer.secret(row.salt) if fresh and row.template is None else None  # no e-mail is signed with it
    location = {"Location": f"{state.events_base}/subscriptions/{row.seq}"}
    return answers.Subscription.of(row, secret).response(201, location)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PATH,
        summary="Your subscriptions",
        description="All of the caller's, validated or not, the oldest first.",
        responses={
            200: Documented("The subscriptions, possibly none.", answers.SubscriptionList),
            401: _REFUSED[401],
            503: _REFUSED[503],
        },
        credentials=("bearer",),
    )
)
async def get_all(request: Request) -> Response:
    """The caller's subscriptions."""
    caller = await authenticate_bearer(request, request.app.state.verifier)
    rows = await reads.read(request, caller.name, registry.find_all, caller.identity)
    # It may be long: written in a thread, it does not hold up others' requests.
    return await asyncio.to_thread(lambda: answers.SubscriptionList.of(rows).response())


@OPERATIONS.add(
    Description(
        method="GET",
        path=f"{PATH}/{{id}}",
        summary="A subscription",
        description="With its filters, and how it is: validated, paused, failing.",
        parameters=(ID,),
        responses={200: Documented("The subscription.", answers.Subscription), **KNOWN},
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def get(request: Request) -> Response:
    """One subscription."""
    caller, seq = await asked(request)
    row = await reads.read(request, caller.name, registry.find, caller.identity, seq)
    return answers.Subscription.of(row).response()


@OPERATIONS.add(
    Description(
        method="DELETE",
        path=f"{PATH}/{{id}}",
        summary="Unsubscribe",
        description="At once: what waits to be pushed is dropped, and the log of its deliveries is removed.",
        parameters=(ID,),
        responses={200: Documented("Removed."), **KNOWN},
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def delete(request: Request) -> Response:
    """End a subscription."""
    caller, seq = await asked(request)
    await request.app.state.writers.write(caller.name, registry.remove, caller, seq)
    return Response()


@OPERATIONS.add(
    Description(
        method="PUT",
        path=f"{PATH}/{{id}}/pause",
        summary="Pause a subscription",
        description="Nothing is pushed; events that match meanwhile wait.",
        parameters=(ID,),
        responses={200: Documented("Paused.", answers.Subscription), **KNOWN},
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def put_pause(request: Request) -> Response:
    """Let matching events wait."""
    caller, seq = await asked(request)
    row = await request.app.state.writers.write(caller.name, registry.pause, caller, seq)
    return answers.Subscription.of(row).response()


@OPERATIONS.add(
    Description(
        method="PUT",
        path=f"{PATH}/{{id}}/resume",
        summary="Resume a subscription",
        description="What waits is pushed, even to an endpoint that was left alone because it kept failing.",
        parameters=(ID,),
        responses={200: Documented("Resumed.", answers.Subscription), **KNOWN},
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def put_resume(request: Request) -> Response:
    """Push what waits."""
    state = request.app.state
    caller, seq = await asked(request)
    row = await state.writers.write(caller.name, registry.resume, caller, seq)
    state.notifier.notify(due.WEBHOOKS.name)
    return answers.Subscription.of(row).response()


@OPERATIONS.add(
    Description(
        method="POST",
        path=f"{PATH}/{{id}}/secret",
        summary="Replace a subscription's secret",
        description="The answer is the only place that shows the new one. For 24 hours, both sign what is pushed.",
        parameters=(ID,),
        responses={200: Documented("Replaced.", answers.NewSecret), **KNOWN},
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def post_secret(request: Request) -> Response:
    """Replace the secret."""
    state = request.app.state
    caller, seq = await asked(request)
    salt, until = await state.writers.write(caller.name, registry.rotate, caller, seq)
    return answers.NewSecret.of(state.signer.secret(salt), until).response()


async def asked(request: Request) -> tuple[Caller, int]:
    """Who asks, and of which subscription."""
    caller = await authenticate_bearer(request, request.app.state.verifier)
    return caller, integer("id", request.path_params["id"], INT32)
