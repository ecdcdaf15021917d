"""How operators come in and go: by name and password, or through their organisation's OpenID provider."""

from __future__ import annotations

import ipaddress
import logging
import math
import re
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio.to_thread
import httpx
from authlib.common.errors import AuthlibBaseError
from authlib.deprecate import AuthlibDeprecationWarning
from joserfc.errors import JoseError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Route

from api.console import browsers
from api.console.pages import render
from api.console.sessions import (
    PATH,
    Entrance,
    NotAllowed,
    SignInNeeded,
    Turns,
    begin,
    check_csrf,
    current,
    end,
    found,
    require_sign_in,
    role_of,
    share,
)
from api.proxies import UNKNOWN, client_address
from engine.auth.attempts import Attempts
from engine.auth.console_mode import Mode, mode
from engine.auth.operators import NAME, Operators
from engine.errors import Unavailable
from engine.observability import audit
from engine.runtime.authorities import with_file
from engine.settings import naming
from engine.text.language import N_, _, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.datastructures import State
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.settings import Settings

SIGN_IN = f"{PATH}/sign-in"
CALLBACK = f"{PATH}/oidc/callback"
PROVIDER_SECONDS = 10.0  # that the OpenID provider has for each answer
QUEUE = 8  # passwords that wait to be checked, per process
COME_AGAIN = timedelta(seconds=5)  # when more would wait

_NEXT = re.compile(r"/console([/?][!-\[\]-~]*)?")  # visible ASCII, but no backslash
_OIDC_NAME = re.compile(r"[A-Za-z0-9._@+|=-]{1,128}")

log = logging.getLogger(__name__)


def prepare(state: State, config: Settings) -> None:
    """Put what sign-in stands on into the app's state, which has `redis` already; Misconfigured when it cannot work."""
    state.sign_in_needed = mode(config) is not Mode.OPEN
    state.entrance = Entrance(
        mode(config),
        _operators(config.operators_file) if config.operators_file else None,
        _provider(config) if config.oidc_issuer else None,
        Attempts(state.redis),
        Turns(QUEUE),
        Turns(QUEUE),
    )


async def show(request: Request) -> Response:
    """The page with the form; where no sign-in is needed, the console itself."""
    goal = _local(request.query_params.get("next"))
    operator = await current(request)
    if request.app.state.entrance.mode is Mode.OPEN and operator:
        return RedirectResponse(goal, 303)
    require_sign_in(request)
    return _page(request, goal)


async def enter(request: Request) -> Response:
    """Let in whoever has a name and its password; each failure counts, for the name and for the address."""
    require_sign_in(request)
    form = await check_csrf(request)
    goal = _local(form.get("next"))
    entrance: Entrance = request.app.state.entrance
    if entrance.operators is None:
        raise NotAllowed(_("Nobody has a password here: sign in through the OpenID provider."))
    given, password = str(form.get("name", "")).strip().lower(), str(form.get("password", ""))
    name = given if NAME.fullmatch(given) else ""  # nobody's: a refusal like any other
    browser, attempts = browsers.known(request, name), entrance.attempts
    comer = await anyio.to_thread.run_sync(attempts.comer, name, _network(request), browser)
    with (entrance.hashing if comer.known else entrance.strangers_hashing).turn() as limiter:
        if limiter is None:
            return _wait(request, goal, COME_AGAIN, _("Too many try to sign in at this moment."))
        attempt = await anyio.to_thread.run_sync(attempts.begin, comer.keys)
        if attempt.wait:
            return _wait(request, goal, attempt.wait, _("Too many tries have failed."))
        operator = await anyio.to_thread.run_sync(entrance.operators.verify, name, password, limiter=limiter)
    if operator is None:
        if attempt.last_free:
            known = entrance.operators.find(name)
            await _note(request, known.name if known else "unknown", "sign-in-refused", source="file")
        return _page(request, goal, _("This name and this password do not belong together."), 403)
    await _note(request, operator.name, "sign-in", source="file")
    await anyio.to_thread.run_sync(attempts.succeeded, comer)
    await begin(request, operator.name, mark=operator.mark)
    answer = RedirectResponse(goal, 303)
    browsers.remember(request, answer, operator.name)
    return answer


async def leave(request: Request) -> Response:
    """Sign out."""
    await check_csrf(request)
    await end(request)
    return RedirectResponse(SIGN_IN, 303)


async def start(request: Request) -> Response:
    """Send the browser to the OpenID provider."""
    provider = _needed_provider(request)
    request.session["next"] = _local(request.query_params.get("next"))
    try:
        answer: Response = await provider.authorize_redirect(request, request.app.state.settings.base_url + CALLBACK)
    except (httpx.HTTPError, ValueError, RuntimeError) as error:
        raise _no_answer(error) from None
    return answer


