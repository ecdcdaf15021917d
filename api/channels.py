"""Orders for any channel over HTTP, and those for SMS (contract 2 and 3.2): of all channels, Varsel has e-mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from api import order_answers as answers
from api import orders, reads
from api.openapi import Description, Operations
from api.openapi import Response as Documented
from api.problems import Problem
from engine.errors import Invalid, NotFound
from engine.orders import reading
from engine.orders.any_channel import EMAIL_ALONE, OrderRequest, parse_any_channel

if TYPE_CHECKING:
    from starlette.requests import Request


OPERATIONS = Operations("Orders")


@OPERATIONS.add(
    Description(
        method="POST",
        path=orders.PREFIX + "/orders",
        summary="Order e-mails as a channel among others",
        description="As `/orders/email`, for clients that name the channel. Any but `Email` is refused with 400.",
        parameters=(orders.KEY,),
        request=OrderRequest,
        example={
            "notificationChannel": "Email",
            "emailTemplate": {"subject": "Hei", "body": "Hei, Kari!"},
            "recipients": [{"emailAddress": "kari@example.no"}],
        },
        responses=orders.TAKEN,
    )
)
async def post(request: Request) -> Response:
    """Take an order in whose channel is e-mail."""
    return await orders.take(request, parse_any_channel)


@OPERATIONS.add(
    Description(
        method="POST",
        path=orders.PREFIX + "/orders/sms",
        summary="Order SMS",
        description="Refused: this is an e-mail engine.",
        responses={
            400: Documented("There is no such channel.", Problem),
            401: orders.REFUSED[401],
            403: orders.REFUSED[403],
            415: orders.TAKEN[415],
        },
    )
)
async def post_sms(request: Request) -> Response:
    """Refuse an SMS."""
    await orders.sender(request)
    raise Invalid({"NotificationChannel": [EMAIL_ALONE]})


@OPERATIONS.add(
    Description(
        method="GET",
        path=orders.PREFIX + "/orders/{id}/notifications/sms",
        summary="An order's SMS",
        description="None: `generated` and `succeeded` are 0.",
        parameters=(orders.ID,),
        responses={200: Documented("No SMS.", answers.EmailSummary), **orders.UNKNOWN, **orders.REFUSED},
    )
)
async def get_sms(request: Request) -> Response:
    """No SMS came of an order."""
    creator, order_id = await orders.asked(request)
    try:
        order = await reads.read(request, creator, reading.find, creator, order_id)
    except NotFound:
        return Response(status_code=404)
    return answers.EmailSummary.of(order, ()).response()
