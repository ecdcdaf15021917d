"""Credentials of a request → Caller, and the two questions that a route asks about a Caller (contract 1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Forbidden, Unauthenticated
from engine.models import Caller

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.tokens import Verifier

SCOPES_CREATE = frozenset({"altinn:notifications.create", "altinn:serviceowner/notifications.create"})
COOKIE = "AltinnStudioRuntime"  # holds a bearer token; looked at when there is no Authorization header


def authenticate(request: Request, verifier: Verifier) -> Caller:
    """Who sent a request: scopes from the bearer token, the creator's name from the PlatformAccessToken, if it came.

    Unauthenticated when there is no credential, and when any one does not verify: with a bad platform token beside a
    good bearer, an order would silently go to another creator than its sender meant.
    """
    authorization = _only(request, b"authorization")
    platform_token = _only(request, b"platformaccesstoken")
    bearer_token = request.cookies.get(COOKIE) if authorization is None else _bearer(authorization)
    bearer = None if bearer_token is None else verifier.bearer(bearer_token)
    if platform_token is not None:
        caller = verifier.platform(platform_token)
        return Caller(caller.creator, bearer.scopes, platform=True) if bearer else caller
    if bearer is None:
        msg = "no Authorization: Bearer and no PlatformAccessToken header"
        raise Unauthenticated(msg)
    return bearer


def require_create(caller: Caller) -> None:
    """Forbidden unless the caller may place and read orders."""
    if not caller.platform and SCOPES_CREATE.isdisjoint(caller.scopes):
        msg = f"needs one of the scopes {', '.join(sorted(SCOPES_CREATE))}"
        raise Forbidden(msg)


def require_creator(caller: Caller) -> str:
    """The creator's name; Forbidden when the credential names none. To be asked after the body was validated."""
    if caller.creator is None:
        msg = "the token names no organisation (urn:altinn:org)"
        raise Forbidden(msg)
    return caller.creator


def _only(request: Request, name: bytes) -> str | None:
    """A header's value; None: not there. Unauthenticated when it came twice, for then somebody reads the other one."""
    values = [value for key, value in request.scope["headers"] if key == name]
    if len(values) > 1:
        msg = f"the header {name.decode()} came twice"
        raise Unauthenticated(msg)
    return values[0].decode("latin-1") if values else None


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        msg = "the Authorization header's scheme is not Bearer"
        raise Unauthenticated(msg)
    return token.strip()
