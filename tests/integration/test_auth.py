"""Credentials as requests carry them, through a real Starlette application."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from api.auth import authenticate, require_create, require_creator
from engine.auth.tokens import DevelopmentKey, Verifier
from engine.errors import CrossOrigin, Forbidden, Unauthenticated
from engine.models import Caller
from engine.resources import SCOPES_CREATE
from engine.settings import Settings
from tests.helpers.log import logging_as

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

HOUR = timedelta(hours=1)
CREATE = "altinn:serviceowner/notifications.create"


@pytest.fixture
def key(tmp_path: Path) -> DevelopmentKey:
    return DevelopmentKey(tmp_path)


def ask(
    key: DevelopmentKey, *headers: tuple[str, str | bytes], method: str = "GET", audiences: tuple[str, ...] = ()
) -> tuple[int, str | None, list[str], bool]:
    """Status and what the application saw: creator, scopes, platform."""
    verifier = Verifier(Settings(jwks=(str(key.jwks),), platform_keys=key.platform, audiences=audiences))

    async def who(request: Request) -> JSONResponse:
        try:
            caller = await authenticate(request, verifier)
        except Unauthenticated as error:
            return JSONResponse([str(error), [], False], status_code=401)
        except CrossOrigin as error:
            return JSONResponse([str(error), [], False], status_code=403)
        return JSONResponse([caller.creator, sorted(caller.scopes), caller.platform])

    async def run() -> httpx.Response:
        app = Starlette(routes=[Route("/", who, methods=["GET", "POST", "PUT", "DELETE"])])
        app.state.settings = Settings(base_url="https://notify.example.org:443")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://varsel") as client:
            return await client.request(
                method,
                "/",
                headers=[
                    (name.encode(), value.encode() if isinstance(value, str) else value) for name, value in headers
                ],
            )

    response = asyncio.run(run())
    creator, scopes, platform = response.json()
    return response.status_code, creator, scopes, platform


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_a_bearer_token_names_creator_and_scopes(key: DevelopmentKey, scheme: str) -> None:
    token = key.bearer("ttd", CREATE, HOUR)

    assert ask(key, ("Authorization", f"{scheme} {token}")) == (200, "ttd", [CREATE], False)


@pytest.mark.parametrize("name", [".ALTINNTOKEN", "AltinnStudioRuntime"])
def test_a_cookie_holds_a_bearer_token(key: DevelopmentKey, name: str) -> None:
    token = key.bearer("ttd", CREATE, HOUR)

    assert ask(key, ("Cookie", f"theme=dark; {name}={token}")) == (200, "ttd", [CREATE], False)


def test_of_two_cookies_the_contracts_first_counts(key: DevelopmentKey) -> None:
    altinn, studio = key.bearer("ttd", CREATE, HOUR), key.bearer("skd", CREATE, HOUR)

    seen = ask(key, ("Cookie", f"AltinnStudioRuntime={studio}; .ALTINNTOKEN={altinn}"))
    assert seen == (200, "ttd", [CREATE], False)


def test_the_header_goes_before_the_cookie(key: DevelopmentKey) -> None:
    header, cookie = key.bearer("ttd", CREATE, HOUR), key.bearer("skd", CREATE, HOUR)

    seen = ask(key, ("Authorization", f"Bearer {header}"), ("Cookie", f"AltinnStudioRuntime={cookie}"))
    assert seen == (200, "ttd", [CREATE], False)


def test_a_platform_token_alone_is_enough(key: DevelopmentKey) -> None:
    token = key.platform_token("ttd", "apps-test", HOUR)

    assert ask(key, ("PlatformAccessToken", token)) == (200, "ttd", [], True)


def test_the_platform_token_names_the_creator_and_the_bearer_the_scopes(key: DevelopmentKey) -> None:
    platform, bearer = key.platform_token("ttd", "apps-test", HOUR), key.bearer("skd", CREATE, HOUR)

    seen = ask(key, ("Authorization", f"Bearer {bearer}"), ("PlatformAccessToken", platform))
    assert seen == (200, "ttd", [CREATE], True)


def test_a_bad_platform_token_beside_a_good_bearer_is_refused(key: DevelopmentKey) -> None:
    good = ("Authorization", f"Bearer {key.bearer('ttd', CREATE, HOUR)}")

    for bad in ("", "junk", key.platform_token("ttd", "apps-test", -HOUR), key.bearer("ttd", CREATE, HOUR)):
        assert ask(key, good, ("PlatformAccessToken", bad))[0] == 401


def test_a_bad_bearer_beside_a_good_platform_token_is_refused(key: DevelopmentKey) -> None:
    good = ("PlatformAccessToken", key.platform_token("ttd", "apps-test", HOUR))

    for bad in ("", "Bearer", "Bearer junk", "Basic dTpw", f"Bearer {key.bearer('ttd', CREATE, -HOUR)}"):
        assert ask(key, good, ("Authorization", bad))[0] == 401
    assert ask(key, good, ("Cookie", "AltinnStudioRuntime=junk"))[0] == 401


def test_a_request_without_credentials_is_refused(key: DevelopmentKey) -> None:
    assert ask(key)[:2] == (401, "no Authorization: Bearer and no PlatformAccessToken header")
    assert ask(key, ("Cookie", "theme=dark"))[0] == 401
    assert ask(key, ("X-API-Key", "secret"))[0] == 401


def test_a_credential_that_comes_twice_is_refused(key: DevelopmentKey) -> None:
    bearer = ("Authorization", f"Bearer {key.bearer('ttd', CREATE, HOUR)}")
    platform = ("PlatformAccessToken", key.platform_token("ttd", "apps-test", HOUR))

    assert ask(key, bearer, bearer)[:2] == (401, "the header authorization came twice")
    assert ask(key, platform, platform)[:2] == (401, "the header platformaccesstoken came twice")


def test_a_header_of_any_bytes_is_refused(key: DevelopmentKey) -> None:
    assert ask(key, ("Authorization", b"Bearer \xe6\xf8\xe5.\xff.\x80"))[0] == 401


HERE, SITE = "https://notify.example.org", "Sec-Fetch-Site"


@pytest.mark.parametrize(
    ("said", "reads", "changes"),
    [
        ([], 200, 403),
        ([(SITE, "same-origin")], 200, 200),
        ([(SITE, "none")], 200, 200),
        ([(SITE, "none"), ("Origin", HERE)], 200, 200),
        ([(SITE, "none"), ("Origin", "https://evil.example")], 403, 403),
        ([(SITE, "same-site")], 403, 403),
        ([(SITE, "cross-site")], 403, 403),
        ([(SITE, "")], 403, 403),
        ([(SITE, "Same-Origin")], 403, 403),
        ([(SITE, "cross-site"), ("Origin", HERE)], 403, 403),
        ([("Origin", HERE)], 200, 200),
        ([("Origin", "null")], 403, 403),
        ([("Origin", "")], 403, 403),
        ([("Origin", "http://notify.example.org")], 403, 403),
        ([("Origin", "https://notify.example.org:8443")], 403, 403),
        ([("Origin", "https://notify.example.org.evil.example")], 403, 403),
        ([("Origin", "https://evil.example/notify.example.org")], 403, 403),
        ([("Origin", "https://other.example.org")], 403, 403),
        ([("Referer", f"{HERE}/console")], 200, 403),
    ],
)
def test_a_cookie_authenticates_only_what_pages_of_ours_send(
    key: DevelopmentKey, said: list[tuple[str, str]], reads: int, changes: int
) -> None:
    cookie = ("Cookie", f"AltinnStudioRuntime={key.bearer('ttd', CREATE, HOUR)}")

    assert ask(key, cookie, *said)[0] == reads
    for method in ("POST", "PUT", "DELETE"):
        status, text, *_ = ask(key, cookie, *said, method=method)
        assert status == changes
        if status == 403:
            assert text
            assert "Authorization: Bearer" in text
            assert HERE in text


def test_a_header_that_no_other_site_can_send_is_a_proof_of_its_own(key: DevelopmentKey) -> None:
    bearer, platform = key.bearer("ttd", CREATE, HOUR), key.platform_token("ttd", "apps-test", HOUR)
    strange = (SITE, "cross-site")

    assert ask(key, ("Authorization", f"Bearer {bearer}"), strange, method="POST")[0] == 200
    cookie = ("Cookie", f"AltinnStudioRuntime={bearer}")
    assert ask(key, cookie, ("PlatformAccessToken", platform), method="POST")[0] == 200
    assert ask(key, ("Cookie", "AltinnStudioRuntime=junk"), strange, method="POST")[0] == 401


@pytest.mark.parametrize("scope", sorted(SCOPES_CREATE))
def test_either_scope_lets_an_organisation_create(scope: str) -> None:
    require_create(Caller("ttd", frozenset({"openid", scope}), platform=False))


def test_a_platform_token_lets_its_issuer_create() -> None:
    require_create(Caller("ttd", frozenset(), platform=True))


@pytest.mark.parametrize("scopes", [set(), {"altinn:notifications"}, {"altinn:notifications.create.x"}, {CREATE[:-1]}])
def test_other_scopes_do_not(scopes: set[str]) -> None:
    with pytest.raises(Forbidden, match="scopes"):
        require_create(Caller("ttd", frozenset(scopes), platform=False))


def test_a_creator_is_needed_by_name() -> None:
    assert require_creator(Caller("ttd", frozenset(), platform=False)) == "ttd"
    with pytest.raises(Forbidden, match="organisation"):
        require_creator(Caller(None, frozenset({CREATE}), platform=False))


def test_why_tokens_are_refused_is_a_line_for_each_reason_without_what_they_say(
    key: DevelopmentKey, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    of_others = DevelopmentKey(tmp_path / "others", audiences=("urn:other",))
    with logging_as("text"):
        for org in ("ttd", "skd", "nav"):
            for_others = DevelopmentKey(tmp_path, audiences=("urn:other",)).bearer(org, CREATE, HOUR)
            assert ask(key, ("Authorization", f"Bearer {for_others}"), audiences=("urn:varsel",))[0] == 401
            assert (
                ask(key, ("Cookie", f".ALTINNTOKEN={key.bearer(org, CREATE, HOUR)}"), audiences=("urn:varsel",))[0]
                == 401
            )
            assert ask(key, ("Authorization", f"Bearer {of_others.bearer(org, CREATE, HOUR)}"))[0] == 401
            key.platform_token(org, "app", HOUR)
            foreign = of_others.platform_token(org, "app", HOUR)
            assert ask(key, ("PlatformAccessToken", foreign))[0] == 401
            assert ask(key)[0] == 401
        lines = capsys.readouterr().err.splitlines()

    assert sorted(line.partition(" api.auth ")[2] for line in lines) == [
        "a bearer token was refused: the token is for another audience than those of VARSEL_AUDIENCES",
        "a bearer token was refused: the token lacks a needed claim: aud",
        "a bearer token was refused: the token was signed by no known key",
        "a platform token was refused: the token was signed by no known key",
    ]
