"""Credentials of a request → Caller, and what a route asks about a Caller (contract 1.1, events contract 1.5)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from api.origins import require_same_origin
from engine.auth.api_keys.secrets import PREFIX
from engine.auth.tokens.verifier import ORG_CLAIM
from engine.errors import Forbidden, InvalidToken, Unauthenticated
from engine.models import Caller
from engine.resources import SCOPE_CREATE, SCOPE_PUBLISH_ANY, SCOPES_CREATE

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.auth.api_keys.keyring import Keyring
    from engine.auth.tokens import Verifier

log = logging.getLogger(__name__)

# These hold a bearer token. The first one counts, if there is no Authorization header (events contract 8.1).
COOKIES = (".ALTINNTOKEN", "AltinnStudioRuntime")


async def authenticate(request: Request, verifier: Verifier) -> Caller:
    """Who sent a request: scopes from the bearer token, the creator's name from the PlatformAccessToken, if it came.

    An API key says both.

    Unauthenticated when there is no credential, or when one does not verify: with a bad platform token beside a
    good bearer, an order would silently go to another creator than its sender meant.
    """
    platform_token = _only(request, b"platformaccesstoken")
    bearer = await _bearer_caller(request, verifier)
    if platform_token is not None and bearer and bearer.by_key:
        msg = "an API key has its creator: no PlatformAccessToken may name another one beside it"
        raise Unauthenticated(msg)
    if platform_token is not None:
        caller = _platform_caller(platform_token, verifier)
        return Caller(caller.creator, bearer.scopes, platform=True) if bearer else caller
    if bearer is None:
        msg = "no Authorization: Bearer and no PlatformAccessToken header"
        raise Unauthenticated(msg)
    return bearer


async def authenticate_bearer(request: Request, verifier: Verifier) -> Caller:
    """Who sent a bearer token; Unauthenticated without a good one. A platform token is no credential here."""
    caller = await _bearer_caller(request, verifier)
    if caller is None:
        msg = "no Authorization: Bearer header"
        raise Unauthenticated(msg)
    return caller


def require_platform(request: Request, verifier: Verifier, scope: str = "") -> Caller:
    """Who sent a PlatformAccessToken; Forbidden unless exactly one came and verifies.

    `scope`: with which a bearer token would need none.
    """
    try:
        token = _only(request, b"platformaccesstoken")
        if token is not None:
            return _platform_caller(token, verifier)
    except Unauthenticated as error:
        raise Forbidden(str(error)) from None
    msg = f"needs the scope {scope}, or a PlatformAccessToken" if scope else "no PlatformAccessToken header"
    raise Forbidden(msg, scope)


def require_scope(caller: Caller, scope: str) -> None:
    """Forbidden unless the bearer token has this scope."""
    if scope not in caller.scopes:
        msg = f"needs the scope {scope}"
        raise Forbidden(msg, scope)


def publishes_anything(caller: Caller) -> bool:
    """Whether the bearer token has the scope to publish on every resource, in whatever case (events contract 8.1)."""
    return SCOPE_PUBLISH_ANY in {scope.lower() for scope in caller.scopes}


def require_create(caller: Caller) -> None:
    """Forbidden unless the caller may place and read orders."""
    if not caller.platform and SCOPES_CREATE.isdisjoint(caller.scopes):
        msg = f"needs one of the scopes {', '.join(sorted(SCOPES_CREATE))}"
        raise Forbidden(msg, SCOPE_CREATE)


def require_creator(caller: Caller) -> str:
    """The creator's name; Forbidden when the credential names none. Call it after the body was validated."""
    if caller.creator is None:
        msg = f"the token names no organisation ({ORG_CLAIM})"
        raise Forbidden(msg)
    return caller.creator


def _only(request: Request, name: bytes) -> str | None:
    """A header's value; None: it is absent. Unauthenticated when it came twice: others might read the other one."""
    values = [value for key, value in request.scope["headers"] if key == name]
    if len(values) > 1:
        msg = f"the header {name.decode()} came twice"
        raise Unauthenticated(msg)
    return values[0].decode("latin-1") if values else None


async def _bearer_caller(request: Request, verifier: Verifier) -> Caller | None:
    authorization = _only(request, b"authorization")
    if authorization is not None:
        token = _bearer(authorization)
        return await (_key_caller(request, token) if token.startswith(PREFIX) else _token_caller(token, verifier))
    cookie = next((name for name in COOKIES if name in request.cookies), None)
    if cookie is None:
        return None
    caller = await _token_caller(request.cookies[cookie], verifier)
    if "platformaccesstoken" not in request.headers:  # no page of another origin can send this header
        require_same_origin(request, cookie)
    return caller


async def _key_caller(request: Request, key: str) -> Caller:
    """Whose API key it is; InvalidToken."""
    keyring: Keyring = request.app.state.keyring
    try:
        return await keyring.caller(key)
    except Unauthenticated as error:
        log.warning("an API key was refused: %s", error)
        raise


async def _token_caller(token: str, verifier: Verifier) -> Caller:
    """Whose bearer token it is; InvalidToken, and the log says why: a wrong setting may lock everybody out."""
    try:
        return await verifier.bearer(token)
    except Unauthenticated as error:
        log.warning("a bearer token was refused: %s", error)
        raise InvalidToken(str(error)) from None


def _platform_caller(token: str, verifier: Verifier) -> Caller:
    """Whose platform token it is; Unauthenticated, and the log says why."""
    try:
        return verifier.platform(token)
    except Unauthenticated as error:
        log.warning("a platform token was refused: %s", error)
        raise


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        msg = "the Authorization header's scheme is not Bearer"
        raise Unauthenticated(msg)
    return token.strip()
