"""The browsers in which somebody has signed in with a password: each keeps a signed cookie that says so.

It lets nobody in; it only tells the sign-in that this is no stranger (OWASP: device cookies): see
engine/auth/attempts.py.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING

from itsdangerous import BadData, URLSafeTimedSerializer

from api.console import cookies
from engine.auth.attempts import KNOWN

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.settings import Settings

COOKIE = "varsel_browser"
PATH = "/console/sign-in"


def known(request: Request, name: str) -> str | None:
    """Which browser it is, of those in which this name has signed in; None: none of them."""
    try:
        kept = _signer(request.app.state.settings).loads(
            request.cookies.get(COOKIE, ""), max_age=int(KNOWN.total_seconds())
        )
    except BadData:
        return None
    return str(kept["browser"]) if kept["name"] == name else None


def remember(request: Request, response: Response, name: str) -> None:
    """Let the browser keep that this name has signed in."""
    config: Settings = request.app.state.settings
    value = _signer(config).dumps({"name": name, "browser": secrets.token_urlsafe(16)})
    cookies.keep(request, response, COOKIE, str(value), KNOWN, path=PATH, samesite="strict")


def _signer(config: Settings) -> URLSafeTimedSerializer:
    key = hmac.new(config.need("webhook_key").encode(), b"console browser", sha256).digest()
    return URLSafeTimedSerializer(key, salt=COOKIE, signer_kwargs={"digest_method": sha256})
