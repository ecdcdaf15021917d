"""A proxy below a path, as nginx is one with `location /varsel/`; nothing else of it leads anywhere.

proxy = Proxy("/varsel")
with Installation(folder, base_url=proxy.address) as running, proxy:  # in this order: it forks
    proxy.upstream = running.address
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.servers.threaded import Threaded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

METHODS = ["GET", "POST", "PUT", "DELETE"]
OF_A_CONNECTION = ("connection", "keep-alive", "transfer-encoding", "date")


class Proxy(Threaded):
    """The proxy, in a thread; with `strips`, it takes the path off before it passes a request on."""

    def __init__(self, path: str) -> None:
        self.upstream = ""
        self.strips = False
        self.outside: list[str] = []  # paths that were asked for, and do not lead anywhere
        self._path = path
        no_rest = httpx.Limits(max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(limits=no_rest)  # a client would keep cookies
        app = Starlette(routes=[Route("/{path:path}", self._pass_on, methods=METHODS)])
        super().__init__(app, loop="asyncio", timeout_graceful_shutdown=1)
        self.address = f"http://127.0.0.1:{self.port}{path}"

    async def _pass_on(self, request: Request) -> Response:
        raw = request.scope["raw_path"].decode()
        if not raw.startswith(f"{self._path}/"):
            self.outside.append(raw)
            return Response("outside", 404)
        path = raw.removeprefix(self._path) if self.strips else raw
        query = request.scope["query_string"].decode()
        asked = httpx.Request(
            request.method,
            f"{self.upstream}{path}" + (f"?{query}" if query else ""),
            headers=[*request.headers.raw, (b"x-forwarded-for", b"127.0.0.1")],
            content=await request.body(),
        )
        answer = await self._transport.handle_async_request(asked)

        async def body() -> AsyncIterator[bytes]:
            try:
                async for part in answer.aiter_raw():
                    yield part
            finally:
                await answer.aclose()

        passed = StreamingResponse(body(), answer.status_code)
        passed.raw_headers = [each for each in answer.headers.raw if each[0].decode().lower() not in OF_A_CONNECTION]
        return passed
