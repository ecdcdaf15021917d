"""Sign-in to the console: sessions, forms, how often one may try, and OpenID Connect."""

from __future__ import annotations

import asyncio
import html
import ipaddress
import json
import re
import time
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import itsdangerous
import pytest
import redis
from sqlalchemy import delete, select
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.console import browsers, sessions, sign_in
from api.console.sessions import check_csrf, csrf_token, require
from api.problems import answer_error, answer_http_error
from engine.auth import ended_sessions
from engine.auth.attempts import FIRST_WAIT, FREE, LONGEST_WAIT, Attempt, Attempts
from engine.auth.console_mode import Mode, mode
from engine.auth.operators import Role, add
from engine.db.migrations import upgrade
from engine.db.readers import Readers
from engine.db.retention import prune_some
from engine.db.store import Store
from engine.db.tables import audit_log
from engine.db.writers import Writers
from engine.errors import Misconfigured, VarselError
from engine.settings import Settings
from tests.helpers.client import ask
from tests.helpers.console import PASSWORD, operators_file
from tests.servers.oidc import CLIENT, SECRET, STRANGE_KEY, Provider
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

pytestmark = pytest.mark.slow

HOME = "http://127.0.0.1:5090"
ELSEWHERE = "203.0.113.9"


async def look(request: Request) -> Response:
    """A page for viewers."""
    operator = await require(request, Role.VIEWER)
    return PlainTextResponse(f"{operator.name} {operator.role} {csrf_token(request)}")


async def act(request: Request) -> Response:
    """An action for admins."""
    operator = await require(request, Role.ADMIN)
    await check_csrf(request)
    return PlainTextResponse(f"done by {operator.name}")


class Site:
    """The console with nothing in it but sign-in, a page and an action."""

    opened: ClassVar[list[Site]] = []

    def __init__(self, store: Store, client: redis.Redis, config: Settings) -> None:
        self.config = config
        self.store = store
        self.app = Starlette(
            routes=[
                Route("/console", look),
                Route("/console/emails", look),
                Route("/console/act", act, methods=["POST"]),
                *sign_in.ROUTES,
            ],
            middleware=[sessions.middleware(config)],
            exception_handlers={
                **sign_in.ERRORS,
                VarselError: answer_error,
                HTTPException: answer_http_error,
            },
        )
        self.app.state.settings, self.app.state.redis = config, client
        self.app.state.writers = Writers(store)
        self.app.state.readers = Readers(store.engine.url.render_as_string(hide_password=False))
        self.opened.append(self)
        sign_in.prepare(self.app.state, config)
        with store.write() as connection:  # a line of before would count what is done again
            connection.execute(delete(audit_log))

    def audit(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Who did what, with details, since this site is there."""
        with self.store.read() as connection:
            lines = connection.execute(select(audit_log).order_by(audit_log.c.seq)).all()
        assert {line.target for line in lines} <= {"console"}
        return [(line.who, line.action, json.loads(line.detail)) for line in lines]


class Browser:
    """Keeps cookies, sends what browsers send, and follows nothing by itself."""

    def __init__(self, site: Site, base: str = HOME, address: str = "127.0.0.1", **headers: str) -> None:
        transport = httpx.ASGITransport(site.app, client=(address, 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url=base, headers=headers)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self.client.get(path))

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        return asyncio.run(self.client.post(path, data=fields, headers=headers))

    def token(self) -> str:
        """The form's hidden field on the sign-in page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/sign-in").text)
        assert found
        return html.unescape(found[1])

    def sign_in(self, name: str = "anna", password: str = PASSWORD, next_: str = "/console") -> httpx.Response:
        return self.post("/console/sign-in", name=name, password=password, next=next_, csrf=self.token())

    def who(self) -> str:
        """What the page says; "" when it sends us to sign in."""
        answer = self.get("/console")
        return "" if answer.status_code == 303 else " ".join(answer.text.split()[:2])

    @property
    def cookie(self) -> str:
        return str(self.client.cookies.get(sessions.COOKIE, path="/console"))

    @cookie.setter
    def cookie(self, value: str) -> None:
        self.client.cookies.clear()
        self.client.cookies.set(sessions.COOKIE, value, "127.0.0.1", "/console")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def client(server: Redis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, retry=None) as client:
        client.flushall()
        yield client


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Site.opened:
        asyncio.run(Site.opened.pop().app.state.readers.close())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return operators_file(tmp_path)


def settings(**values: Any) -> Settings:
    return Settings(webhook_key="a key of 32 characters or more ..", **values)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database for tests to which it is all the same which one it is."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('database')}/varsel.db")
    upgrade(store)
    yield store
    store.close()


@pytest.fixture
def site(kept: Store, client: redis.Redis, file: Path) -> Site:
    return Site(kept, client, settings(operators_file=file))


