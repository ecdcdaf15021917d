"""Routes match in any case, with or without a final slash, doubled slashes as one (contract 1, events contract 1.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")


class CanonicalPaths:
    """Middleware that hands a path on as the routes spell it. No parameter of a path is case-sensitive."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"].lower()
            path = _SLASHES.sub("/", path) if "//" in path else path
            scope["path"] = path.rstrip("/") or "/"
        await self._app(scope, receive, send)
