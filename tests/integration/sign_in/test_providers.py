"""Signing in to the console with OpenID Connect."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from api.root_path import RootPath
from tests.helpers.client import ask
from tests.helpers.sign_in import HOME, Browser, Site, oidc, session
from tests.servers.oidc import CLIENT, STRANGE_KEY, Provider

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import redis

    from engine.db.store import Store

pytestmark = pytest.mark.slow


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(roles=["everyone", "varsel-ops", "other"]) as provider:
        yield provider


@pytest.fixture
def federated(kept: Store, client: redis.Redis, provider: Provider) -> Site:
    return Site(kept, client, oidc(provider))


def through(browser: Browser, next_: str = "/console", **changes: str) -> httpx.Response:
    """Go to the provider and come back, with changes to what it sends back."""
    sent = browser.get(f"/console/oidc/start?next={next_}")
    assert sent.status_code == 302, sent.text
    back = ask("GET", sent.headers["location"]).headers["location"]
    query = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()} | changes
    return asyncio.run(browser.client.get(urlsplit(back).path, params=query))


def test_who_signs_in_at_the_provider_is_let_in_with_the_highest_role(federated: Site, provider: Provider) -> None:
    browser = Browser(federated)
    assert "/console/oidc/start?next=/console" in browser.get("/console/sign-in").text
    answer = through(browser, "/console/emails?a=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/emails?a=b")
    assert browser.who() == "oidc:kari operator"
    assert provider.asked["redirect_uri"] == f"{HOME}/console/oidc/callback"
    assert provider.asked["code_challenge_method"] == "S256"
    assert {"state", "nonce", "code_challenge"} <= provider.asked.keys()
    assert federated.audit() == [("oidc:kari", "sign-in", {"source": "oidc", "role": "operator", "from": "127.0.0.1"})]
    assert through(browser, "//evil.example").headers["location"] == "/console"


def test_the_provider_sends_browsers_back_below_the_path(kept: Store, client: redis.Redis, provider: Provider) -> None:
    below = Site(kept, client, oidc(provider, base_url=f"{HOME}/varsel"))
    below.app.add_middleware(RootPath, root="/varsel")
    answer = through(Browser(below), "/console/emails")
    assert provider.asked["redirect_uri"] == f"{HOME}/varsel/console/oidc/callback"
    assert answer.headers["location"] == "/varsel/console/emails"


@pytest.mark.parametrize(
    ("claims", "who"),
    [
        ({"roles": "varsel-admins"}, "oidc:kari admin"),
        ({"preferred_username": "k\u00e5ri<b>", "email": "kari@example.no"}, "oidc:kari@example.no operator"),
        ({"preferred_username": None}, "oidc:248289761001 operator"),
        ({"aud": [CLIENT, "other"], "azp": CLIENT}, "oidc:kari operator"),
    ],
)
def test_name_and_role_are_what_the_id_token_says(
    federated: Site, provider: Provider, claims: dict[str, Any], who: str
) -> None:
    provider.claims |= claims
    browser = Browser(federated)
    assert through(browser).status_code == 303
    assert browser.who() == who


def test_the_role_is_in_the_claim_of_the_settings(kept: Store, client: redis.Redis, provider: Provider) -> None:
    browser = Browser(Site(kept, client, oidc(provider, oidc_role_claim="groups")))
    assert through(browser).status_code == 403
    provider.claims |= {"groups": ["varsel-admins"]}
    assert through(browser).status_code == 303
    assert browser.who() == "oidc:kari admin"


@pytest.mark.parametrize("roles", [[], None, "", "Everyone", ["varsel-admin"], [["everyone"]], {"everyone": 1}, 5])
def test_who_has_no_role_is_not_let_in_and_reads_why(federated: Site, provider: Provider, roles: object) -> None:
    provider.claims["roles"] = roles
    browser = Browser(federated)
    answer = through(browser)
    assert answer.status_code == 403
    assert "oidc:kari has no role here" in answer.text
    assert browser.who() == ""
    assert [line[:2] for line in federated.audit()] == [("oidc:kari", "sign-in-refused")]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": "another", "azp": CLIENT},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": None, "iat": "soon"},
    ],
)
def test_an_id_token_for_another_sign_in_lets_nobody_in(
    federated: Site, provider: Provider, claims: dict[str, Any]
) -> None:
    provider.claims |= claims
    browser = Browser(federated)
    answer = through(browser)
    assert answer.status_code == 403
    assert "does not let you in" in answer.text
    assert browser.who() == ""
    assert federated.audit() == []


def test_an_id_token_of_another_key_lets_nobody_in(federated: Site, provider: Provider) -> None:
    provider.key = STRANGE_KEY
    assert through(Browser(federated)).status_code == 403


def test_an_answer_to_another_state_or_another_browser_lets_nobody_in(federated: Site) -> None:
    browser, other = Browser(federated), Browser(federated)
    for change in ({"state": "another"}, {"state": ""}, {"code": "another"}, {"error": "access_denied"}):
        answer = through(browser, **change)
        assert answer.status_code == 403
        assert f"Begin again at {HOME}/console/sign-in" in answer.text
    state = parse_qs(urlsplit(browser.get("/console/oidc/start").headers["location"]).query)["state"][0]
    assert other.get(f"/console/oidc/callback?code=x&state={state}").status_code == 403
    assert browser.get("/console/oidc/callback").status_code == 403
    assert browser.who() == other.who() == ""


def test_a_session_of_the_provider_ends_when_it_is_signed_out_of_and_after_an_hour(federated: Site) -> None:
    browser, copy = Browser(federated), Browser(federated)
    through(browser)
    copy.cookie = browser.cookie
    assert copy.who() == "oidc:kari operator"
    browser.post("/console/sign-out", csrf=browser.token())
    assert copy.who() == ""
    proof = {"id": "y", "who": "oidc:kari", "issuer": federated.config.oidc_issuer, "values": ["everyone"]}
    copy.cookie = session(federated, at=int(time.time()) - 3000, **proof)
    assert copy.who() == "oidc:kari viewer"
    copy.cookie = session(federated, at=int(time.time()) - 3600, **proof)
    assert copy.who() == ""


def test_a_session_of_the_provider_has_the_role_that_the_settings_give_now(
    federated: Site, kept: Store, client: redis.Redis, provider: Provider
) -> None:
    browser = Browser(federated)
    through(browser)
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"oidc_roles": ("varsel-ops=viewer",)}, "oidc:kari viewer"),
        ({"oidc_roles": ("everyone=admin",)}, "oidc:kari admin"),
        ({"oidc_roles": ("varsel-admins=admin",)}, ""),
        ({"oidc_issuer": "https://other.example"}, ""),
    )
    for changed, who in cases:
        other = Browser(Site(kept, client, oidc(provider, **changed)))
        other.cookie = browser.cookie
        assert other.who() == who


def test_an_answer_is_good_for_one_sign_in(federated: Site) -> None:
    browser = Browser(federated)
    sent = browser.get("/console/oidc/start")
    back = ask("GET", sent.headers["location"]).headers["location"]
    assert browser.get(back).status_code == 303
    assert browser.get(back).status_code == 403


def test_a_provider_that_does_not_answer_is_told_as_unavailable(kept: Store, client: redis.Redis) -> None:
    with Provider() as provider:
        config = oidc(provider)
    answer = Browser(Site(kept, client, config)).get("/console/oidc/start")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


def test_without_a_provider_its_addresses_are_not_there(site: Site) -> None:
    browser = Browser(site)
    assert "oidc" not in browser.get("/console/sign-in").text
    assert browser.get("/console/oidc/start").status_code == 404
    assert browser.get("/console/oidc/callback").status_code == 404