@pytest.fixture
def audited(store: Store, client: redis.Redis, file: Path) -> Site:
    return Site(store, client, settings(operators_file=file))


def session(site: Site, **changes: Any) -> str:
    """A cookie of somebody who signed in as anna, with changes, signed as the server does."""
    operators = site.app.state.entrance.operators
    mark = operators.find("anna").mark if operators else ""
    content = {"id": "x", "who": "anna", "at": int(time.time()), "csrf": "x"} | changes
    if "issuer" not in changes:
        content["mark"] = mark
    signer = itsdangerous.TimestampSigner(str(sessions.middleware(site.config).kwargs["secret_key"]))
    return signer.sign(b64encode(json.dumps(content).encode())).decode()


# By name and password


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


# Forms


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


# How often


def test_after_five_failures_a_name_has_to_wait_wherever_the_next_try_comes_from(audited: Site) -> None:
    for number in range(FREE):
        assert Browser(audited, address=f"203.0.113.{number}").sign_in(password="wrong").status_code == 403
    browser = Browser(audited, address="198.51.100.1")
    answer = browser.sign_in()  # even with the right password
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 15
    assert re.search(rf"Wait {answer.headers['retry-after']} seconds?, then", answer.text)
    assert audited.audit() == [("anna", "sign-in-refused", {"source": "file", "from": "203.0.113.4"})]


def fail_elsewhere(site: Site, name: str = "anna") -> None:
    """Strangers try until the name has to wait."""
    for number in range(FREE):
        assert Browser(site, address=f"203.0.113.{number}").sign_in(name, "wrong").status_code == 403
    assert Browser(site, address="198.51.100.1").sign_in(name).status_code == 429


