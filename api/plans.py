"""The plan of an order over HTTP, beyond the contract: when its parts go, and why then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from uuid import UUID

from starlette.responses import Response

from api import reads
from api.answers import JSON, Answer, instant
from api.openapi import Description, Operations
from api.openapi import Response as Documented
from api.order_answers import V1_ORDER
from api.orders import ID, PREFIX, REFUSED, asked
from api.problems import Problem
from engine.models import OrderState
from engine.orders import plans

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.requests import Request

    from engine.queue.calendars import Calendars

OPERATIONS = Operations("Orders")


class Reason(Answer):
    """Why recipients get it when they do."""

    kind: plans.Why
    text: str


class Part(Answer):
    """Recipients who get it at the same time; without `at`, nobody knows when, or it is never."""

    recipients: int
    at: str | None = None
    time_zone: str | None = None
    reasons: list[Reason]

    @classmethod
    def of(cls, part: plans.Part) -> Self:
        """From what the engine knows."""
        reasons = [Reason(kind=kind, text=text) for kind, text in part.reasons]
        at = instant(part.at) if part.at else None
        return cls(recipients=part.recipients, at=at, time_zone=part.time_zone, reasons=reasons)


class Plan(Answer):
    """When the parts of an order go that have not ended; of very many, the first ones (`more`)."""

    order_id: UUID
    status: OrderState
    as_of: str
    requested_send_time: str
    expires_at: str | None = None
    settled: int
    parts: list[Part]
    more: bool

    @classmethod
    def of(cls, plan: plans.Plan) -> Self:
        """From what the engine knows."""
        order, state = plan.order, OrderState(plan.order.state)
        return cls(
            order_id=order.id,
            status=V1_ORDER.get(state, state),
            as_of=instant(order.now),
            requested_send_time=instant(order.requested_send_time),
            expires_at=instant(order.expires_at) if order.expires_at else None,
            settled=plan.settled,
            parts=[Part.of(part) for part in plan.parts],
            more=plan.more,
        )


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders/{id}/plan",
        summary="When an order goes, and why then",
        description="The parts that have not ended: how many recipients, from when on, and what that depends on.",
        parameters=(ID,),
        responses={
            200: Documented("The plan, as of now.", Plan),
            404: Documented("This creator has no such order.", Problem),
            **REFUSED,
        },
    )
)
async def get_plan(request: Request) -> Response:
    """When the parts of an order go."""
    creator, order_id = await asked(request)
    calendars = request.app.state.limits.calendars
    return Response(await reads.read(request, creator, _plan, creator, order_id, calendars), media_type=JSON)


def _plan(connection: Connection, creator: str, order_id: UUID, calendars: Calendars) -> bytes:
    return Plan.of(plans.find(connection, creator, order_id, calendars)).json_text()
