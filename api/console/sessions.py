"""Who uses the console: signed cookies, what a page needs, and forms that only the console's own pages send."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from anyio import CapacityLimiter
from starlette.datastructures import FormData
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from api import bodies, root_path
from engine.auth import ended_sessions
from engine.auth.console_mode import Mode
from engine.auth.operators import Operator, Role
from engine.errors import BadRequest
from engine.text.language import N_, _
from engine.text.urls import LOOPBACK_HOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

    from engine.auth.attempts import Attempts
    from engine.auth.operators import Operators
    from engine.settings import Settings

COOKIE = "varsel_console"
PATH = "/console"
LIFE = timedelta(hours=8)  # of a sign-in, however busy the operator is
OIDC_LIFE = timedelta(hours=1)  # then the provider is asked again: it does not tell who has left
MAX_FORM = 64 * 1024  # bytes
MAX_FIELDS = 50
LOCAL = Operator("local", Role.ADMIN)  # whoever uses the open console

_HERE = re.compile(rf"{LOOPBACK_HOST}(:[0-9]{{1,5}})?", re.ASCII)
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class SignInNeeded(Exception):
    """Nobody is signed in, and a page was asked for; `next` is its path, to come back to."""

    def __init__(self, next_: str) -> None:
        super().__init__(next_)
        self.next = next_


class NotAllowed(Exception):
    """The request is refused; the message tells its sender why."""


class Turns:
    """For expensive work: one at a time, and at most `queue` that wait. A password's hash takes 64 MB for 0.1 s."""

    def __init__(self, queue: int) -> None:
        self._left = queue + 1
        self._limiter = CapacityLimiter(1)

    @contextmanager
    def turn(self) -> Iterator[CapacityLimiter | None]:
        """What to wait for, in a thread; None: too many wait already."""
        if not self._left:
            yield None
            return
        self._left -= 1
        try:
            yield self._limiter
        finally:
            self._left += 1


@dataclass(frozen=True, slots=True)
class Entrance:
    """What sign-in stands on, kept as app.state.entrance."""

    mode: Mode
    operators: Operators | None
    provider: Any  # authlib's client of VARSEL_OIDC_ISSUER, or None
    attempts: Attempts
    hashing: Turns
    strangers_hashing: Turns  # apart, so that strangers do not hold up known operators


def middleware(config: Settings) -> Middleware:
    """Keeps sessions in a signed cookie that only the console's addresses get."""
    key = hmac.new(config.need("webhook_key").encode(), b"console session", sha256).hexdigest()
    return Middleware(
        SessionMiddleware,
        secret_key=key,
        session_cookie=COOKIE,
        max_age=int(LIFE.total_seconds()),
        path=root_path.of(config) + PATH,
        same_site="lax",  # "strict" would lose the session on the way back from the OpenID provider
        https_only=config.base_url.startswith("https:"),
    )


async def begin(request: Request, name: str, **proof: str | list[str]) -> None:
    """Let an operator in. The earlier session ends, since somebody else may have made it.

    `proof`: what the sign-in rests on, looked at again at each request. The `mark` of a password, which is another one
    when the password is; or the `issuer` and those `values` of its claim that give roles.
    """
    await end(request)
    request.session.update(id=secrets.token_urlsafe(), who=name, at=int(time.time()), **proof)


async def end(request: Request) -> None:
    """End the session, if there is one: copies of its cookie do not count any more."""
    if session := request.session.get("id"):
        party = share(request.session["who"])
        await request.app.state.writers.write(party, ended_sessions.end, session, 2 * LIFE)  # whatever the clocks say
    request.session.clear()


async def current(request: Request) -> Operator | None:
    """Who sent the request, with the role of this moment; None: nobody who may come in. Unavailable or Overrun."""
    operator = _signed_in(request)
    if operator and (session := request.session.get("id")):
        ended = await request.app.state.readers.read(share(operator.name), ended_sessions.has_ended, session)
        operator = None if ended else operator
    request.state.operator = operator
    return operator


def found(request: Request) -> Operator | None:
    """Whom `current` found last, for this request."""
    operator: Operator | None = getattr(request.state, "operator", None)
    return operator


def share(name: str) -> str:
    """Whose share of the readers and writers this operator uses; "": nobody's yet."""
    return f"operator {name}"


def role_of(values: object, config: Settings) -> Role | None:
    """The highest role that these values of the provider's claim give; None: none."""
    given = values if isinstance(values, list) else [values]
    granted = {role for value, _, role in (pair.rpartition("=") for pair in config.oidc_roles) if value in given}
    return next((role for role in reversed(Role) if role in granted), None)


