"""Shipments over HTTP: what became of an order, the feed of those that have ended, a dialog's log (contract 2.7)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.responses import Response

from api import chain_answers as answers
from api import parameters, reads
from api.answers import JSON
from api.auth import authenticate, require_create, require_creator
from api.chains import named
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.orders import PREFIX, READ, REFUSED
from api.parameters import INT64, Given, integers, not_valid
from api.problems import Problem
from engine.errors import Invalid
from engine.orders import shipments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from sqlalchemy import Connection
    from starlette.requests import Request

    Some = Callable[[Connection, str], Sequence[shipments.Entry]]

ID = Parameter("id", "path", "the shipmentId, a UUID", required=True, schema=parameters.UUID)
SEEN = Parameter("seq", "query", "the last number that was seen; 0: none", schema=integers(INT64, 0))
SIZE = Parameter(
    "pageSize", "query", f"1 to {shipments.MOST} entries, which is the default", schema={"type": "integer"}
)
ORDER = Parameter("orderBy", "query", "asc, or desc for the newest first", schema={"enum": ["asc", "desc"]})
DIALOG = Parameter("dialogId", "query", "the dialog, as it was posted", required=True, example="dialog-1")
TRANSMISSION = Parameter("transmissionId", "query", "one of its transmissions")

OPERATIONS = Operations("Shipments")


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/future/shipment/feed",
        summary="Orders that have ended",
        description="An entry per order, in the order of their ends. Ask again behind the last number you have seen.",
        parameters=(SEEN, SIZE, ORDER),
        responses={200: Documented("The next entries, possibly none.", answers.Feed), **REFUSED},
    )
)
async def get_feed(request: Request) -> Response:
    """The next entries of the feed."""
    creator = await _reader(request)
    given = Given(request)
    seen, size = given.number("seq", 0, INT64), given.number("pagesize", shipments.MOST)
    order = given.text("orderby").strip().lower() or "asc"
    if seen < 0:
        raise Invalid({"Seq": ["seq must be 0 or more."]})
    if order not in ("asc", "desc"):
        raise not_valid("orderBy", order, "; asc and desc are")
    size = min(max(1, size), shipments.MOST)
    some = partial(shipments.feed, seen=seen, size=size, newest_first=order == "desc")
    text = await reads.read(request, creator, _page, creator, some, request.app.state.words)
    return Response(text, media_type=JSON)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/future/shipment/{id}",
        summary="What became of an order",
        description="Of any generation, by its shipmentId or orderId.",
        parameters=(ID,),
        responses={
            200: Documented("The order and its messages.", answers.Shipment),
            404: Documented("This creator has no such order (NOT-00003).", Problem),
            **READ,
        },
    )
)
async def get(request: Request) -> Response:
    """What became of an order."""
    creator, order_id = await named(request)
    text = await reads.read(request, creator, _shipment, creator, order_id, request.app.state.words)
    return Response(text, media_type=JSON)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/future/enduser/log",
        summary="Messages of a dialog",
        description=f"Of orders that have ended and name the dialog; the newest first, {shipments.LOGGED} at most.",
        parameters=(DIALOG, TRANSMISSION),
        responses={200: Documented("The messages, possibly none.", answers.Log), **REFUSED},
        aliases=(PREFIX + "/future/log",),
    )
)
async def get_log(request: Request) -> Response:
    """The messages of a dialog."""
    creator = await _reader(request)
    given = Given(request)
    dialog = given.text("dialogid")
    if not dialog.strip():
        raise Invalid({"dialogId": ["The dialogId field is required."]})
    transmission = given.text("transmissionid") or None
    found = await reads.read(request, creator, _log, creator, dialog, transmission, request.app.state.words)
    return Response(found, media_type=JSON)


async def _reader(request: Request) -> str:
    caller = await authenticate(request, request.app.state.verifier)
    require_create(caller)
    return require_creator(caller)


def _page(connection: Connection, creator: str, some: Some, words: answers.Words) -> bytes:
    return _array([answers.Entry.of(entry, words) for entry in some(connection, creator)])


def _shipment(connection: Connection, creator: str, order_id: UUID, words: answers.Words) -> bytes:
    return answers.Shipment.of(*shipments.find(connection, creator, order_id), words).json_text()


def _log(connection: Connection, creator: str, dialog: str, transmission: str | None, words: answers.Words) -> bytes:
    found = shipments.log(connection, creator, dialog, transmission)
    return _array([answers.Logged.of(row, words) for row in found])


def _array(found: list[answers.Entry] | list[answers.Logged]) -> bytes:
    return b"[" + b",".join(each.json_text() for each in found) + b"]"
