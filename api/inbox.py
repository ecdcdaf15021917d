"""The development inbox over HTTP; served only where the inbox is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from api.hosts import own_host
from engine.errors import Invalid
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.dev.inbox import Inbox, Message

_LIMIT_DIGITS = 9


@own_host
async def messages(request: Request) -> Response:
    """All messages in order of arrival; `?to=` those to one recipient, `?limit=` the newest."""
    limit = request.query_params.get("limit")
    if limit is not None and not (limit.isascii() and limit.isdigit() and len(limit) <= _LIMIT_DIGITS):
        raise Invalid({"limit": ["The limit must be a whole number."]})
    recipient = request.query_params.get("to")

    def answer() -> Response:
        found = _inbox(request).messages(recipient, None if limit is None else int(limit))
        return JSONResponse({"count": len(found), "messages": [_shown(message) for message in found]})

    return await asyncio.to_thread(answer)


@own_host
async def message(request: Request) -> Response:
    """One message; 404 when there is none of that id."""
    return JSONResponse(_shown(await asyncio.to_thread(_inbox(request).message, request.path_params["id"])))


@own_host
async def clear(request: Request) -> Response:
    """Forget all messages."""
    await asyncio.to_thread(_inbox(request).clear)
    return Response(status_code=204)


@own_host
async def page(_request: Request) -> Response:
    """For people, the console shows it."""
    return RedirectResponse("/console/inbox", 303)


def _inbox(request: Request) -> Inbox:
    inbox: Inbox = request.app.state.inbox
    return inbox


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "receivedAt": rfc3339(message.received_at),
        "envelope": {"from": message.sender, "to": message.recipients},
        "headers": message.headers,  # pairs: a header may stand there twice
        "subject": message.header("Subject"),
        "from": message.header("From"),
        "to": message.header("To"),
        "text": message.text,
        "html": message.html,
        "attachments": [
            {"filename": each.filename, "mimeType": each.mime_type, "size": len(each.content or b"")}
            for each in message.attachments
        ],
        "raw": message.raw,
    }


ROUTES = [
    Route("/inbox", page),
    Route("/inbox/messages", messages),
    Route("/inbox/messages", clear, methods=["DELETE"]),
    Route("/inbox/messages/{id}", message),
]
