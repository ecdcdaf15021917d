"""E-mail orders over HTTP (contract 2 and 3, its v1 generation)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from api import order_answers as answers
from api import reads
from api.answers import JSON
from api.auth import authenticate, require_create, require_creator
from api.bodies import Taken, require_json, work_on
from api.fields import field
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.permissions import permitted
from api.problems import Problem
from api.rate_limits import MEANINGS, rate_limits
from engine.errors import Invalid, NotFound, VarselError
from engine.orders import reading
from engine.orders.members import parse_json
from engine.orders.receipts import Key, fingerprint
from engine.orders.request import PARAMETER, EmailOrderRequest
from engine.orders.rules import parse_order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.requests import Request

    from engine.models import Caller
    from engine.orders.new_order import NewOrder
    from engine.orders.rules import Limits

    Parse = Callable[[dict[str, Any], Limits, datetime], NewOrder]

PREFIX = "/notifications/api/v1"
_KEY = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')  # quoted, as the draft has it, or bare, as many clients send it
_JSON = f"{JSON}; charset=utf-8"
ID = Parameter("id", "path", "the order's id, a UUID", required=True)
READ = {
    401: Documented("No credential, or one that does not verify."),
    403: Documented("The credential lacks the scope, or names no organisation."),
    503: Documented("The database does not answer; Retry-After says when to come again.", Problem),
}
REFUSED = {400: Documented("The input breaks a rule; `errors` says which, per field.", Problem), **READ}
UNKNOWN = {404: Documented("This creator has no such order.")}
KEY = Parameter("Idempotency-Key", "header", "the same key and payload give the same answer for 48 hours")
TAKEN = {
    202: Documented("Stored.", answers.Receipt, headers=MEANINGS),
    408: Documented("The body took longer than 30 seconds.", Problem),
    409: Documented("A request with this Idempotency-Key is still running; or too many orders are open.", Problem),
    413: Documented("The body is too large.", Problem),
    415: Documented("The body is not JSON, or it is compressed.", Problem),
    422: Documented("This Idempotency-Key was used with another payload.", Problem),
    429: Documented(
        "The creator's quota of recipients does not let the order in.",
        Problem,
        headers={"Retry-After": "Seconds until it does, if nothing else comes before.", **MEANINGS},
    ),
    **REFUSED,
}

OPERATIONS = Operations("Orders")


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/orders/email",
        summary="Order e-mails",
        description="Stores the order before it answers; `requestedSendTime` is the earliest time to send.",
        parameters=(KEY,),
        request=EmailOrderRequest,
        example={"subject": "Hei", "body": "Hei, Kari!", "recipients": [{"emailAddress": "kari@example.no"}]},
        responses=TAKEN,
        aliases=(PREFIX + "/order/email", "/orders/email", "/order/email"),
    )
)
async def post(request: Request) -> Response:
    """Take an e-mail order in."""
    return await take(request, parse_order)


async def take(request: Request, parse: Parse) -> Response:
    """Take an order in, which `parse` reads: 202 once it is durable."""
    state = request.app.state
    caller = await sender(request)
    parse = await permitted(request, caller, parse)
    async with Taken(request, caller.name, state.settings.max_order_bytes) as body:
        now = await state.store.now()
        order, key = await work_on(request, caller.name, len(body), _posted, request, body, parse, now)
        if not isinstance(order, Invalid):
            receipt = await state.intake.place(require_creator(caller), order, key)
        elif not (key and caller.creator and (receipt := await state.intake.replay(caller.creator, key))):
            raise order  # it was not accepted earlier under this key
    headers = {"Location": f"{state.base}/orders/{receipt.order_id}", **rate_limits(receipt.allowances)}
    if receipt.replayed:
        headers["Idempotency-Replayed"] = "true"
    return answers.Receipt.of(receipt).response(202, headers, _JSON)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders/{id}",
        summary="An order",
        description="The order as it was posted.",
        parameters=(ID,),
        responses={200: Documented("The order.", answers.Order), **UNKNOWN, **REFUSED},
    )
)
async def get(request: Request) -> Response:
    """One order as it was posted."""
    creator, order_id = await asked(request)
    try:
        text = await reads.read(request, creator, _order, creator, order_id, request.app.state.base)
    except NotFound:
        return Response(status_code=404)
    return Response(text, media_type=JSON)


def _order(connection: Connection, creator: str, order_id: UUID, base: str) -> bytes:
    return answers.Order.of(reading.find(connection, creator, order_id), base).json_text()


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders",
        summary="Orders by reference",
        description="All orders with this sendersReference, oldest first; the match is exact.",
        parameters=(
            Parameter("sendersReference", "query", "as given in the order", required=True, example="vedtak-1"),
        ),
        responses={200: Documented("The orders, possibly none.", answers.OrderList), **REFUSED},
    )
)
async def get_by_reference(request: Request) -> Response:
    """All orders with a sender's reference."""
    reference = next((value for name, value in request.query_params.items() if name.lower() == "sendersreference"), "")
    caller = await creating(request)
    if not reference.strip():
        raise Invalid({"sendersReference": ["The sendersReference field is required."]})
    creator = require_creator(caller)
    if "\0" in reference:  # no stored text has one, and PostgreSQL takes none
        return answers.OrderList(count=0, orders=[]).response()
    first = await reads.read(request, creator, _piece, creator, reference, request.app.state.base)
    return StreamingResponse(_listed(request, creator, reference, first), media_type=JSON)


