"""Events over HTTP: published by apps and by anybody, read by resource, app and party (events contract 3.1 to 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from api import event_queries as queries
from api import event_shapes as shapes
from api import reads
from api.auth import authenticate_bearer, publishes_anything, require_platform, require_scope
from api.bodies import Taken, media_type, require_json, work_on
from api.openapi import Description, Operations
from api.openapi import Response as Documented
from api.problems import CHALLENGE, Problem
from engine.auth.access import Action, Question
from engine.errors import Forbidden
from engine.events import reading
from engine.events.app_event import read_app_event
from engine.events.app_source import publishes_for
from engine.events.cloudevent import decode, decode_batch, decode_binary, require_resource
from engine.events.status import SOURCE
from engine.resources import OWN, SCOPE_PUBLISH, SCOPE_SUBSCRIBE
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from engine.db.records import StoredEvent
    from engine.models import Caller, CloudEvent

PREFIX = "/events/api/v1"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
_NEXT = "the address of the next page, which asks the same. Missing: nothing lies behind `after` by now."
_PAGE = Documented("A page, possibly empty.", shapes.Events, STRUCTURED, {"next": _NEXT})
_READING = (
    "In the order in which they were stored. Events that the caller may not see are left out, so a page may be short "
    "or empty: follow the header `next` until it is missing, and keep the last one to go on later."
)
_REFUSED = {
    400: Documented("The input breaks a rule; `detail` or `errors` says which.", Problem),
    401: Documented("No bearer token, or one that does not verify."),
    503: Documented("The database does not answer; Retry-After says when to come again.", Problem),
}
_NO_SCOPE = {403: Documented("The scope is missing.")}
_TOO_LONG = {414: Documented(f"The query has more than {queries.LONGEST_QUERY:,} bytes.", Problem)}
_BODY = {
    408: Documented("The body took longer than 30 seconds.", Problem),
    413: Documented("The body is too large.", Problem),
    503: Documented("Neither the database nor Redis answers; Retry-After says when to come again.", Problem),
}

OPERATIONS = Operations("Events")


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/app",
        summary="Publish an app's event",
        description=(
            "The app tells what happened to one of its instances; id, time and resource of the event are made here. "
            "The `PlatformAccessToken` must be of the app that `source` names."
        ),
        request=shapes.AppEvent,
        example=shapes.APP_EVENT,
        credentials=("bearer", "platform"),
        responses={
            201: Documented(
                "Stored; the body is the event's id.",
                shapes.EventId,
                headers={"Location": "the app's events of that very moment"},
            ),
            **_REFUSED,
            401: Documented("No good bearer token or, with a JSON string that says so, the source is another app's."),
            403: Documented("No good PlatformAccessToken."),
            415: Documented("The body is not JSON, or it is compressed.", Problem),
            **_BODY,
        },
        aliases=("/app",),
    )
)
async def post_app(request: Request) -> Response:
    """Take an app's event in: 201 with its id once it is durable."""
    state, now = request.app.state, request.app.state.store.clock.now()
    require_json(request)
    await authenticate_bearer(request, state.verifier)
    token = require_platform(request, state.verifier)
    if token.app is None:
        raise Forbidden("the PlatformAccessToken names no app")
    publisher = f"{token.creator}/{token.app}"
    async with Taken(request, publisher, state.settings.max_body_bytes) as body:
        event = await work_on(request, publisher, len(body), read_app_event, body, now)
        if not publishes_for(publisher, event.source):
            text = f"{publisher} is not authorized to create events for {event.source}"
            return JSONResponse(text, 401, CHALLENGE)
        await state.publisher.publish([event], publisher)
    at = rfc3339(now).replace(":", "%3A")
    location = f"{state.events_base}/app/{publisher.lower()}?from={at}&to={at}"  # its source has the publisher's name
    return Response(f'"{event.id}"', 201, {"Location": location}, "application/json")


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/events",
        summary="Publish events",
        description=(
            "One CloudEvent, a batch of which all or none are stored, or (with `ce-` headers and any other media type) "
            "an event in binary mode. Needs the scope `altinn:events.publish` or a `PlatformAccessToken` beside the "
            "bearer token. An event whose `id` and `source` are known is not stored again."
        ),
        media={STRUCTURED: shapes.Event, BATCH: shapes.Events},
        example=shapes.EVENT,
        credentials=("bearer",),
        responses={
            200: Documented("Stored."),
            **_REFUSED,
            403: Documented("The scope is missing, or the caller may not publish on a resource, or in Varsel's name."),
            415: Documented("The body is no CloudEvent by its media type and headers, or it is compressed.", Problem),
            **_BODY,
        },
    )
)
async def post(request: Request) -> Response:
    """Take events in, all or none: 200 once they are durable."""
    state = request.app.state
    decoded = _decoder(request)
    caller = await authenticate_bearer(request, state.verifier)
    if SCOPE_PUBLISH not in caller.scopes:
        require_platform(request, state.verifier, SCOPE_PUBLISH)
    async with Taken(request, caller.name, state.settings.max_body_bytes) as body:
        events = await work_on(request, caller.name, len(body), decoded, body)
        for event in events:
            require_resource(event)
        if any(event.source == SOURCE for event in events):  # it would take the place of an order's own event
            raise Forbidden("may not publish in Varsel's name")
        anything = publishes_anything(caller)
        asked = [event for event in events if not anything or (event.resource or "").startswith(OWN)]
        if not all(await _permitted(request, caller, Action.PUBLISH, asked)):
            raise Forbidden("may not publish on this resource")
        await state.publisher.publish(events, caller.name)
    return Response()


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/events",
        summary="A resource's events",
        description=f"{_READING} Needs the scope `altinn:events.subscribe`.",
        credentials=("bearer",),
        parameters=queries.RESOURCE_PARAMETERS,
        responses={200: _PAGE, **_REFUSED, **_NO_SCOPE, **_TOO_LONG},
    )
)
async def get(request: Request) -> Response:
    """A page of a resource's events."""
    caller = await authenticate_bearer(request, request.app.state.verifier)
    require_scope(caller, SCOPE_SUBSCRIBE)
    return await _page(request, queries.resource_query(request), caller, Action.SUBSCRIBE)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/app/party",
        summary="A party's events",
        description=f"{_READING} One of `party`, `unit` and `person` is needed.",
        credentials=("bearer",),
        parameters=queries.PARTY_PARAMETERS,
        responses={200: _PAGE, **_REFUSED, **_TOO_LONG},
    )
)
async def get_party(request: Request) -> Response:
    """A page of the events about a party, of whatever app."""
    caller = await authenticate_bearer(request, request.app.state.verifier)
    return await _page(request, queries.app_query(request), caller, Action.READ)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/app/{org}/{app}",
        summary="An app's events",
        description=f"{_READING} For organisations only.",
        credentials=("bearer",),
        parameters=queries.APP_PARAMETERS,
        responses={
            200: _PAGE,
            **_REFUSED,
            401: Documented("No good bearer token or, with a JSON string that says so, one of no organisation."),
            **_TOO_LONG,
        },
    )
)
async def get_app(request: Request) -> Response:
    """A page of an app's events."""
    caller = await authenticate_bearer(request, request.app.state.verifier)
    if caller.creator is None:
        return JSONResponse("Only orgs can call this api", 401, CHALLENGE)
    return await _page(request, queries.app_query(request), caller, Action.READ)


