"""Where a browser's request comes from (Fetch Metadata, 2.4; Fetch, 3.2): any page's request may carry a cookie."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import CrossOrigin

if TYPE_CHECKING:
    from starlette.requests import Request

SAFE = ("GET", "HEAD", "OPTIONS")  # methods that change nothing (RFC 9110, 9.2.1)
_USUAL_PORTS = {"http": 80, "https": 443}


def require_same_origin(request: Request, cookie: str) -> None:
    """CrossOrigin unless a page of VARSEL_BASE_URL, or no page at all, sent a request that this cookie authenticates.

    Browsers say where a request comes from; one that says nothing may only read.
    """
    ours = origin(request.app.state.settings.base_url)
    site, from_ = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        good = site == "same-origin" or (site == "none" and from_ in (None, ours))  # none: typed, or from a bookmark
    elif from_ is not None:
        good = from_ == ours
    else:
        good = request.method in SAFE
    if not good:
        raise CrossOrigin(
            f"The cookie {cookie} authenticates only what pages of {ours} send, as Sec-Fetch-Site or Origin says. "
            "From elsewhere, send the token in the header Authorization: Bearer."
        )


def origin(url: str) -> str:
    """The origin of a URL as browsers write it: scheme and host in lower case, and a port that is not the usual one."""
    parts = urlsplit(url.lower())
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, _USUAL_PORTS.get(parts.scheme)) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"
