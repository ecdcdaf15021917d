"""Deliveries over HTTP: what was or will be pushed, and pushing it again. Beyond the events contract."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from api import reads
from api import subscription_answers as answers
from api.answers import JSON
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.parameters import DATE_TIME, INT32, INT64, Given, integer, integers, not_valid
from api.problems import Problem
from api.subscriptions import ID, KNOWN, PATH, asked, unknown_is_empty
from engine.errors import Invalid
from engine.models import DeliveryState
from engine.queue import due
from engine.subscriptions import registry, replays

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.requests import Request

PAGE = 50  # deliveries, when no size is asked for
_DELIVERY = Parameter("delivery", "path", "the delivery's id", required=True, schema=integers(INT64))

OPERATIONS = Operations("Subscriptions")


def _time(name: str, description: str, example: str) -> Parameter:
    return Parameter(name, "query", description, required=True, schema=DATE_TIME, example=example)


@OPERATIONS.add(
    Description(
        method="GET",
        path=f"{PATH}/{{id}}/deliveries",
        summary="A subscription's deliveries",
        description=(
            "What was or will be pushed, the newest first, with the newest attempts of each. When a page is full, or "
            "its texts are long, the header `next` leads to the next one."
        ),
        parameters=(
            ID,
            Parameter("state", "query", "only deliveries in this state", schema={"enum": list(DeliveryState)}),
            Parameter("after", "query", "id of the last delivery seen", schema=integers(INT64)),
            Parameter("size", "query", "of a page", schema=integers(registry.MOST_DELIVERIES) | {"default": PAGE}),
        ),
        responses={
            200: Documented(
                "A page, possibly empty.", answers.DeliveryList, headers={"next": "where the next page is"}
            ),
            **KNOWN,
        },
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def get_deliveries(request: Request) -> Response:
    """A page of what was or will be pushed."""
    app = request.app.state
    caller, seq = await asked(request)
    given = Given(request)
    state = _state(given)
    after = given.number("after", 0, INT64)
    size = given.number("size", PAGE)
    size = min(size, registry.MOST_DELIVERIES) if size > 0 else PAGE
    page, last = await reads.read(
        request, caller.name, _page, caller.identity, seq, state=state, after_id=max(after, 0), size=size
    )
    headers = {}
    if last is not None:
        query = {"after": last, "size": size} | ({"state": state.value} if state else {})
        headers["next"] = f"{app.events_base}/subscriptions/{seq}/deliveries?{urlencode(query)}"
    return Response(page, headers=headers, media_type=JSON)


def _page(  # noqa: PLR0913 a page is asked for by many things
    connection: Connection, identity: str | None, seq: int, *, state: DeliveryState | None, after_id: int, size: int
) -> tuple[bytes, int | None]:
    """A page's text, and the last delivery on it; None: no further page."""
    found, more = registry.pushed(connection, identity, seq, state=state, after_id=after_id, size=size)
    return answers.DeliveryList.of(found).json_text(), found[-1][0].seq if found and more else None


@OPERATIONS.add(
    Description(
        method="POST",
        path=f"{PATH}/{{id}}/replay",
        summary="Push stored events again",
        description=(
            "Of the events that were stored in that time, those that match the subscription. Asked without `count`, "
            "it answers how many these are and pushes nothing; repeated with that `count`, it pushes them all, up to "
            f"{replays.MOST_REPLAYED:,}."
        ),
        parameters=(
            ID,
            _time("from", "stored then or later, with time zone", example="2026-11-23T08:00:00Z"),
            _time("to", "stored then or earlier, with time zone", example="2026-11-24T08:00:00Z"),
            Parameter("count", "query", "how many events are expected", schema=integers(INT32, 0)),
        ),
        responses={
            200: Documented("Counted, or on their way.", answers.Replay),
            409: Documented("Another number of events matches by now; nothing is pushed.", Problem),
            **KNOWN,
        },
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def post_replay(request: Request) -> Response:
    """Count the stored events that match or, with their count, push them again."""
    state = request.app.state
    caller, seq = await asked(request)
    given = Given(request)
    since, until = _moment(given, "from"), _moment(given, "to")
    count = given.number("count", None)
    found = await reads.read(request, caller.name, replays.replayed, caller, seq, since, until, count)
    if count:
        await state.writers.write(caller.name, replays.note_replay, caller, seq, since, until, count)
        for start in range(0, count, registry.AT_ONCE):
            await state.writers.write(
                caller.name, replays.push_again, caller, seq, found[start : start + registry.AT_ONCE]
            )
            state.notifier.notify(due.WEBHOOKS.name)
    return answers.Replay(count=len(found), replayed=0 if count is None else len(found)).response()


@OPERATIONS.add(
    Description(
        method="POST",
        path=f"{PATH}/{{id}}/deliveries/{{delivery}}/retry",
        summary="Attempt a delivery again",
        description="At once, and from the beginning of the retry schedule.",
        parameters=(ID, _DELIVERY),
        responses={
            202: Documented("It will be attempted."),
            **KNOWN,
            404: Documented("There is no such subscription or delivery."),
            409: Documented("It was delivered already.", Problem),
        },
        credentials=("bearer",),
    )
)
@unknown_is_empty
async def post_retry(request: Request) -> Response:
    """Attempt one delivery again."""
    state = request.app.state
    caller, seq = await asked(request)
    delivery = integer("delivery", request.path_params["delivery"], INT64)
    await state.writers.write(caller.name, registry.retry, caller, seq, delivery)
    state.notifier.notify(due.WEBHOOKS.name)
    return Response(status_code=202)


def _state(given: Given) -> DeliveryState | None:
    text = given.text("state")
    try:
        return DeliveryState(text.capitalize()) if text else None
    except ValueError:
        raise not_valid("state", text) from None


def _moment(given: Given, name: str) -> datetime:
    moment = given.moment(name, zoned=True)
    if moment is None:
        raise Invalid({name: [f"The {name} field is required."]})
    return moment
