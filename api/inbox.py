"""The development inbox over HTTP; served only where the inbox is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api.pages import HEADERS, render
from engine.errors import Invalid

if TYPE_CHECKING:
    from starlette.requests import Request

ON_PAGE = 50  # messages that the page shows


async def messages(request: Request) -> Response:
    """All messages in order of arrival; `?to=` those to one recipient, `?limit=` the newest."""
    inbox, limit = request.app.state.inbox, request.query_params.get("limit")
    if limit is not None and not (limit.isascii() and limit.isdigit()):
        raise Invalid({"limit": ["The limit must be a whole number."]})
    found = await asyncio.to_thread(inbox.messages, request.query_params.get("to"), int(limit) if limit else None)
    return JSONResponse({"count": len(found), "messages": found})


async def clear(request: Request) -> Response:
    """Forget all messages."""
    await asyncio.to_thread(request.app.state.inbox.clear)
    return Response(status_code=204)


async def page(request: Request) -> Response:
    """The newest messages for people; HTML parts run no script and load nothing."""
    inbox = request.app.state.inbox
    found = await asyncio.to_thread(inbox.messages, None, ON_PAGE)
    count = await asyncio.to_thread(inbox.count)
    return HTMLResponse(render("inbox.html", messages=found[::-1], count=count), headers=HEADERS)


ROUTES = [
    Route("/inbox", page),
    Route("/inbox/messages", messages),
    Route("/inbox/messages", clear, methods=["DELETE"]),
]
