"""The console below a path: nothing that it says leads out of it."""

from __future__ import annotations

import asyncio
import re
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import pytest
from starlette.routing import Mount, Route

from api.console.pages import TEMPLATES
from api.root_path import Links
from tests.helpers.console import HOME, Browser, Site, pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    import redis

    from engine.db.store import Store

ROOT = "/varsel"
TIMES = 4  # that a page is asked for with other queries
ATTRIBUTE = re.compile(r'\b(?:href|action|formaction|src)="([^"]*)"')
FORM = re.compile(r'<form(?![^>]*method="post")[^>]*action="([^"]+)"(.*?)</form>', re.DOTALL)
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
# What this site does not have; a browser goes there, and sign_in/test_providers.py.
ELSEWHERE = {"/oidc/start", "/oidc/callback", "/inbox", "/inbox/{key}/html", "/templates", "/templates/one"}
LEFT_OUT = ("/static/", "/export/", "/templates")  # files, and what is not here


@pytest.fixture
def below(store: Store, client: redis.Redis, tmp_path: Path) -> Iterator[Site]:
    site = Site(store, client, tmp_path, HOME + ROOT)
    yield site
    asyncio.run(site.readers.close())


def places(page: httpx.Response) -> Iterator[str]:
    """Where a page leads to by links, forms and redirects, and what it loads; each is below the path."""
    found = [unescape(each) for each in ATTRIBUTE.findall(page.text)] + page.headers.get_list("location")
    for each in found:
        assert each.startswith((f"{ROOT}/console", "#", "?", "data:")), (page.request.url, each)
    for cookie in page.headers.get_list("set-cookie"):
        assert f"path={ROOT}/console" in cookie.lower(), cookie
    yield from (each for each in found if each.startswith("/"))
    for action, inside in FORM.findall(page.text):
        yield f"{unescape(action)}?{urlencode({name: unescape(value) for name, value in FIELD.findall(inside)})}"


def walk(browser: Browser, begin: list[str]) -> set[str]:
    """The paths of all pages that can be reached from there."""
    waiting, seen, times = begin, set[str](), dict[str, int]()
    while waiting:
        place = waiting.pop()
        path = urlsplit(place).path
        if place in seen or times.get(path, 0) >= TIMES or any(each in path for each in LEFT_OUT):
            continue
        seen.add(place)
        times[path] = times.get(path, 0) + 1
        answer = browser.get(HOME + place)
        assert answer.status_code < 500, (place, answer.text)
        waiting += places(answer)
    return {path.removeprefix(f"{ROOT}/console") for path in times}


def test_every_page_leads_to_pages_below_the_path(below: Site, keys: dict[str, Any]) -> None:
    begin = [f"{ROOT}{page}" for page in pages(keys)]
    further = ("", "/sign-in", "/nowhere", "/emails?state=x", "/lanes/resume", "/restored/resume")
    begin += [f"{ROOT}/console{each}" for each in further]
    begin.append(f"{ROOT}/console/subscriptions/{keys['subscriptions']}/pause")  # it is paused already
    walked = walk(below.browser("anna"), begin)
    [mount] = [route for route in below.app.routes if isinstance(route, Mount)]
    asked = [route for route in mount.routes if isinstance(route, Route) and "GET" in (route.methods or ())]
    missed = {route.path for route in asked if not any(map(route.path_regex.fullmatch, walked))}
    assert missed - {path for path in missed if path.startswith("/export")} == ELSEWHERE


def test_what_is_done_leads_back_below_the_path(below: Site, keys: dict[str, Any]) -> None:
    admin = below.browser("anna")
    for path, given in {
        "pause": {"kind": "lane", "value": "emails", "reason": "x"},
        "resume": {"kind": "lane", "value": "emails"},
        f"emails/{keys['emails']}/retry": {},
        "emails/all/retry": {"asked": "9", "newest": "9"},
        "persons/ask": {"address": "kari@example.no"},
        "keys": {
            "kind": "team",
            "guests": "kari@example.no",
            "creator": "ttd",
            "name": "x",
            "scopes": "altinn:notifications.create",
        },
        "zone": {"zone": "Europe/Oslo", "language": "nb", "back": "/console/orders"},
        "sign-out": {},
    }.items():
        answer = admin.post(f"/console/{path}", **given)
        assert answer.status_code in (200, 303, 409), answer.text
        assert [*places(answer)]


def test_the_way_to_the_sign_in_comes_back_and_leads_nowhere_else(below: Site) -> None:
    stranger = Browser(below)
    sent = stranger.get("/console/emails?state=failed").headers["location"]
    assert sent == f"{ROOT}/console/sign-in?next=%2Fconsole%2Femails%3Fstate%3Dfailed"
    for next_, goal in {
        "/console/emails?state=failed": f"{ROOT}/console/emails?state=failed",
        "//evil.example": f"{ROOT}/console",
        "/console//evil.example": f"{ROOT}/console",
        "https://evil.example/console": f"{ROOT}/console",
    }.items():
        signed_in = stranger.post("/console/sign-in", name="kari", password="correct horse battery", next=next_)
        assert signed_in.headers["location"] == goal


@pytest.mark.parametrize("path", ["", ROOT, ROOT.upper(), f"/{ROOT}", f"{ROOT}/"])
def test_it_answers_whether_a_proxy_has_taken_the_path_off_or_not(below: Site, path: str) -> None:
    answer = Browser(below).get(f"{HOME}{path}/console/orders")
    assert answer.headers["location"].startswith(f"{ROOT}/console/sign-in?")


def test_another_path_is_not_the_path(below: Site) -> None:
    browser = Browser(below)
    for path in ("/varsels/console", "/varsel.example/console", "/other/console", "/varsel/varsel/console"):
        assert browser.get(HOME + path).status_code == 404, path


def test_no_header_says_where_the_console_is(below: Site) -> None:
    named = {"X-Forwarded-Prefix": "//evil.example", "X-Script-Name": "/evil", "X-Forwarded-Host": "evil.example"}
    answer = asyncio.run(Browser(below).client.get("/console/orders", headers=named))
    assert answer.headers["location"].startswith(f"{ROOT}/console/sign-in?")
    assert "evil" not in answer.headers["location"] + answer.text


def test_each_link_of_a_template_is_one_that_gets_the_path() -> None:
    files = [*TEMPLATES.glob("*.html"), *TEMPLATES.with_name("pages").glob("*.html")]
    found = [(file.name, link) for file in files for link in ATTRIBUTE.findall(file.read_text())]
    assert len(found) > 100
    assert [each for each in found if not each[1].startswith(("/", "{{", "#", "?", "data:"))] == []


def test_the_path_goes_before_links_alone() -> None:
    before = '<a href="/a">href="/b" <a href="#c"><form {% if d %}method="post" {% endif %}action="{{ e }}" value="/f">'
    after = before.replace('"/a', '"{{ root_path }}/a').replace('"{{ e', '"{{ root_path }}{{ e')
    assert Links.preprocess(None, before, None) == after  # type: ignore[arg-type]  # it needs no environment
