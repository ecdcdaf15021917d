"""Orders of the second generation over HTTP: with reminders, and instant ones (contract 2.4, 2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.exceptions import HTTPException

from api import chain_answers as answers
from api import reads
from api.answers import JSON
from api.auth import authenticate, require_create, require_creator, require_scope
from api.bodies import Taken, require_json, work_on
from api.fields import field
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.orders import PREFIX, READ, TAKEN, sender
from api.permissions import permitted
from api.problems import Problem
from api.rate_limits import MEANINGS, rate_limits
from engine.errors import Invalid
from engine.models import OrderKind
from engine.orders import chains
from engine.orders.chain_request import (
    COMPOSED_PARAMETER,
    INSTANT_PARAMETER,
    PARAMETER,
    ChainRequest,
    ComposedEmailRequest,
    InstantEmailRequest,
)
from engine.orders.chain_rules import NO_SMS, is_name, parse_chain, parse_composed, parse_instant
from engine.orders.members import parse_json
from engine.orders.receipts import fingerprint
from engine.resources import SCOPE_COMPOSED

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.models import Caller
    from engine.orders.chains import NewChain
    from engine.orders.rules import Limits

    Parse = Callable[[dict[str, Any], Limits, datetime], NewChain]

_JSON = f"{JSON}; charset=utf-8"
STRICT = Parameter(
    "Idempotency-Key", "header", "of any value: an idempotencyId that is known with another body gets 422, not 200"
)
STORED = {
    **{status: meaning for status, meaning in TAKEN.items() if status not in (202, 409)},
    200: Documented("The idempotencyId is known: the first answer again.", answers.ChainReceipt),
    201: Documented("Stored.", answers.ChainReceipt, headers={"Location": "The order with its reminders.", **MEANINGS}),
    422: Documented("A recipient has no known address, or the idempotencyId was used with another body.", Problem),
}
REFUSED_SMS = {
    400: Documented("There is no such channel.", Problem),
    **{status: TAKEN[status] for status in (401, 403, 415)},
}
ID = Parameter(
    "id", "path", "the notificationOrderId, a UUID", required=True, schema={"type": "string", "format": "uuid"}
)
_SETTINGS = {"subject": "Hei", "body": "Hei, Kari!"}
_KARI = {"emailAddress": "kari@example.no", "emailSettings": _SETTINGS}
_FILE = {"filename": "vedtak.txt", "mimeType": "text/plain", "content": "SGVpLCBLYXJpIQo="}

OPERATIONS = Operations("Orders")


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/future/orders",
        summary="Order a message and its reminders",
        description="Each reminder is an order of its own: it has a state, can be cancelled, and appears in the feed.",
        parameters=(STRICT,),
        request=ChainRequest,
        example={
            "idempotencyId": "vedtak-2026-1",
            "recipient": {"recipientEmail": _KARI},
            "reminders": [{"delayDays": 7, "recipient": {"recipientEmail": _KARI}}],
        },
        responses=STORED,
    )
)
async def post(request: Request) -> Response:
    """Take an order and its reminders in."""
    return await _take(request, await sender(request), parse_chain, OrderKind.NOTIFICATION, PARAMETER)


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/future/orders/instant/email",
        summary="Order an e-mail that somebody waits for",
        description="Stored, and sent before all that is not instant.",
        parameters=(STRICT,),
        request=InstantEmailRequest,
        example={"idempotencyId": "kode-2026-1", "recipientEmail": _KARI},
        responses=STORED,
    )
)
async def post_instant(request: Request) -> Response:
    """Take an instant e-mail in."""
    return await _take(request, await sender(request), parse_instant, OrderKind.INSTANT, INSTANT_PARAMETER)


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/future/orders/composed-email",
        summary="Order an e-mail with attachments",
        description=f"Needs the scope `{SCOPE_COMPOSED}`. A file comes with the order, or is fetched when that is due.",
        parameters=(STRICT,),
        request=ComposedEmailRequest,
        example={
            "idempotencyId": "brev-2026-1",
            "recipient": _KARI | {"emailSettings": _SETTINGS | {"attachments": [_FILE]}},
        },
        responses=STORED,
        credentials=("bearer",),
    )
)
async def post_composed(request: Request) -> Response:
    """Take an e-mail with attachments in."""
    require_json(request)
    caller = await authenticate(request, request.app.state.verifier)
    require_scope(caller, SCOPE_COMPOSED)
    return await _take(request, caller, parse_composed, OrderKind.COMPOSED, COMPOSED_PARAMETER)


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/future/orders/instant/sms",
        summary="Order an instant SMS",
        description="Refused: this is an e-mail engine.",
        responses=REFUSED_SMS,
        aliases=(PREFIX + "/future/orders/instant",),
    )
)
async def post_instant_sms(request: Request) -> Response:
    """Refuse an SMS."""
    await sender(request)
    raise Invalid({"RecipientSms": [NO_SMS]})


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders/chain/{id}",
        summary="An order with its reminders",
        description="What `Location` leads to: which orders there are, and how far each is.",
        parameters=(ID,),
        responses={
            200: Documented("The orders.", answers.Chain),
            404: Documented("This creator has no such order.", Problem),
            **READ,
        },
    )
)
async def get(request: Request) -> Response:
    """An order with its reminders."""
    creator, chain_id = await named(request)
    return (await reads.read(request, creator, _chain, creator, chain_id)).response()


def _chain(connection: Connection, creator: str, chain_id: UUID) -> answers.Chain:
    return answers.Chain.of(*chains.find_by_id(connection, creator, chain_id))


async def named(request: Request) -> tuple[str, UUID]:
    """Whose thing is asked for, and which; what is no UUID leads nowhere (contract 2)."""
    caller = await authenticate(request, request.app.state.verifier)
    require_create(caller)
    creator = require_creator(caller)
    try:
        return creator, UUID(request.path_params["id"])
    except ValueError:
        raise HTTPException(404) from None


async def _take(request: Request, caller: Caller, parse: Parse, kind: OrderKind, parameter: str) -> Response:
    """Take an order in, which `parse` reads: 201 once it is durable, 200 if its identifier is known."""
    state = request.app.state
    strict = state.settings.idempotency_strict or field(request, b"idempotency-key") is not None
    parse = await permitted(request, caller, parse)
    async with Taken(request, caller.name, state.settings.max_order_bytes) as body:
        now = await state.store.now()
        chain, name, mark = await work_on(
            request, caller.name, len(body), _posted, request, body, parse, parameter, now
        )
        if not isinstance(chain, Invalid):
            receipt = await state.intake.place_chain(require_creator(caller), chain, mark, strict=strict)
        else:
            again = state.intake.replay_chain
            creator = caller.creator
            if not (name and creator and (receipt := await again(creator, kind, name, mark, strict=strict))):
                raise chain  # it was not accepted earlier under this identifier
    answer = answers.ChainReceipt.of(receipt)
    if receipt.replayed:
        return answer.response(200, rate_limits(receipt.allowances), _JSON)
    location = {"Location": f"{state.base}/orders/chain/{receipt.order_id}"}
    return answer.response(201, location | rate_limits(receipt.allowances), _JSON)


def _posted(
    request: Request, body: bytes, parse: Parse, parameter: str, now: datetime
) -> tuple[NewChain | Invalid, str | None, str]:
    """What was posted, or what is wrong with it; its identifier, if there is one, and the payload's fingerprint.

    Done in one go, so that only the order stays in memory.
    """
    payload = parse_json(body, parameter)
    mark = fingerprint(payload)
    name = [value for key, value in payload.items() if key.lower() == "idempotencyid"][-1:]  # the last one counts
    try:
        return parse(payload, request.app.state.limits, now), None, mark
    except Invalid as error:
        return Invalid(error.errors), name[0] if name and is_name(name[0]) else None, mark
