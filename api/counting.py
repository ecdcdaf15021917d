"""Counts answers by status class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine import metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_CLASSES = {digit: metrics.REQUESTS.labels(f"{digit}xx") for digit in range(1, 6)}


class CountAnswers:
    """Middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                _CLASSES[message["status"] // 100].inc()
            await send(message)

        await self._app(scope, receive, counted)
