"""One request and its answer over a connection, HTTP/1.1 (RFC 9112) by h11; the cost of an answer is bounded.

A server may send interim answers, headers, tiny chunks and trailers without end. All of them are bytes outside the body
and steps of the parser. Both are counted, so that none of them needs a rule of its own.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import h11
import httpcore

if TYPE_CHECKING:
    from collections.abc import Sequence

    Headers = Sequence[tuple[bytes, bytes]]

LONGEST_ANSWER = 16 * 1024  # bytes of a body that are read
LONGEST_HEAD = 16 * 1024  # bytes up to the end of the headers, interim answers (1xx) included
MOST_STEPS = 1000  # reads from the network, interim answers and chunks: two for each chunk that comes by itself
STEP = 256  # bytes of a larger body, for which there may be a further step
IDLE = 4.0  # seconds that an unused connection is kept: common servers close theirs after 5


class Excessive(Exception):
    """The answer's head exceeds its bounds."""


@dataclass(frozen=True, slots=True)
class Received:
    """An answer with its body, as far as it was read. `complete` False: there was more."""

    status: int
    headers: Headers
    body: bytes | bytearray
    complete: bool


class Connection:
    """A connection to one place, for one exchange at a time."""

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=LONGEST_HEAD)
        self._bytes = self._steps = 0  # of the answer that is being read
        self._expires = 0.0  # on the monotonic clock

    async def exchange(self, head: h11.Request, body: bytes | None, whole: int | None = None) -> Received:
        """Make a request and read its answer, with at most LONGEST_ANSWER bytes of its body.

        `whole`: a file of at most so many bytes is wanted. The body of an answer that is none, or longer, is left.
        Raises the errors of httpcore's stream, Excessive, and h11.ProtocolError when either side breaks the protocol.
        """
        events = (head, h11.Data(body or b""), h11.EndOfMessage())
        request = b"".join(self._http.send(event) or b"" for event in events)
        with suppress(httpcore.WriteError):  # the server may have answered before it read everything
            await self._stream.write(request)
        self._bytes = self._steps = 0
        answer = await self._head()
        status, headers = answer.status_code, answer.headers.raw_items()
        if whole is None:
            received, complete = await self._body(LONGEST_ANSWER)
            return Received(status, headers, bytes(received), complete)
        if not _ends(headers):  # a connection that is cut off would look like the end
            raise Excessive("the answer does not say how long it is")
        if status != HTTPStatus.OK or _length(headers) > whole:
            return Received(status, headers, b"", complete=False)
        return Received(status, headers, *await self._body(whole))

    def reuse(self) -> bool:
        """Prepare for the next exchange; False: the connection cannot be used again."""
        ended = self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
        if not ended or self._http.trailing_data[0]:
            return False
        self._http.start_next_cycle()
        self._expires = time.monotonic() + IDLE
        return True

    @property
    def expired(self) -> bool:
        """Whether it was idle for too long, or the other side has hung up or sent something unasked."""
        return time.monotonic() > self._expires or bool(self._stream.get_extra_info("is_readable"))

    async def close(self) -> None:
        """Hang up."""
        await self._stream.aclose()

    async def _head(self) -> h11.Response:
        """The final answer's head; interim ones are skipped."""
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                return event
            if self._steps > MOST_STEPS or self._bytes > LONGEST_HEAD:
                raise Excessive("the answer's headers do not end")
            if event is h11.NEED_DATA:
                await self._read()

    async def _body(self, most: int) -> tuple[bytearray, bool]:
        """The body up to `most` bytes, and whether it is complete."""
        body = bytearray()
        most_bytes, most_steps = LONGEST_HEAD + 2 * most, MOST_STEPS + max(0, most - LONGEST_ANSWER) // STEP
        while not isinstance(event := self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                body += event.data
            if max(len(body) - most, self._bytes - most_bytes, self._steps - most_steps) > 0:
                del body[most:]
                return body, False
            if event is h11.NEED_DATA:
                await self._read()
        return body, True

    def _next(self) -> type[h11.NEED_DATA | h11.PAUSED] | h11.Event:
        self._steps += 1
        return self._http.next_event()

    async def _read(self) -> None:
        data = await self._stream.read(LONGEST_HEAD)
        self._bytes += len(data)
        self._http.receive_data(data)


def _ends(headers: Headers) -> bool:
    """Whether an answer says where it ends."""
    return any(name.lower() in (b"content-length", b"transfer-encoding") for name, _ in headers)


def _length(headers: Headers) -> int:
    """The length that an answer tells; 0: none."""
    told = next((value for name, value in headers if name.lower() == b"content-length"), b"0")
    return int(told)  # h11 has read it
