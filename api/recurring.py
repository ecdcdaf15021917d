"""Recurring orders over HTTP, beyond the contract."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Self
from uuid import UUID

from starlette.responses import Response

from api import reads
from api.answers import JSON, Answer, instant
from api.auth import require_creator
from api.bodies import Taken, work_on
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.orders import PREFIX, READ, REFUSED, asked, asked_by, creating, sender
from api.permissions import permitted
from api.problems import Problem
from engine.models import new_id
from engine.orders import recurring
from engine.orders.members import parse_json
from engine.orders.recurring_request import PARAMETER, RecurringRequest, parse_recurring
from engine.orders.rules import parse_order

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.requests import Request

    from engine.orders.guests import Parse
    from engine.orders.new_order import NewOrder
    from engine.orders.recurring import NewRecurring
    from engine.orders.rules import Limits

PATH = PREFIX + "/recurring-orders"
ID = Parameter("id", "path", "the recurring order's id, a UUID", required=True)
UNKNOWN = {404: Documented("This creator has no such recurring order.", Problem)}

OPERATIONS = Operations("Recurring orders")


class Recurring(Answer):
    """A recurring order; without `nextRuns`, it has ended or is paused."""

    id: UUID
    name: str
    created: str
    cron: str
    zone: str
    missed: recurring.Missed
    until: str | None = None
    runs_left: int | None = None
    runs_made: int
    next_runs: list[str] | None = None
    last_run: str | None = None
    last_order_id: UUID | None = None
    last_fault: str | None = None
    paused_reason: str | None = None

    @classmethod
    def of(cls, row: recurring.Recurring) -> Self:
        """From the stored row."""
        return cls(
            id=row.id,
            name=row.name,
            created=instant(row.created),
            cron=row.cron,
            zone=row.zone,
            missed=recurring.Missed(row.missed),
            until=instant(row.until) if row.until else None,
            runs_left=row.runs_left,
            runs_made=row.made,
            next_runs=[instant(each) for each in row.times()] or None,
            last_run=instant(row.last_at) if row.last_at else None,
            last_order_id=row.last_order,
            last_fault=row.last_fault,
            paused_reason=row.paused_reason,
        )


class RecurringList(Answer):
    """All recurring orders of a creator."""

    recurring_orders: list[Recurring]


@OPERATIONS.add(
    Description(
        method="POST",
        path=PATH,
        summary="Order e-mails again and again",
        description="At each time of the cron expression, an order of its own is made. The same name and body may be"
        " posted again.",
        request=RecurringRequest,
        example={
            "name": "monday",
            "cron": "0 9 * * 1",
            "zone": "Europe/Oslo",
            "order": {"subject": "Hei", "body": "Hei, Kari!", "recipients": [{"emailAddress": "kari@example.no"}]},
        },
        responses={
            201: Documented("Stored.", Recurring),
            200: Documented("It was stored before.", Recurring),
            409: Documented("The name has another one, or there are too many.", Problem),
            413: Documented("The body is too large.", Problem),
            415: Documented("The body is not JSON, or it is compressed.", Problem),
            **REFUSED,
        },
    )
)
async def post(request: Request) -> Response:
    """Store a recurring order."""
    state = request.app.state
    caller = await sender(request)
    async with Taken(request, caller.name, state.settings.max_order_bytes) as body:
        now = await state.store.now()
        parse = partial(_posted, await permitted(request, caller, parse_order))
        new = await work_on(request, caller.name, len(body), parse, body, state.limits, now)
    creator, its_id = require_creator(caller), new_id(now)
    if new.order.template:
        await reads.read(request, creator, recurring.check, state.catalogue.find, creator, new)
    stored = await state.writers.write(creator, recurring.store, creator, state.limits.sender, new, its_id)
    found, is_new = stored
    headers = {"Location": f"{state.base}/recurring-orders/{found.id}"} if is_new else None
    return Recurring.of(found).response(201 if is_new else 200, headers)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PATH,
        summary="Recurring orders",
        description="All of the creator's, by name.",
        responses={200: Documented("The recurring orders, possibly none.", RecurringList), **READ},
    )
)
async def get_all(request: Request) -> Response:
    """All recurring orders of the creator."""
    creator = require_creator(await creating(request))
    return Response(await reads.read(request, creator, _all, creator), media_type=JSON)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PATH + "/{id}",
        summary="A recurring order",
        description="With its next times, and the order that it made last.",
        parameters=(ID,),
        responses={200: Documented("The recurring order.", Recurring), **UNKNOWN, **REFUSED},
    )
)
async def get(request: Request) -> Response:
    """One recurring order."""
    creator, its_id = await asked(request)
    return Recurring.of(await reads.read(request, creator, recurring.find, creator, its_id)).response()


@OPERATIONS.add(
    Description(
        method="DELETE",
        path=PATH + "/{id}",
        summary="End a recurring order",
        description="Nothing is made any more; the orders that were made go on, and can be cancelled or withdrawn.",
        parameters=(ID,),
        responses={204: Documented("It has ended."), **UNKNOWN, **REFUSED},
    )
)
async def delete(request: Request) -> Response:
    """End a recurring order."""
    caller, its_id = await asked_by(request)
    creator = require_creator(caller)
    await request.app.state.writers.write(creator, recurring.remove, caller.name, creator, its_id)
    return Response(status_code=204)


def _all(connection: Connection, creator: str) -> bytes:
    """The answer is made where the rows are read: the next times of many orders take a while."""
    found = recurring.find_all(connection, creator)
    return RecurringList(recurring_orders=[Recurring.of(each) for each in found]).json_text()


def _posted(parse: Parse[NewOrder], body: bytes, limits: Limits, now: datetime) -> NewRecurring:
    return parse_recurring(parse, parse_json(body, PARAMETER), limits, now)
