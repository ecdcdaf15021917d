"""Withdrawing orders over HTTP, for good or until another time, beyond the contract: until the message leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self
from uuid import UUID

from api import reads
from api.answers import Answer
from api.bodies import Taken, require_json
from api.openapi import Description, Operations
from api.openapi import Response as Documented
from api.order_answers import V1_ORDER
from api.orders import ID, PREFIX, REFUSED, asked
from api.problems import Problem
from engine.models import OrderState
from engine.orders.members import parse_json
from engine.orders.rescheduling import PARAMETER, RescheduleRequest, parse_reschedule
from engine.orders.withdrawing import LOOK_EVERY, MOST, WITHIN, Aim, Fate, fates, withdraw
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.orders import withdrawing

TEXTS = {
    Fate.CANCELLED: "Nothing was sent, and nothing will be.",
    Fate.RESCHEDULED: "Nothing was sent yet; the e-mail waits for its time.",
    Fate.SENT: "The mail system had taken the e-mail over before.",
    Fate.FAILED: "The e-mail had failed before.",
    Fate.NOT_SENT: "The order had ended before, without e-mails.",
    Fate.IN_FLIGHT: "A worker has the e-mail at this moment. Ask again: then it has left, or it never will.",
    Fate.IN_DOUBT: "No further attempt is made. An earlier one ended without an answer: the e-mail may have arrived.",
}
UNKNOWN = {404: Documented("This creator has no such order.", Problem)}

OPERATIONS = Operations("Orders")


class RecipientFate(Answer):
    """What has become of a recipient."""

    email_address: str | None = None
    organization_number: str | None = None
    national_identity_number: str | None = None
    result: Fate
    description: str

    @classmethod
    def of(cls, row: withdrawing.RecipientFate) -> Self:
        """From what the engine knows."""
        return cls(
            email_address=row.address or None,
            organization_number=row.organization_number,
            national_identity_number=row.national_identity_number,
            result=row.fate,
            description=TEXTS[row.fate],
        )


class Withdrawal(Answer):
    """What has become of an order's recipients: of all in numbers, of the first thousand one by one."""

    order_id: UUID
    status: OrderState
    counts: dict[Fate, int]
    recipients: list[RecipientFate]


@OPERATIONS.add(
    Description(
        method="PUT",
        path=PREFIX + "/orders/{id}/withdraw",
        summary="Withdraw an order",
        description="Until the message leaves, also when a worker has it; says of each recipient what has become of it"
        f" (of up to {MOST:,}, those first that were not cancelled). It may be repeated.",
        parameters=(ID,),
        responses={200: Documented("What has become of each recipient.", Withdrawal), **UNKNOWN, **REFUSED},
    )
)
async def put_withdraw(request: Request) -> Response:
    """Withdraw an order for good."""
    creator, order_id = await asked(request)
    return await _withdraw(request, creator, order_id, Aim())


@OPERATIONS.add(
    Description(
        method="PUT",
        path=PREFIX + "/orders/{id}/reschedule",
        summary="Send an order at another time",
        description="Until the message leaves, as with `withdraw`; what has left already stays as it is.",
        parameters=(ID,),
        request=RescheduleRequest,
        example={"requestedSendTime": "2030-12-24T08:00:00Z"},
        responses={
            200: Documented("What has become of each recipient.", Withdrawal),
            413: Documented("The body is too large.", Problem),
            415: Documented("The body is not JSON, or it is compressed.", Problem),
            **UNKNOWN,
            **REFUSED,
        },
    )
)
async def put_reschedule(request: Request) -> Response:
    """Send an order at another time."""
    require_json(request)
    creator, order_id = await asked(request)
    async with Taken(request, creator, request.app.state.settings.max_body_bytes) as body:
        aim = parse_reschedule(parse_json(body, PARAMETER), await request.app.state.store.now())
    return await _withdraw(request, creator, order_id, aim)


async def _withdraw(request: Request, creator: str, order_id: UUID, aim: Aim) -> Response:
    """Take back what is in nobody's hands, until workers have let go of the rest or it has left."""
    state, until = request.app.state, steady() + WITHIN.total_seconds()
    while True:
        left = await state.writers.write(creator, withdraw, creator, order_id, aim, state.limits.calendars)
        if not (left.more or left.in_hand) or steady() >= until:
            break
        await asyncio.sleep(0 if left.more else LOOK_EVERY)
    found = await reads.read(request, creator, fates, creator, order_id)
    return Withdrawal(
        order_id=order_id,
        status=V1_ORDER.get(found.state, found.state),
        counts=dict(found.counts),
        recipients=[RecipientFate.of(each) for each in found.recipients],
    ).response()
