"""Request bodies: bounded in size and in sum, of the right media type, and worked on beside the event loop if large."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from starlette.exceptions import HTTPException

from api.fields import field
from api.hang_ups import unless_gone
from engine.errors import Overrun
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

P = ParamSpec("P")
R = TypeVar("R")

SMALL = 64 * 1024  # bytes: the work on such a body takes a few ms, and others can wait for it
LEAST = 256 * 1024  # bytes that a larger body counts for, at least
ROOM = 8  # of the largest bodies have room at once
_DIGITS = 19  # of a Content-Length: Python reads no more than 4,300


def media_type(request: Request) -> str:
    """What a body is said to be, in lower case and without parameters; "": nothing is said."""
    return (field(request, b"content-type") or "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """HTTPException 415 unless the body is said to be JSON, also as some `+json` (events contract 1.2)."""
    media = media_type(request)
    if media != "application/json" and not media.endswith("+json"):
        raise HTTPException(415)


def check_coding(fields: Mapping[bytes, bytes]) -> None:
    """HTTPException 415 if these header fields say that the body is compressed."""
    if fields.get(b"content-encoding", b"").strip().lower() not in (b"", b"identity"):
        text = "The body is compressed (Content-Encoding); send it uncompressed."
        raise HTTPException(415, text, {"Accept-Encoding": "identity"})  # RFC 9110, 15.5.16


class LargeBodies:
    """Room for the large bodies of one process, `largest` bytes each, and the turns to work on them.

    A body has its room from before it is read until its request is answered. That bounds all that is read, waits and
    is committed. Parties share the room by what is left free of it.
    """

    def __init__(self, largest: int) -> None:
        self.room = Shares(ROOM * max(largest, LEAST))
        self.turns = Shares(1)

    async def turn(self, party: str, act: Callable[[], R], rest: float = 1.0) -> R:
        """Call `act` in a thread when it is the party's turn.

        Behind the work, a turn has a `rest`, usually as long as the work itself: a thread that parses lets the event
        loop run only now and then, and a new request must not wait for more than one such thread.
        """
        await self.turns.wait(party)
        loop = asyncio.get_running_loop()
        began = loop.time()
        running = asyncio.ensure_future(asyncio.to_thread(act))
        running.add_done_callback(lambda _: loop.call_later(rest * (loop.time() - began), self.turns.give_back, party))
        return await asyncio.shield(running)


class Taken:
    """The body of a request, as a context that gives its bytes and lasts until the request is answered.

    HTTPException 415 (it is compressed), 413 (above `limit` bytes) or 400 (the client hung up); Overrun when large
    bodies of `party` have no more room. api/connections ends a body that comes too slowly.
    """

    __slots__ = ("_limit", "_party", "_request", "_room")

    def __init__(self, request: Request, party: str, limit: int) -> None:
        self._request = request
        self._party = party
        self._limit = limit
        self._room = 0

    async def __aenter__(self) -> bytes:
        self._check_head()
        try:
            return await self._read()
        except BaseException:
            self._let_go()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    async def _read(self) -> bytes:
        body = bytearray()  # grows in place, however many pieces come
        more = True
        while more:
            message = await self._request.receive()
            if message["type"] == "http.disconnect":  # nobody is there to be answered, and nothing is wrong here
                raise HTTPException(400)
            body += message.get("body", b"")
            self._check(len(body))
            more = message.get("more_body", False)
        return bytes(body)

    def _check_head(self) -> None:
        fields = dict(self._request.scope["headers"])  # api/singles.py and the parser refuse what comes twice
        check_coding(fields)
        length = fields.get(b"content-length", b"")
        if length.isdigit():
            self._check(int(length[:_DIGITS]))

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise HTTPException(413)
        if size > SMALL and size > self._room:
            self._take_room(min(2 * self._room, self._limit) if self._room else max(size, LEAST))

    def _take_room(self, size: int) -> None:
        """Take room for so many bytes in all; the room of a body that does not tell its size grows by doubling."""
        room: Shares = self._request.app.state.large_bodies.room
        more = size - self._room
        if not room.fits(self._party, more):
            raise Overrun("Large requests leave no room for this one; wait until some are answered.")
        room.take(self._party, more)
        self._room = size

    def _let_go(self) -> None:
        if self._room:
            self._request.app.state.large_bodies.room.give_back(self._party, self._room)
            self._room = 0


async def work_on(request: Request, party: str, size: int, act: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `act`, whose work grows with a body of `size` bytes: on the event loop for a small one, else in a thread.

    Threads of one process would only slow each other down: one works at a time, and the parties take turns. A client
    that hangs up gives up its turn (ClientDisconnect).
    """
    if size <= SMALL:
        return act(*args, **kwargs)
    large: LargeBodies = request.app.state.large_bodies
    return await unless_gone(request, large.turn(party, partial(act, *args, **kwargs)))
