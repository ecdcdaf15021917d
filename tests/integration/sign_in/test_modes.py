"""Whom the console lets in, by its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.auth.console_mode import Mode, mode
from engine.errors import Misconfigured
from tests.helpers.console import PASSWORD
from tests.helpers.sign_in import ELSEWHERE, HOME, Browser, Site, oidc, session, settings
from tests.servers.oidc import Provider

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from engine.db.store import Store

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, Mode.CLOSED),
        ({"console_open": True}, Mode.OPEN),
        ({"inbox": "inbox"}, Mode.CLOSED),
        ({"console_open": True, "base_url": "https://varsel.example"}, Mode.CLOSED),
        ({"operators_file": "file"}, Mode.SIGN_IN),
        ({"operators_file": "file", "console_open": True}, Mode.SIGN_IN),
        (
            {
                "oidc_issuer": "https://a.example",
                "oidc_client_id": "x",
                "oidc_roles": ("a=admin",),
                "console_open": True,
            },
            Mode.SIGN_IN,
        ),
    ],
)
def test_settings_decide_whom_the_console_lets_in(values: dict[str, Any], expected: Mode) -> None:
    assert mode(settings(**values)) is expected


def test_with_nobody_set_up_the_console_is_closed_and_says_what_to_do(kept: Store, client: redis.Redis) -> None:
    browser = Browser(Site(kept, client, settings()))
    for answer in (browser.get("/console"), browser.get("/console/sign-in"), browser.post("/console/act")):
        assert answer.status_code == 403
        assert "set VARSEL_OPERATORS_FILE (varsel operator add NAME) or VARSEL_OIDC_ISSUER" in answer.text
        assert "<a" not in main_part(answer.text), "a way back would lead here again"


def main_part(page: str) -> str:
    """The text below the head of the page."""
    return page.partition("<main")[2]


@pytest.fixture
def embedded(kept: Store, client: redis.Redis) -> Site:
    return Site(kept, client, settings(console_open=True))


@pytest.mark.parametrize(
    ("base", "address"),
    [(HOME, "127.0.0.1"), ("http://localhost:5090", "127.8.0.1"), ("http://[::1]:5090", "::1")],
)
def test_on_embedded_defaults_the_console_is_open_to_this_machine(embedded: Site, base: str, address: str) -> None:
    browser = Browser(embedded, base, address)
    assert browser.who() == "local admin"
    assert browser.get("/console/sign-in").headers["location"] == "/console"
    assert browser.post("/console/act").status_code == 403
    assert browser.post("/console/act", csrf=browser.get("/console").text.split()[2]).text == "done by local"


@pytest.mark.parametrize(
    ("base", "address", "headers"),
    [
        (HOME, ELSEWHERE, {}),
        (HOME, "not an address", {}),
        ("http://evil.example:5090", "127.0.0.1", {}),  # a name that was made to resolve to this machine
        ("http://127.0.0.1.evil.example", "127.0.0.1", {}),
        ("http://localhost.evil.example", "127.0.0.1", {}),
        (HOME, "127.0.0.1", {"X-Forwarded-For": ELSEWHERE}),
        (HOME, "127.0.0.1", {"Forwarded": f"for={ELSEWHERE}"}),
    ],
)
def test_it_is_not_open_to_anybody_else_and_says_how_to_open_it(
    embedded: Site, base: str, address: str, headers: dict[str, str]
) -> None:
    browser = Browser(embedded, base, address, **headers)
    for answer in (browser.get("/console"), browser.get("/console/sign-in"), browser.post("/console/act", csrf="x")):
        assert answer.status_code == 403
        assert "only to a browser on the same machine" in answer.text
        assert "VARSEL_OPERATORS_FILE" in answer.text
        assert "<a" not in main_part(answer.text), "a way back would lead here again"


def test_a_session_is_worth_nothing_when_its_kind_of_sign_in_is_no_longer_set_up(
    site: Site, kept: Store, client: redis.Redis
) -> None:
    browser = Browser(site)
    browser.cookie = session(site, issuer="https://login.example", values=["varsel-admins"])
    assert browser.who() == ""
    with Provider() as provider:
        other = Browser(Site(kept, client, oidc(provider)))
        other.cookie = session(site)
        assert other.who() == ""
        assert other.post("/console/sign-in", name="anna", password=PASSWORD, csrf="x").status_code == 403


def test_an_operators_file_that_cannot_be_used_ends_the_start(kept: Store, client: redis.Redis, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="missing: No such file"):
        Site(kept, client, settings(operators_file=tmp_path / "missing"))