def _decoder(request: Request) -> Callable[[bytes], list[CloudEvent]]:
    """How the body is to be read, by the modes of CloudEvents' HTTP binding; HTTPException 415: by none of them."""
    media = media_type(request)
    if media == STRUCTURED:
        return lambda body: [decode(body)]
    if media == BATCH:
        return decode_batch
    if "ce-specversion" in request.headers and not media.startswith("application/cloudevents"):
        return lambda body: [decode_binary(request.headers.items(), body)]
    raise HTTPException(415)


async def _page(request: Request, asked: queries.Asked, caller: Caller, action: Action) -> Response:
    """What the caller may see of a page; `next` goes on behind everything that was looked at (events contract 3.3)."""
    page = await reads.read(request, caller.name, reading.page, asked.query)
    permitted = await _permitted(request, caller, action, page.rows)
    texts = ", ".join(row.text for row, good in zip(page.rows, permitted, strict=True) if good)
    headers = None if page.last is None else {"next": queries.next_page(request, asked.by_header, page.last)}
    return Response(f"[{texts}]", headers=headers, media_type=f"{STRUCTURED}; charset=utf-8")


async def _permitted(
    request: Request, caller: Caller, action: Action, events: Sequence[CloudEvent | StoredEvent]
) -> Sequence[bool]:
    """For each event, whether the caller may; a caller without an identity may nothing."""
    if caller.identity is None:
        return [False] * len(events)
    questions = [
        Question(caller.identity, action, event.resource or "", event.subject, caller.party) for event in events
    ]
    answers: Sequence[bool] = await request.app.state.access.decide(questions)
    return answers
