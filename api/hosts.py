"""By which names pages that ask for no credential answer: a name that another's DNS makes ours (rebinding) is none."""

from __future__ import annotations

import ipaddress
from functools import wraps
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from api.problems import problem

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from engine.settings import Settings

    Handler = Callable[[Request], Awaitable[Response]]


def own_host(handler: Handler) -> Handler:
    """A handler that answers 421 to requests for another's name.

    A page whose name was made to resolve to this machine asks by that name. Addresses, and names without a dot, are
    in nobody's hands; all others must be known.
    """

    @wraps(handler)
    async def answer(request: Request) -> Response:
        host = _name(request.headers.get("host", ""))
        if not _is_nobodys(host) and host not in _known(request.app.state.settings):
            detail = (
                f"{host} is no name of this installation. Ask by VARSEL_BASE_URL, or put the name into VARSEL_HOSTS."
            )
            return problem(request, 421, detail)
        return await handler(request)

    return answer


def _name(host: str) -> str:
    """The name or address in a Host header, without the port."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.lower()


def _is_nobodys(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." not in host
    return True


def _known(settings: Settings) -> set[str | None]:
    return {urlsplit(settings.base_url).hostname, *(name.lower() for name in settings.hosts)}
