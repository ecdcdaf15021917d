"""A small OpenID provider on a real socket: discovery, keys, authorization with PKCE, and signed ID tokens.

    with Provider(roles=["ops"]) as provider:
        ... send the browser to provider.url + "/authorize?..." ...

Whoever comes to /authorize is signed in at once, as `claims` says; tests change `claims` to spoil the next ID token.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Route

from tests.servers.threaded import Threaded

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

CLIENT, SECRET = "varsel", "the client's own secret"
KEY, STRANGE_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


class Provider(Threaded):
    """The server, in a thread of its own from `__enter__` to `__exit__`."""

    def __init__(self, **claims: Any) -> None:
        self.claims = {"sub": "248289761001", "preferred_username": "kari"} | claims  # over those of every ID token
        self.key = KEY  # which signs ID tokens
        self.asked: dict[str, str] = {}  # what the last authorization request said
        self._codes: dict[str, dict[str, str]] = {}
        routes = [
            Route("/.well-known/openid-configuration", self._discovery),
            Route("/jwks", self._jwks),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
        ]
        super().__init__(Starlette(routes=routes))
        self.url = f"http://127.0.0.1:{self.port}"

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def _jwks(self, _request: Request) -> Response:
        key = RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"kid": "one", "use": "sig", "alg": "RS256"}
        return JSONResponse({"keys": [key]})

    async def _authorize(self, request: Request) -> Response:
        self.asked = dict(request.query_params)
        code = secrets.token_urlsafe()
        self._codes[code] = self.asked
        back = urlencode({"code": code, "state": self.asked["state"]})
        return RedirectResponse(f"{self.asked['redirect_uri']}?{back}", 302)

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        credentials = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {credentials}":
            return JSONResponse({"error": "invalid_client"}, 401)
        asked = self._codes.pop(form["code"], {})
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        proven = asked.get("code_challenge_method") == "S256" and asked["code_challenge"] == challenge
        if not proven or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60, "nonce": asked["nonce"]} | self.claims
        token = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "one"})
        return JSONResponse({"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": token})
