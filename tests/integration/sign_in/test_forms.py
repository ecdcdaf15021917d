"""The console's forms: the token of the session, the origin, and bounds."""

from __future__ import annotations

import asyncio

import pytest

from api.console import sessions
from tests.helpers.console import PASSWORD
from tests.helpers.sign_in import HOME, Browser, Site, session

pytestmark = pytest.mark.slow


def test_a_form_without_the_token_of_its_session_is_refused(site: Site) -> None:
    browser, other = Browser(site), Browser(site)
    browser.sign_in()
    good = browser.get("/console").text.split()[2]
    tries: tuple[dict[str, str], ...] = (
        {},
        {"csrf": ""},
        {"csrf": "x"},
        {"csrf": good + "x"},
        {"csrf": "\u00e6"},
        {"csrf": other.token()},
    )
    for fields in tries:
        refused = browser.post("/console/act", None, **fields)
        assert refused.status_code == 403
        assert "too old" in refused.text
    assert Browser(site).post("/console/sign-in", name="anna", password=PASSWORD).status_code == 403
    assert browser.post("/console/act", csrf=good).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": HOME}, 200),
        ({"Origin": HOME, "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://varsel.example", "Host": "varsel.example"}, 200),
        ({"Origin": HOME, "Host": "backend:8000"}, 200),  # a proxy has replaced Host: VARSEL_BASE_URL says who we are
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:8080"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": HOME}, 403),
    ],
)
def test_a_form_from_another_origin_is_refused_though_its_token_is_good(
    site: Site, headers: dict[str, str], status: int
) -> None:
    browser = Browser(site)
    browser.cookie = session(site, csrf="good")
    headers |= {"Cookie": f"{sessions.COOKIE}={browser.cookie}"}
    assert browser.post("/console/act", headers, csrf="good").status_code == status


def test_a_form_has_bounds(site: Site) -> None:
    browser = Browser(site)
    browser.cookie = session(site, csrf="good")

    def sent(content: str | bytes, kind: str = "application/x-www-form-urlencoded") -> int:
        request = browser.client.post("/console/act", content=content, headers={"Content-Type": kind})
        return asyncio.run(request).status_code

    assert sent("csrf=good" + "&a=b" * 49) == 200
    assert sent("csrf=good" + "&a=b" * 50) == 400
    assert sent("csrf=good&a=" + "b" * 65_000) == 200
    assert sent("csrf=good&a=" + "b" * 66_000) == 413
    assert sent(b"csrf=good&a=\xff") == 400
    assert sent("csrf=good&a=%FF") == 400
    assert sent('{"csrf": "good"}', "application/json") == 403