async def callback(request: Request) -> Response:
    """Let in whom the OpenID provider names, with the highest role that its claim gives (OpenID Connect Core, 3.1.3.7).

    authlib checks the state, the nonce, the code's verifier (PKCE), the signature, issuer, audience and times.
    """
    provider, config = _needed_provider(request), request.app.state.settings
    expected = {
        "iss": {"essential": True, "value": config.oidc_issuer},
        "aud": {"essential": True, "value": config.oidc_client_id},
    }
    try:
        claims = (await provider.authorize_access_token(request, claims_options=expected)).get("userinfo")
    except (AuthlibBaseError, JoseError) as error:
        log.info("a sign-in through the OpenID provider was refused: %s", type(error).__name__)
        claims = None
    except (httpx.HTTPError, ValueError, RuntimeError) as error:
        raise _no_answer(error) from None
    if not claims:
        place = config.base_url + SIGN_IN  # at another of this server's names, the browser does not send the cookie
        text = N_("The OpenID provider's answer does not let you in. Begin again at %(place)s.")
        raise NotAllowed(_(text, place=place))
    name, said = _name(claims), claims.get(config.oidc_role_claim)
    values = [value for value in (said if isinstance(said, list) else [said]) if role_of(value, config)]
    role = role_of(values, config)
    if role is None:
        await _note(request, name, "sign-in-refused", source="oidc", reason="no role")
        text = N_("%(name)s has no role here: VARSEL_OIDC_ROLES gives none to your %(claim)s.")
        raise NotAllowed(_(text, name=name, claim=config.oidc_role_claim))
    await _note(request, name, "sign-in", source="oidc", role=role)
    goal = _local(request.session.get("next"))
    await begin(request, name, issuer=str(config.oidc_issuer), values=values)
    return RedirectResponse(goal, 303)


async def to_sign_in(_request: Request, error: Exception) -> Response:
    """Answer SignInNeeded with the way to the form."""
    assert isinstance(error, SignInNeeded)  # noqa: S101 registered for nothing else
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': error.next})}", 303)


async def tell(request: Request, error: Exception) -> Response:
    """Answer NotAllowed with a page that says why; with a way back, unless the console would say the same."""
    back = found(request) is not None or request.app.state.entrance.mode is Mode.SIGN_IN
    return render(request, "sign_in.html", 403, title=_("Not allowed"), problem=str(error), form=None, back=back)


ROUTES = [
    Route(SIGN_IN, show),
    Route(SIGN_IN, enter, methods=["POST"]),
    Route(f"{PATH}/sign-out", leave, methods=["POST"]),
    Route(f"{PATH}/oidc/start", start),
    Route(CALLBACK, callback),
]
ERRORS = {SignInNeeded: to_sign_in, NotAllowed: tell}


def _page(request: Request, goal: str, problem: str | None = None, status: int = 200) -> Response:
    entrance: Entrance = request.app.state.entrance
    form = {"next": goal, "password": entrance.operators is not None, "oidc": entrance.provider is not None}
    return render(request, "sign_in.html", status, title=_("Sign in"), problem=problem, form=form, back=False)


def _wait(request: Request, goal: str, wait: timedelta, why: str) -> Response:
    seconds = math.ceil(wait.total_seconds())
    wait_so_long = ngettext("Wait %(num)s second, then try again.", "Wait %(num)s seconds, then try again.", seconds)
    answer = _page(request, goal, f"{why} {wait_so_long}", 429)
    answer.headers["Retry-After"] = str(seconds)
    return answer


async def _note(request: Request, who: str, action: str, **detail: str) -> None:
    detail["from"] = client_address(request)
    refused = action == "sign-in-refused"  # however many addresses a stranger has, one line a minute is enough
    party = share("" if refused else who)
    await request.app.state.writers.write(party, audit.note, who, action, "console", detail, any_detail=refused)


def _network(request: Request) -> str:
    """Whose failures count together: one IPv4 address, or what one subscriber has of IPv6 (RFC 6177)."""
    try:
        address = ipaddress.ip_address(client_address(request))
    except ValueError:
        return UNKNOWN
    return str(ipaddress.ip_network((address, 64), strict=False) if address.version == 6 else address)  # noqa: PLR2004


def _local(text: object) -> str:
    """Where to go after sign-in: a page of the console, and nothing that a browser takes for another site."""
    return text if isinstance(text, str) and _NEXT.fullmatch(text) and "//" not in text else PATH


def _name(claims: Mapping[str, Any]) -> str:
    """What to call somebody whom the OpenID provider knows; never the name of an operator of the file."""
    for claim in ("preferred_username", "email", "sub"):
        text = claims.get(claim)
        if isinstance(text, str) and _OIDC_NAME.fullmatch(text):
            return f"oidc:{text}"
    raise NotAllowed(_("The OpenID provider says no name of yours that can be used here."))


def _needed_provider(request: Request) -> Any:
    provider = request.app.state.entrance.provider
    if provider is None:
        raise HTTPException(404)
    return provider


def _provider(config: Settings) -> Any:
    """A client of VARSEL_OIDC_ISSUER, which asks for the provider's addresses when it first needs them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)  # of httpx, which is what we have
        from authlib.integrations.starlette_client import (  # noqa: PLC0415
            OAuth,  # not imported where there is no provider: it takes a tenth of a second
        )

    issuer = str(config.oidc_issuer).rstrip("/")
    secret = config.oidc_client_secret
    return OAuth().register(
        "oidc",
        client_id=config.oidc_client_id,
        client_secret=secret.get_secret_value() if secret else None,
        server_metadata_url=f"{issuer}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid profile email",
            "code_challenge_method": "S256",
            "timeout": PROVIDER_SECONDS,
            # Once: each sign-in would read all authorities anew.
            "verify": with_file(httpx.create_ssl_context(), config.issuer_ca_file, "issuer_ca_file"),
        },
    )


def _operators(file: Path) -> Operators:
    with naming("operators_file"):
        return Operators(file)


def _no_answer(error: Exception) -> Unavailable:
    log.warning("the OpenID provider does not answer as it should: %s", type(error).__name__)
    return Unavailable("the OpenID provider")
