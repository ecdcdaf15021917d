"""What an operator may do in the console, and what nobody may."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.routing import Mount, Route

from tests.helpers.console import Browser, Site, pages


def actions(site: Site, keys: dict[str, Any]) -> list[str]:
    """Every address of the console that takes a POST, except those for signing in and out."""
    [mount] = [route for route in site.app.routes if isinstance(route, Mount)]
    found = []
    for route in mount.routes:
        if not isinstance(route, Route) or "sign" in route.path or route.path == "/zone":  # which everybody may
            continue
        if "POST" in (route.methods or ()):
            key = keys["subscriptions"] if "subscriptions" in route.path else keys["emails"]
            path = route.path.replace("{resource}", "emails").replace("{action}", "retry").replace("{key}", str(key))
            found.append(f"/console{path}")
    assert len(found) >= 8
    return found


def test_a_viewer_may_do_nothing(site: Site, keys: dict[str, Any]) -> None:
    viewer = site.browser("kari")
    for path in actions(site, keys):
        assert viewer.post(path, kind="lane", value="emails").status_code == 403, path
    assert viewer.get("/console/emails/all/retry").status_code == 403
    path = f"/console/emails/{keys['emails']}"
    assert '<form method="post" action="/console/emails' not in viewer.get(path).text
    copied = 'data-copy="address"'
    assert [copied in each.get(path).text for each in (viewer, site.browser("ola"))] == [False, True], "it is masked"


def test_an_operator_acts_on_messages_and_only_an_admin_pauses(site: Site, keys: dict[str, Any]) -> None:
    operator, admin = site.browser("ola"), site.browser("anna")
    for path in (
        "/console/pause",
        "/console/resume",
        "/console/drain",
        "/console/lanes/resume",
        "/console/restored/resume",
    ):
        assert operator.post(path, kind="lane", value="emails").status_code == 403
    assert operator.get("/console/pause?kind=lane&value=emails").status_code == 403
    assert admin.post("/console/pause", kind="lane", value="emails", reason="a test").status_code == 303
    assert operator.post(f"/console/emails/{keys['emails']}/retry").status_code == 303


def test_no_action_is_done_without_the_sessions_token(site: Site, keys: dict[str, Any]) -> None:
    admin = site.browser("anna")
    other = Browser(site).token()
    for path in actions(site, keys):
        assert admin.send(path, kind="lane", value="emails").status_code == 403, path
        for token in ("", other):
            assert admin.send(path, csrf=token, kind="lane", value="emails").status_code == 403, path
        assert (
            admin.send(path, "https://elsewhere.example", csrf=admin.token(), kind="lane", value="emails").status_code
            == 403
        ), path


def test_whoever_is_not_signed_in_is_sent_to_do_so_and_may_do_nothing(site: Site, keys: dict[str, Any]) -> None:
    stranger = Browser(site)
    for path in pages(keys):
        answer = stranger.get(path)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/console/sign-in?next=%2Fconsole%2F")
    for path in actions(site, keys):
        assert stranger.post(path).status_code == 403, path


def test_what_is_foreign_in_a_message_can_do_nothing(site: Site, keys: dict[str, Any]) -> None:
    answer = site.browser("ola").get(f"/console/emails/{keys['emails']}/html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/console/emails?colour=red", 400),
        ("/console/emails?state=lost", 400),
        ("/console/emails?cursor=x", 400),
        ("/console/emails?since=soon", 400),
        ("/console/emails/nobody", 404),
        ("/console/emails/019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f", 404),
        ("/console/events/99999999999999999999", 404),
        ("/console/nothing", 404),
        ("/console/emails/all/nothing", 404),
        ("/console/static/../pages.py", 404),
    ],
)
def test_what_is_not_there_or_malformed_gets_a_page_that_says_so(site: Site, path: str, status: int) -> None:
    answer = site.browser("anna").get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
