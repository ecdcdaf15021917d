"""Signing in to the console by name and password, and how long a session lasts."""

from __future__ import annotations

import html
import json
import re
import time
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from api.console import sessions
from engine.auth import ended_sessions
from engine.auth.operators import Role, add
from engine.db.retention import prune_some
from tests.helpers.console import PASSWORD
from tests.helpers.sign_in import HOME, Browser, Site, session, settings

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from engine.db.store import Store

pytestmark = pytest.mark.slow


def test_a_page_leads_to_the_form_and_the_form_back_to_the_page(audited: Site) -> None:
    browser = Browser(audited)
    sent = browser.get("/console/emails?state=Failed&to=a%26b")
    assert sent.status_code == 303
    form = browser.get(sent.headers["location"])
    assert form.status_code == 200
    hidden = re.search(r'name="next" value="([^"]+)"', form.text)
    assert hidden
    back = browser.sign_in(next_=html.unescape(hidden[1]))
    assert (back.status_code, back.headers["location"]) == (303, "/console/emails?state=Failed&to=a%26b")
    assert browser.who() == "anna admin"
    assert audited.audit() == [("anna", "sign-in", {"source": "file", "from": "127.0.0.1"})]


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong"), ("bob", PASSWORD), ("<b>'; DROP", PASSWORD), ("", "")]
)
def test_a_wrong_password_and_an_unknown_name_are_refused_alike(site: Site, name: str, password: str) -> None:
    browser = Browser(site)
    answer = browser.sign_in(name, password)
    assert answer.status_code == 403
    assert "do not belong together" in answer.text
    assert PASSWORD not in answer.text
    assert "DROP" not in answer.text
    assert browser.who() == ""
    assert site.audit() == []


def test_sign_in_makes_a_new_session_with_a_new_token(site: Site) -> None:
    browser = Browser(site)
    before = browser.token()
    browser.sign_in()
    assert before not in browser.get("/console").text
    assert browser.post("/console/act", csrf=before).status_code == 403


def test_the_cookie_is_for_the_console_alone_and_no_script_sees_it(
    kept: Store, client: redis.Redis, file: Path
) -> None:
    for base, secure in ((HOME, False), ("https://varsel.example", True)):
        site = Site(kept, client, settings(operators_file=file, base_url=base))
        [cookie] = Browser(site, base).get("/console/sign-in").headers.get_list("set-cookie")
        parts = cookie.lower().split("; ")
        assert parts[0].startswith("varsel_console=")
        assert set(parts[1:]) == {"path=/console", "max-age=28800", "httponly", "samesite=lax"} | (
            {"secure"} if secure else set()
        )


def test_a_session_ends_eight_hours_after_sign_in(site: Site) -> None:
    browser = Browser(site)
    browser.cookie = session(site, at=int(time.time()) - 8 * 3600 + 60)
    assert browser.who() == "anna admin"
    browser.cookie = session(site, at=int(time.time()) - 8 * 3600)
    assert browser.who() == ""


def test_a_cookie_that_somebody_else_made_is_none(site: Site) -> None:
    browser = Browser(site)
    browser.sign_in()
    content, _, signature = browser.cookie.partition(".")
    forged = json.loads(b64decode(content)) | {"who": "kari"}
    for cookie in (
        f"{b64encode(json.dumps(forged).encode()).decode()}.{signature}",
        f"{content}.{signature[::-1]}",
        content,
        "null",
    ):
        browser.cookie = cookie
        assert browser.who() == ""


def test_a_removed_operator_is_out_at_once_and_a_changed_role_holds_at_once(site: Site, file: Path) -> None:
    browser = Browser(site)
    browser.sign_in()
    csrf = browser.get("/console").text.split()[2]
    assert browser.post("/console/act", csrf=csrf).text == "done by anna"
    file.write_text(re.sub(r'(?s)(anna.*?role = )"admin"', r'\1"viewer"', file.read_text()))
    assert browser.who() == "anna viewer"
    refused = browser.post("/console/act", csrf=csrf)
    assert refused.status_code == 403
    assert "This needs the role admin; anna is viewer." in refused.text
    file.write_text("")
    assert browser.who() == ""
    refused = browser.post("/console/act", csrf=csrf)
    assert refused.status_code == 403
    assert "You are not signed in" in refused.text


def test_a_changed_password_ends_the_sessions_of_the_one_before(site: Site, file: Path) -> None:
    browser, other = Browser(site), Browser(site)
    browser.sign_in()
    other.sign_in("kari")
    add(file, "anna", Role.ADMIN, "another password for anna")
    assert browser.who() == ""
    assert other.who() == "kari viewer"
    assert browser.sign_in(password="another password for anna").status_code == 303
    assert browser.who() == "anna admin"


def test_signing_out_takes_a_token_and_ends_the_session(site: Site) -> None:
    browser = Browser(site)
    browser.sign_in()
    assert browser.post("/console/sign-out").status_code == 403
    assert browser.who() == "anna admin"
    answer = browser.post("/console/sign-out", csrf=browser.token())
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    assert browser.who() == ""


def test_a_session_that_was_signed_out_of_ends_for_good(audited: Site, store: Store, client: redis.Redis) -> None:
    browser, copy = Browser(audited), Browser(audited)
    browser.sign_in()
    copy.cookie = browser.cookie
    assert copy.who() == "anna admin"
    csrf = copy.get("/console").text.split()[2]
    browser.post("/console/sign-out", csrf=browser.token())
    other_process = Browser(Site(store, client, audited.config))
    other_process.cookie = copy.cookie
    for left in (copy, other_process):
        assert left.who() == ""
        assert left.post("/console/act", csrf=csrf).status_code == 403
    assert browser.sign_in().status_code == 303
    assert browser.who() == "anna admin"


def test_a_new_sign_in_ends_the_session_before(site: Site) -> None:
    browser, copy = Browser(site), Browser(site)
    browser.sign_in()
    copy.cookie = browser.cookie
    browser.sign_in("kari")
    assert browser.who() == "kari viewer"
    assert copy.who() == ""


def test_ended_sessions_are_forgotten_when_their_cookies_are_too_old(store: Store) -> None:
    with store.write() as connection:
        ended_sessions.end(connection, "old", timedelta(seconds=-1))
        ended_sessions.end(connection, "new", sessions.LIFE)
        ended_sessions.end(connection, "new", sessions.LIFE)
        prune_some(connection, timedelta(days=90))
        assert not ended_sessions.has_ended(connection, "old")
        assert ended_sessions.has_ended(connection, "new")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/console//evil.example",
        "/\\evil.example",
        "/console\\..\\evil",
        "/console/\r\nSet-Cookie: a=b",
        "/console/\t/evil.example",
        "/consolevil",
        "/console@evil.example",
        "/inbox",
        "javascript:alert(1)",
        "/console/\N{LATIN SMALL LETTER AE}",
        "",
    ],
)
def test_sign_in_leads_nowhere_but_into_the_console(site: Site, target: str) -> None:
    answer = Browser(site).sign_in(next_=target)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