def test_strangers_lock_nobody_out_of_a_browser_in_which_the_name_has_signed_in(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    assert browser.sign_in().status_code == 303
    fail_elsewhere(site)
    neighbour = Browser(site, address=ELSEWHERE)  # behind the same proxy, say
    for number in range(FREE):
        assert neighbour.sign_in(f"nobody{number}").status_code == 403
    assert neighbour.sign_in().status_code == 429
    assert browser.sign_in().status_code == 303
    moved = Browser(site, address="198.51.100.2")
    moved.client.cookies = browser.client.cookies
    assert moved.sign_in().status_code == 303


def test_strangers_lock_nobody_out_at_an_address_from_which_the_name_has_signed_in(site: Site) -> None:
    assert Browser(site, address="2001:db8::1").sign_in().status_code == 303
    fail_elsewhere(site)
    assert Browser(site, address="2001:db8::2").sign_in().status_code == 303
    assert Browser(site, address="2001:db8:0:1::1").sign_in().status_code == 429


def test_behind_a_trusted_proxy_strangers_lock_out_nobody_at_another_address(
    kept: Store, client: redis.Redis, file: Path
) -> None:
    site = Site(kept, client, settings(operators_file=file, trusted_proxies="10.0.0.0/24"))

    def behind(proxy: str, said: str) -> Browser:
        return Browser(site, address=proxy, **{"X-Forwarded-For": said})

    for number in range(FREE):
        assert behind("10.0.0.7", f"198.51.100.{number}, {ELSEWHERE}").sign_in(f"n{number}").status_code == 403
    assert behind("10.0.0.8", f"{ELSEWHERE}:4711").sign_in().status_code == 429
    assert behind("10.0.0.7", "198.51.100.1").sign_in().status_code == 303
    assert site.audit()[-1] == ("anna", "sign-in", {"from": "198.51.100.1", "source": "file"})

    for number in range(FREE):  # whoever is no proxy makes up nothing
        assert behind("198.51.100.9", f"203.0.113.{number}").sign_in(f"m{number}").status_code == 403
    assert behind("198.51.100.9", "203.0.113.200").sign_in().status_code == 429


def test_a_browser_that_is_known_has_five_tries_of_its_own(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    browser.sign_in()
    for _ in range(FREE):
        assert browser.sign_in(password="wrong").status_code == 403
    assert browser.sign_in().status_code == 429
    assert Browser(site, address="198.51.100.1").sign_in().status_code == 303


def test_a_browser_is_known_by_nothing_that_others_can_make(site: Site) -> None:
    kari, anna = Browser(site, address="198.51.100.7"), Browser(site)
    kari.sign_in("kari")
    anna.sign_in()
    value = str(anna.client.cookies.get(browsers.COOKIE))
    fail_elsewhere(site)
    assert kari.sign_in().status_code == 429
    stranger = Browser(site, address="198.51.100.8")
    for forged in (value[:-1], value[::-1], f"x{value}", anna.cookie, ""):
        stranger.client.cookies.set(browsers.COOKIE, forged, "127.0.0.1", browsers.PATH)
        assert stranger.sign_in().status_code == 429


def test_strangers_wait_for_each_other_in_a_short_queue_and_nobody_who_is_known_waits_for_them(site: Site) -> None:
    known = Browser(site)
    known.sign_in()
    strangers = [Browser(site, address=f"203.0.113.{number}") for number in range(30)]
    forms = [{"name": f"n{number}", "password": "x", "csrf": each.token()} for number, each in enumerate(strangers)]
    mine = {"name": "anna", "password": PASSWORD, "csrf": known.token()}

    async def run() -> list[int]:
        with site.app.state.entrance.strangers_hashing.turn() as limiter:
            async with limiter:  # somebody's password is being looked at
                posts = [
                    asyncio.ensure_future(each.client.post("/console/sign-in", data=form))
                    for each, form in zip(strangers, forms, strict=True)
                ]
                refused: set[asyncio.Future[httpx.Response]] = set()
                while len(refused) < len(posts) - sign_in.QUEUE:
                    done, _ = await asyncio.wait(set(posts) - refused, return_when=asyncio.FIRST_COMPLETED)
                    refused |= done
                assert {post.result().status_code for post in refused} == {429}
                assert (await known.client.post("/console/sign-in", data=mine)).status_code == 303
            return sorted(answer.status_code for answer in await asyncio.gather(*posts))

    assert asyncio.run(run()) == [403] * sign_in.QUEUE + [429] * (30 - sign_in.QUEUE)


def test_after_five_failures_an_address_has_to_wait_whatever_the_name(audited: Site) -> None:
    browser = Browser(audited, address=ELSEWHERE)
    for name in ("a", "b", "c", "<script>", "e" * 500):
        assert browser.sign_in(name).status_code == 403
    for _ in range(20):
        assert browser.sign_in().status_code == 429
    assert audited.audit() == [("unknown", "sign-in-refused", {"source": "file", "from": ELSEWHERE})]
    assert Browser(audited).sign_in().status_code == 303


def test_a_good_sign_in_forgets_the_failures_of_its_name_but_not_those_of_its_address(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    for _ in range(FREE - 1):
        assert browser.sign_in(password="wrong").status_code == 403
    assert browser.sign_in().status_code == 303
    assert Browser(site).sign_in(password="wrong").status_code == 403
    assert Browser(site).sign_in().status_code == 303
    assert browser.sign_in("bob").status_code == 403
    assert browser.sign_in("bob").status_code == 429


def test_neighbours_in_an_ipv6_network_count_as_one(site: Site) -> None:
    network = ipaddress.ip_network("2001:db8:0:1::/64")
    for number in range(FREE):
        assert Browser(site, address=str(network[number])).sign_in("bob").status_code == 403
    assert Browser(site, address=str(network[2**63])).sign_in().status_code == 429
    assert Browser(site, address="2001:db8:0:2::1").sign_in().status_code == 303


def test_every_further_failure_doubles_the_wait_up_to_a_bound(client: redis.Redis) -> None:
    attempts = Attempts(client)
    waits = []
    for number in range(14):
        assert attempts.begin(["name:anna"]) == Attempt(timedelta(0), last_free=number == FREE - 1)
        if number >= FREE - 1:
            waits.append(attempts.begin(["name:anna"]).wait.total_seconds())
            client.delete("varsel:sign-in:name:anna:wait")  # as if it had passed
    expected = [min(FIRST_WAIT * 2**number, LONGEST_WAIT).total_seconds() for number in range(10)]
    assert waits == pytest.approx(expected, abs=1)
    assert 0 < client.pttl("varsel:sign-in:name:anna") <= 3_600_000


def test_many_tries_at_once_are_no_way_around_the_count(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    fields = {"name": "anna", "password": "wrong", "csrf": browser.token()}

    async def run() -> list[int]:
        posts = (browser.client.post("/console/sign-in", data=fields) for _ in range(20))
        return sorted(answer.status_code for answer in await asyncio.gather(*posts))

    assert asyncio.run(run()) == [403] * FREE + [429] * (20 - FREE)


def test_while_redis_does_not_answer_each_process_counts_for_itself(kept: Store, file: Path, tmp_path: Path) -> None:
    with Redis(tmp_path) as server, redis.Redis.from_url(server.url, retry=None) as client:
        site = Site(kept, client, settings(operators_file=file))
        server.stop()
        browser = Browser(site, address=ELSEWHERE)
        assert browser.sign_in().status_code == 303
        for _ in range(FREE):
            assert browser.sign_in(password="wrong").status_code == 403
        answer = browser.sign_in()
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 15
        assert Browser(site, address="198.51.100.1").sign_in("bob").status_code == 403


# Whom the console lets in


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
    """What stands below the head of the page."""
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


# OpenID Connect


def oidc(provider: Provider, **values: Any) -> Settings:
    roles = ("varsel-admins=admin", "varsel-ops=operator", "everyone=viewer")
    return settings(
        **{
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": roles,
        }
        | values
    )


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
