"""Traces requests: each is a step of its caller's trace, or the first of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.observability import tracing

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNTRACED = frozenset({"/livez", "/readyz", "/health", "/metrics"})  # machines ask every few seconds
SERVER_ERRORS = 500  # and above


class TraceRequests:
    """Middleware; `scope["trace"]` is the traceparent that error answers name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        method = scope["method"]
        with tracing.first_span(method, headers, "server", method=method) as span:
            scope["trace"] = span.traceparent

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = getattr(scope.get("route"), "path", None)
                    span.set(route=route, status=message["status"])
                    if message["status"] >= SERVER_ERRORS:
                        span.failed(str(message["status"]))
                await send(message)

            await self._app(scope, receive, noted)
