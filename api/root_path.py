"""An installation below a path, as at https://host/varsel: the path of VARSEL_BASE_URL, and no header, says so.

Inside, all paths are as they are without it. It is taken off where requests come in, and put before what leads back in:
the Location of answers, the links of pages, and the paths of cookies.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jinja2.ext import Extension
from starlette.datastructures import MutableHeaders

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from engine.settings import Settings

_LINK = re.compile(r'(?<=[\s}])((?:href|action|formaction|src)=")(?=/|\{\{)')  # to a path, or a value, which is a path


def of(config: Settings) -> str:
    """The path below which everything is; empty: there is none."""
    return urlsplit(config.base_url).path


def check(root: str, routes: Iterable[BaseRoute]) -> None:
    """Misconfigured when one cannot tell whether a proxy has taken the path off, since routes begin like it."""
    first = root.lower().split("/")[:2]
    if root and first in (str(getattr(route, "path", "")).split("/")[:2] for route in routes):
        raise Misconfigured(f"VARSEL_BASE_URL: the path cannot begin with /{first[1]}, which is one of Varsel's own")


class RootPath:
    """Middleware that takes the path off those of requests, unless a proxy has done so, and puts it before Location."""

    def __init__(self, app: ASGIApp, root: str) -> None:
        self._app = app
        self._root = root
        self._asked = root.lower()  # as CanonicalPaths hands it on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def lead(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("location", "").startswith("/"):
                    headers["location"] = self._root + headers["location"]
            await send(message)

        path: str = scope["path"]
        if f"{path}/".startswith(f"{self._asked}/"):
            scope["path"] = path[len(self._asked) :] or "/"
        await self._app(scope, receive, lead)


class Links(Extension):
    """Puts the value `root_path` before each link of a template that is a path, or a value."""

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        """As Jinja calls it, before a template is compiled."""
        del name, filename
        return _LINK.sub(r"\1{{ root_path }}", source)
