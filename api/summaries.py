"""What became of an order's e-mails over HTTP (contract 3.7): one answer, in pieces if there are very many."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from api import order_answers as answers
from api import reads
from api.answers import JSON
from api.openapi import Description, Operations
from api.openapi import Response as Documented
from api.orders import ID, PREFIX, REFUSED, UNKNOWN, asked
from engine.errors import NotFound, VarselError
from engine.orders.reading import Progress, emails_of, head

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from sqlalchemy import Connection
    from starlette.requests import Request

OPERATIONS = Operations("Orders")


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders/{id}/notifications/email",
        summary="An order's e-mails",
        description="What became of each recipient.",
        parameters=(ID,),
        responses={200: Documented("The e-mails.", answers.EmailSummary), **UNKNOWN, **REFUSED},
    )
)
async def get(request: Request) -> Response:
    """What became of each recipient."""
    creator, order_id = await asked(request)

    async def read(after: Progress | None) -> Piece:
        return await reads.read(request, creator, piece_of, creator, order_id, after)

    try:
        first = await read(None)
    except NotFound:
        return Response(status_code=404)
    if first.reached is None:
        return Response(first.text, media_type=JSON)
    return StreamingResponse(texts(read, first), media_type=JSON)


class Piece(NamedTuple):
    """Some e-mails of an order; `reached` is None in the last piece: a first one without it is the whole answer."""

    text: bytes
    generated: int
    succeeded: int
    reached: Progress | None


def piece_of(connection: Connection, creator: str, order_id: UUID, after: Progress | None) -> Piece:
    """The first e-mails of an order, or those `after` what was reached; NotFound."""
    order = head(connection, creator, order_id)
    found, reached = emails_of(connection, order, after)
    summary = answers.EmailSummary.of(order, found)
    if after is None and reached is None:
        return Piece(summary.json_text(), summary.generated, summary.succeeded, None)
    listed = b",".join(each.json_text() for each in summary.notifications)
    begun = summary.beginning() if after is None else b"," if listed else b""
    return Piece(begun + listed, summary.generated, summary.succeeded, reached)


async def texts(read: Callable[[Progress | None], Awaitable[Piece]], piece: Piece) -> AsyncIterator[bytes]:
    """The text of an answer that begins with this piece; the next is read when the client has taken it.

    If the database goes away meanwhile, the text ends before it is valid JSON: nobody takes it for the whole answer.
    """
    generated = succeeded = 0
    while True:
        yield piece.text
        generated += piece.generated
        succeeded += piece.succeeded
        if piece.reached is None:
            break
        try:
            piece = await read(piece.reached)
        except (VarselError, ClientDisconnect):
            return
    yield f'],"generated":{generated},"succeeded":{succeeded}}}'.encode()
