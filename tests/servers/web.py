"""The HTTP server alone: uvicorn with Varsel's connections and a small application, and a client that sends bytes.

with Web(Bounds(head_time=0.2)) as web, web.connect() as client:
    client.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    assert client.answer().status == 200
"""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from api.connections import Bounds, Connection, bounded
from tests.helpers.waiting import patience, wait_for
from tests.servers.threaded import Threaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request

HELLO = b"GET / HTTP/1.1\r\nHost: varsel\r\n\r\n"
LARGE = 4_000_000  # bytes of the answer at /large


@dataclass(frozen=True)
class Answer:
    """An answer."""

    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Client:
    """A socket; use it as a context."""

    def __init__(self, port: int, receive_buffer: int | None = None) -> None:
        self._socket = socket.socket()
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(patience())
        self._socket.connect(("127.0.0.1", port))
        self._file = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def push(self, data: bytes) -> int:
        """Send until the other side reads no more; returns how many bytes it took."""
        sent = 0
        try:
            while sent < len(data):
                sent += self._socket.send(data[sent : sent + 65_536])
        except OSError:
            pass
        return sent

    def answer(self) -> Answer:
        """The next answer; EOFError when the connection ended instead."""
        line = self._file.readline()
        if not line:
            raise EOFError
        status = int(line.split()[1])
        headers = {name.lower(): value for name, value in http.client.parse_headers(self._file).items()}
        body = self._file.read(int(headers.get("content-length", "0")))
        return Answer(status, headers, body)

    def line(self) -> bytes:
        """The next line, as it comes."""
        return self._file.readline()

    def rest(self) -> bytes:
        """Everything until the connection ends."""
        found = bytearray()
        try:
            while data := self._file.read1():
                found += data
        except ConnectionResetError:
            pass
        return bytes(found)

    def is_open(self) -> bool:
        """Whether another request is answered."""
        try:
            self.send(HELLO)
            return self.answer().status == 200
        except (OSError, EOFError):
            return False


class Web(Threaded):
    """The server, in a thread; it keeps what the application got, and `release` lets /slow answer."""

    def __init__(self, bounds: Bounds | None = None, idle: float = 75) -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        self.heads: list[list[tuple[bytes, bytes]]] = []
        self.slow = 0  # requests that wait for `release`
        self.larges = 0  # requests for /large
        self.resting = 0  # requests for /stream that go on
        self._released = threading.Event()
        methods = ["GET", "POST", "PUT", "DELETE", "CONNECT"]
        routes = [
            Route("/slow", self._slow, methods=methods),
            Route("/large", self._large),
            Route("/stream", self._stream),
            Route("/streamed", self._streamed, methods=methods),
            Route("/deaf", self._deaf, methods=methods),
            Route("/{path:path}", self._hello, methods=methods),
        ]
        super().__init__(
            Starlette(routes=routes),
            http=bounded(bounds or Bounds()),
            timeout_keep_alive=idle,  # part of a second, too
            timeout_graceful_shutdown=1,
        )

    def __exit__(self, *_: object) -> None:
        self._released.set()
        super().__exit__()

    def connect(self, receive_buffer: int | None = None) -> Client:
        return Client(self.port, receive_buffer)

    def await_slow(self, number: int) -> None:
        """Return when so many requests wait at /slow."""
        wait_for(lambda: self.slow >= number)

    def release(self) -> None:
        self._released.set()

    def connections(self) -> list[Connection]:
        return [each for each in list(self._server.server_state.connections) if isinstance(each, Connection)]

    async def _hello(self, request: Request) -> Response:
        self.paths.append(request.url.path)
        body = await request.body()
        self.bodies.append(body)
        self.heads.append(list(request.scope["headers"]))
        return JSONResponse({"path": request.url.path, "body": len(body)})

    async def _streamed(self, request: Request) -> Response:
        request.state.streams = True
        return await self._hello(request)

    async def _deaf(self, _request: Request) -> Response:
        return Response("no", 401)

    async def _slow(self, _request: Request) -> Response:
        self.slow += 1
        await asyncio.to_thread(self._released.wait)
        return Response("at last")

    async def _stream(self, request: Request) -> Response:
        async def rest() -> AsyncIterator[str]:
            yield "begun"
            request.state.resting = True
            self.resting += 1
            try:
                await asyncio.Future()
            finally:
                self.resting -= 1

        return StreamingResponse(rest())

    async def _large(self, _request: Request) -> Response:
        self.larges += 1
        return Response(b"x" * LARGE)


def chunks(*parts: bytes) -> Iterator[bytes]:
    """A chunked body."""
    for part in parts:
        yield b"%x\r\n%b\r\n" % (len(part), part)
    yield b"0\r\n\r\n"
