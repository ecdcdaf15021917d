"""Messages as their recipients see them: an e-mail of an order, and the development inbox."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.console.pages import HEADERS, look, page
from api.console.sessions import require
from engine.admin import details
from engine.admin.filters import uuid
from engine.auth.operators import Role
from engine.email.enclosures import shown
from engine.errors import NotFound
from engine.text.language import _

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.dev.inbox import Inbox, Message
    from engine.models import Content

ON_PAGE = 50  # messages that the inbox lists
# A message's HTML is somebody else's: no script, nothing loaded, nowhere to go, and only inside a page of the console.
FOREIGN = HEADERS | {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'",
}


async def html(request: Request) -> Response:
    """An e-mail's HTML, for a sandboxed frame."""
    await require(request, Role.OPERATOR)
    found = await look(request, details.html, _id(request), await _said(request))
    return Response(found, media_type="text/html", headers=FOREIGN)


async def source(request: Request) -> Response:
    """An e-mail's message as the relay gets it."""
    await require(request, Role.OPERATOR)
    message = await look(request, details.message, _id(request), await _said(request))
    return PlainTextResponse(message.decode(errors="replace"), headers=FOREIGN)


async def _said(request: Request) -> Content | None:
    """What an e-mail says whose order has a template; None: it has texts of its own."""
    found = await look(request, details.unrendered, _id(request))
    if found is None or found[1].template_id is None:
        return None
    said: Content = await request.app.state.rendering(*found, found[1].template_id)
    return said


async def inbox(request: Request) -> Response:
    """The newest messages, one of them opened, as a mail reader shows them."""
    await require(request, Role.OPERATOR)
    return await page(request, "inbox.html", _read)


async def inbox_html(request: Request) -> Response:
    """A received message's HTML, for a sandboxed frame."""
    await require(request, Role.OPERATOR)
    found = await asyncio.to_thread(_inbox(request).message, request.path_params["key"])
    text = await asyncio.to_thread(lambda: shown(found.html or "", found.attachments))
    return Response(text, media_type="text/html", headers=FOREIGN)


async def _read(request: Request) -> dict[str, Any]:
    inbox = _inbox(request)
    listed = (await asyncio.to_thread(inbox.messages, None, ON_PAGE))[::-1]
    count = await asyncio.to_thread(inbox.count)
    opened = listed[0] if listed else None
    if name := request.query_params.get("message"):
        opened = await asyncio.to_thread(inbox.message, name)
    files = await asyncio.to_thread(lambda: opened.attachments if opened else ())
    read = opened and _shown(opened) | {"attachments": [(each.filename, len(each.content or b"")) for each in files]}
    return {"messages": [_shown(message) for message in listed], "count": count, "opened": read}


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "subject": message.header("Subject"),
        "from": message.header("From"),
        "to": message.header("To"),
        "sender": message.sender,
        "recipients": message.recipients,
        "received_at": message.received_at,
        "headers": message.headers,
        "html": message.html,
        "text": message.text,
        "raw": message.raw,
    }


def _inbox(request: Request) -> Inbox:
    inbox: Inbox | None = getattr(request.app.state, "inbox", None)
    if inbox is None:
        raise NotFound(_("There is no inbox here: mail goes to the relay of VARSEL_SMTP_URL."))
    return inbox


def _id(request: Request) -> Any:
    try:
        return uuid(request.path_params["key"])
    except ValueError:
        raise NotFound(_("There is no such e-mail.")) from None


ROUTES = [
    Route("/inbox", inbox),
    Route("/inbox/{key}/html", inbox_html),
    Route("/emails/{key}/html", html),
    Route("/emails/{key}/source", source),
]
