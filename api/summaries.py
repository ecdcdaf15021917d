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
from engine.orders import reading

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

    async def read(after: UUID | None) -> Piece:
        return await reads.read(request, creator, piece_of, creator, order_id, after)

    try:
        first = await read(None)
    except NotFound:
        return Response(status_code=404)
    if first.last is None:
        return Response(first.text, media_type=JSON)
    return StreamingResponse(texts(read, first), media_type=JSON)


class Piece(NamedTuple):
    """Some e-mails of an order; `last` is None if no others come behind them: the first such is the whole answer."""

    text: bytes
    generated: int
    succeeded: int
    last: UUID | None


def piece_of(connection: Connection, creator: str, order_id: UUID, after: UUID | None) -> Piece:
    """The first e-mails of an order, or those `after` one; NotFound."""
    order, found = reading.notifications(connection, creator, order_id, after)
    summary, last = answers.EmailSummary.of(order, found), found[-1].id if len(found) == reading.PIECE else None
    if after is None and last is None:
        return Piece(summary.json_text(), summary.generated, summary.succeeded, None)
    listed = b",".join(each.json_text() for each in summary.notifications)
    begun = summary.beginning() if after is None else b"," if listed else b""
    return Piece(begun + listed, summary.generated, summary.succeeded, last)


async def texts(read: Callable[[UUID | None], Awaitable[Piece]], piece: Piece) -> AsyncIterator[bytes]:
    """The text of an answer that begins with this piece; the next is read when the client has taken it.

    If the database goes away meanwhile, the text ends before it is valid JSON: nobody takes it for the whole answer.
    """
    generated = succeeded = 0
    while True:
        yield piece.text
        generated += piece.generated
        succeeded += piece.succeeded
        if piece.last is None:
            break
        try:
            piece = await read(piece.last)
        except (VarselError, ClientDisconnect):
            return
    yield f'],"generated":{generated},"succeeded":{succeeded}}}'.encode()
