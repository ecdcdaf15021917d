"""Header fields that may come only once: of two, one part could read the first and another the last (RFC 9110, 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from api.problems import problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# Not Authorization and PlatformAccessToken: `api.auth` answers as the contract says.
ONCE = frozenset(
    {
        b"altinn-alternativesubject",
        b"content-encoding",
        b"content-type",
        b"idempotency-key",
        b"origin",
        b"person",
        b"sec-fetch-site",
        b"traceparent",
    }
)
ATTRIBUTE = b"ce-"  # of an event in binary mode


class SingleHeaders:
    """Middleware that answers 400 where one of these came twice."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (name := _repeated(scope["headers"])):
            errors = {name: ["The header came more than once."]}
            await problem(Request(scope), 400, field_errors=errors)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _repeated(headers: list[tuple[bytes, bytes]]) -> str | None:
    names = [name for name, _ in headers if name in ONCE or name.startswith(ATTRIBUTE)]
    if len(set(names)) == len(names):
        return None
    return max(names, key=names.count).decode("latin-1")
