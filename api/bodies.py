"""Request bodies: bounded in size, of the right media type, and worked on beside the event loop if large."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

P = ParamSpec("P")
R = TypeVar("R")

SMALL = 64 * 1024  # bytes of a body whose work, a few ms, others can wait for
_DIGITS = 19  # of a Content-Length: Python reads no more than 4,300


def media_type(request: Request) -> str:
    """What a body is said to be, in lower case and without parameters; "": nothing is said."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """HTTPException 415 unless the body is said to be JSON, also as some `+json` (events contract 1.2)."""
    media = media_type(request)
    if media != "application/json" and not media.endswith("+json"):
        raise HTTPException(415)


async def read(request: Request, limit: int) -> bytes:
    """The body; HTTPException 415 (it is packed), 413 (above `limit` bytes) or, to nobody, 400.

    One that drips, api/connections.py ends.
    """
    if request.headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        text = "The body is packed (Content-Encoding); send it as it is."
        raise HTTPException(415, text, {"Accept-Encoding": "identity"})  # RFC 9110, 15.5.16
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:_DIGITS]) > limit:
        raise HTTPException(413)
    body = bytearray()  # grows in place, into however many pieces a client cuts it
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise HTTPException(413)
    except ClientDisconnect:  # nobody is there to be answered, and nothing is wrong here
        raise HTTPException(400) from None
    return bytes(body)


async def work_on(request: Request, party: str, size: int, act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `act`, whose work grows with a body of `size` bytes: on the event loop for a small one, else in a thread.

    Threads of one process would only hold up each other: one works at a time, and the parties take turns.
    """
    if size <= SMALL:
        return act(*args, **kwargs)
    async with request.app.state.large_bodies.slot(party):
        return await asyncio.to_thread(act, *args, **kwargs)
