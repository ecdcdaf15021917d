"""Pages that need no credential answer only under names of this installation."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

from api.problems import problem
from engine.settings.hosts import FOREIGN, is_own

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    Handler = Callable[[Request], Awaitable[Response]]


def own_host(handler: Handler) -> Handler:
    """A handler that answers 421 to requests for another's name (RFC 9110, 15.5.20)."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        if not is_own(request.headers.get("host", ""), request.app.state.settings):
            return problem(request, 421, FOREIGN)
        return await handler(request)

    return answer
