"""Cookies that the console keeps beside the session, for its own pages alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from api import root_path
from api.console.sessions import PATH

if TYPE_CHECKING:
    from datetime import timedelta

    from starlette.requests import Request
    from starlette.responses import Response


def keep(  # noqa: PLR0913 as a cookie has
    request: Request,
    response: Response,
    name: str,
    value: str,
    lasts: timedelta,
    *,
    path: str = PATH,
    samesite: Literal["lax", "strict"] = "lax",
) -> None:
    """Let the browser keep a value."""
    its = _attributes(request, path) | {"samesite": samesite}
    response.set_cookie(name, value, max_age=int(lasts.total_seconds()), **its)


def forget(request: Request, response: Response, name: str) -> None:
    """Let the browser keep it no longer."""
    response.delete_cookie(name, **_attributes(request, PATH), samesite="lax")


def _attributes(request: Request, path: str) -> dict[str, Any]:
    config = request.app.state.settings
    secure = config.base_url.startswith("https:")
    return {"path": root_path.of(config) + path, "secure": secure, "httponly": True}
