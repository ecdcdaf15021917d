"""Handlers as ASGI applications, which is what a route calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send


class Endpoint:
    """A handler, and the `part` of the API under which its answers are counted.

    Starlette would put a second handling of errors around each, and every message would go through it.
    """

    def __init__(self, handler: Callable[[Request], Awaitable[Response]], part: str) -> None:
        self.part = part
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._handler(Request(scope, receive, send))
        await response(scope, receive, send)