def _signed_in(request: Request) -> Operator | None:
    """Who it is as far as the cookie, the settings and the operators' file say."""
    entrance: Entrance = request.app.state.entrance
    if entrance.mode is not Mode.SIGN_IN:
        return LOCAL if entrance.mode is Mode.OPEN and _is_here(request) else None
    session = request.session
    if "id" not in session:
        return None
    age = time.time() - session["at"]
    if "mark" in session:
        operator = entrance.operators.find(session["who"]) if entrance.operators else None
        return operator if operator and operator.mark == session["mark"] and age < LIFE.total_seconds() else None
    config: Settings = request.app.state.settings
    if session["issuer"] != config.oidc_issuer or age >= OIDC_LIFE.total_seconds():
        return None
    role = role_of(session["values"], config)
    return Operator(session["who"], role) if role else None


async def require(request: Request, role: Role) -> Operator:
    """Who sent the request; SignInNeeded or NotAllowed unless they have at least this role."""
    operator = await current(request)
    if operator is None:
        require_sign_in(request)
        if request.method not in ("GET", "HEAD"):
            raise NotAllowed(_("You are not signed in, or no longer. Sign in, and do it again."))
        query = request.url.query
        raise SignInNeeded(quote(request.url.path) + (f"?{query}" if query else ""))
    if not operator.role.allows(role):
        text = N_("This needs the role %(role)s; %(name)s is %(present)s.")
        raise NotAllowed(_(text, role=role, name=operator.name, present=operator.role))
    return operator


def require_sign_in(request: Request) -> None:
    """NotAllowed, with what to do, if nobody can sign in."""
    match request.app.state.entrance.mode:
        case Mode.OPEN:
            raise NotAllowed(
                _(
                    "Nobody can sign in here yet, so the console is open only to a browser on the same machine, at"
                    " http://localhost or http://127.0.0.1. To use it from elsewhere, set VARSEL_OPERATORS_FILE"
                    " (varsel operator add NAME) or VARSEL_OIDC_ISSUER."
                )
            )
        case Mode.CLOSED:
            raise NotAllowed(
                _(
                    "Nobody can sign in here yet: set VARSEL_OPERATORS_FILE (varsel operator add NAME)"
                    " or VARSEL_OIDC_ISSUER."
                )
            )


def csrf_token(request: Request) -> str:
    """What every form of this session carries in the field `csrf`."""
    return str(request.session.setdefault("csrf", secrets.token_urlsafe()))


async def check_csrf(request: Request) -> FormData:
    """The form of a POST; NotAllowed unless a page of this session sent it.

    HTTPException 413 or BadRequest when no page of the console could have sent it.
    """
    if not _is_same_origin(request):
        raise NotAllowed(_("This form was sent by another site."))
    form = await _form(request)
    sent, kept = form.get("csrf"), request.session.get("csrf")
    if not isinstance(sent, str) or not kept or not secrets.compare_digest(sent.encode(), kept.encode()):
        raise NotAllowed(_("This form is too old. Go back, reload the page, and send it again."))
    return form


async def _form(request: Request) -> FormData:
    if bodies.media_type(request) != "application/x-www-form-urlencoded":
        return FormData()  # nothing that a page of ours sends: there is no token in it
    async with bodies.Taken(request, "", MAX_FORM) as body:
        form = body
    try:
        fields = parse_qsl(form.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
        return FormData([*fields])
    except ValueError:
        text = N_("The form is not readable, or has more than %(count)s fields.")
        raise BadRequest(_(text, count=MAX_FIELDS)) from None


def _is_same_origin(request: Request) -> bool:
    """What browsers tell about where a form comes from (Fetch, 3.2; Fetch Metadata, 2.4), when they do.

    A proxy may have replaced the Host header: then the origin is that of VARSEL_BASE_URL.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origin = request.headers.get("origin")
    if origin is None:
        return True
    ours = (request.headers.get("host"), urlsplit(request.app.state.settings.base_url).netloc)
    return urlsplit(origin).netloc in ours


def _is_here(request: Request) -> bool:
    """Whether a browser on this machine asks by a name of this machine.

    A page from elsewhere whose name was made to resolve to this machine (DNS rebinding) asks by that name; a proxy on
    this machine speaks for others, and usually says so.
    """
    if any(name in request.headers for name in _FORWARDED) or not request.client:
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address  # of whoever listens at :: as well
    return address.is_loopback and bool(_HERE.fullmatch(request.headers.get("host", "")))