async def _listed(request: Request, creator: str, reference: str, piece: _Piece) -> AsyncIterator[bytes]:
    """The text of a list of orders that begins with this piece; the next is read when the client has taken it.

    If the database goes away meanwhile, the text ends before it is valid JSON: nobody takes it for the whole list.
    """
    base = request.app.state.base
    count = 0
    yield b'{"orders":['
    while piece.orders:
        yield (b"," if count else b"") + piece.text
        count += piece.orders
        try:
            piece = await reads.read(request, creator, _piece, creator, reference, base, piece.last)
        except (VarselError, ClientDisconnect):
            return
    yield f'],"count":{count}}}'.encode()


class _Piece(NamedTuple):
    """Some orders of a list: their texts between commas, how many they are, the number of the last."""

    text: bytes
    orders: int
    last: int


def _piece(connection: Connection, creator: str, reference: str, base: str, after: int = 0) -> _Piece:
    found = reading.find_by_reference(connection, creator, reference, after)
    texts = [answers.Order.of(order, base).json_text() for order in found]
    return _Piece(b",".join(texts), len(found), found[-1].seq if found else after)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders/{id}/status",
        summary="An order's status",
        description="How far the order is, and how many e-mails were generated and taken over by the relay.",
        parameters=(ID,),
        responses={200: Documented("The status.", answers.OrderStatus), **UNKNOWN, **REFUSED},
    )
)
async def get_status(request: Request) -> Response:
    """How far an order is."""
    creator, order_id = await asked(request)
    try:
        order, generated, succeeded = await reads.read(request, creator, reading.status, creator, order_id)
    except NotFound:
        return Response(status_code=404)
    return answers.OrderStatus.of(order, generated, succeeded, request.app.state.base).response()


@OPERATIONS.add(
    Description(
        method="PUT",
        path=PREFIX + "/orders/{id}/cancel",
        summary="Cancel an order",
        description="Possible until five minutes before the send time; cancelling twice is no error.",
        parameters=(ID,),
        responses={
            200: Documented("Cancelled.", answers.OrderStatus),
            404: Documented("This creator has no such order.", Problem),
            409: Documented("Too late.", Problem),
            **REFUSED,
        },
    )
)
async def put_cancel(request: Request) -> Response:
    """Cancel an order in time."""
    creator, order_id = await asked(request)
    order, generated, succeeded = await request.app.state.writers.write(creator, reading.cancel, creator, order_id)
    return answers.OrderStatus.of(order, generated, succeeded, request.app.state.base).response()


async def sender(request: Request) -> Caller:
    """Who posts an order; another media type is refused before all else."""
    require_json(request)
    return await creating(request)


async def asked(request: Request) -> tuple[str, UUID]:
    """Whose order is asked for, and which; an id that is no UUID is refused first (contract 2.2)."""
    caller, order_id = await asked_by(request)
    return require_creator(caller), order_id


async def asked_by(request: Request) -> tuple[Caller, UUID]:
    """Who asks, and for which order."""
    caller = await creating(request)
    text: str = request.path_params["id"]
    try:
        order_id = UUID(text)
    except ValueError:
        raise Invalid({"id": [f"The value '{text}' is not valid."]}) from None
    return caller, order_id


async def creating(request: Request) -> Caller:
    """Who asks; only who may create orders."""
    caller = await authenticate(request, request.app.state.verifier)
    require_create(caller)
    return caller


def _posted(request: Request, body: bytes, parse: Parse, now: datetime) -> tuple[NewOrder | Invalid, Key | None]:
    """What was posted, or what is wrong with it; and under which key. No JSON at all is raised as Invalid.

    Done in one go, so that only the order stays in memory: there, a payload is many times as large as its body.
    """
    payload = parse_json(body, PARAMETER)
    key = _key(request, payload)
    try:
        return parse(payload, request.app.state.limits, now), key
    except Invalid as error:
        return Invalid(error.errors), key  # without the trace, which would keep the payload


def _key(request: Request, payload: dict[str, Any]) -> Key | None:
    text = field(request, b"idempotency-key")
    if text is None:
        return None
    match = _KEY.fullmatch(text.strip())
    if not match:
        raise Invalid({"Idempotency-Key": ["The header must hold 1 to 255 visible ASCII characters."]})
    return Key(match[1], fingerprint(payload))
