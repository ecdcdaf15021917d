"""Counts answers by status class and part of the API, and how long each took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from engine import metrics

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PARTS = {  # of the API: the module whose handler answers, and what /metrics calls it
    "api.orders": "orders",
    "api.events": "events",
    "api.event_queries": "events",
    "api.subscriptions": "subscriptions",
    "api.deliveries": "subscriptions",
    "api.console": "console",  # with all below it
}
OTHER = "other"
_NAMES = {*PARTS.values(), OTHER}
_STATUSES = {part: [metrics.REQUESTS.labels(part, f"{digit}xx") for digit in range(1, 6)] for part in _NAMES}
_SECONDS = {part: metrics.REQUEST_SECONDS.labels(part) for part in _NAMES}


class CountAnswers:
    """Middleware around everything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answered = False

        def count(status: int) -> None:
            part = _part(scope.get("endpoint"))
            _STATUSES[part][status // 100 - 1].inc()
            _SECONDS[part].observe(time.perf_counter() - began)

        async def counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                count(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            if not answered:  # it will be, further out
                count(500)
            raise


def _part(endpoint: Any) -> str:
    """Which part of the API a handler is of."""
    module: str = getattr(endpoint, "__module__", "")
    return PARTS.get(module) or PARTS.get(module.rpartition(".")[0], OTHER)
