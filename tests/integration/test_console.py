"""The console over HTTP: who may see and do what, and that nothing on a page is anything but text."""

from __future__ import annotations

import asyncio
import re
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx
import pytest
import redis
from sqlalchemy import select, update
from starlette.routing import Mount, Route

from api.console.live import OF_ONE
from engine.admin.pausing import LANES, pause
from engine.admin.resources import RESOURCES
from engine.db.store import CONNECTIONS
from engine.db.tables import email_attempts, emails, jobs, orders
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.queue import epoch
from engine.queue.pauses import in_force
from tests.helpers.console import HOME, SECRET, Browser, Site, fields, fill
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import patience
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Message, Receive, Scope, Send

    from engine.db.store import Store

HOUR = timedelta(hours=1)
HIDDEN = ("\u202e", "\u2066", "\x07", "\x1b", "\u200b")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as server, redis.Redis.from_url(server.url, retry=None) as client:
        yield client


@pytest.fixture
def site(store: Store, client: redis.Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(store, client, tmp_path_factory.mktemp("site"))
    yield site
    asyncio.run(site.readers.close())


@pytest.fixture
def keys(store: Store) -> dict[str, Any]:
    return fill(store)


def pages(keys: dict[str, Any]) -> list[str]:
    lists = [f"/console/{resource}" for resource in RESOURCES]
    return ["/console/overview", *lists, *(f"/console/{resource}/{key}" for resource, key in keys.items())]


def actions(site: Site, keys: dict[str, Any]) -> list[str]:
    """Every address of the console that takes a POST, but those of signing in and out."""
    [mount] = [route for route in site.app.routes if isinstance(route, Mount)]
    found = []
    for route in mount.routes:
        if isinstance(route, Route) and "POST" in (route.methods or ()) and "sign" not in route.path:
            key = keys["subscriptions"] if "subscriptions" in route.path else keys["emails"]
            path = route.path.replace("{resource}", "emails").replace("{action}", "retry").replace("{key}", str(key))
            found.append(f"/console{path}")
    assert len(found) >= 8
    return found


def test_whatever_stands_in_the_database_is_text_on_every_page(site: Site, keys: dict[str, Any]) -> None:
    browser = site.browser("anna")
    for path in pages(keys):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert "<script>alert" not in answer.text, path
        assert "<img" not in answer.text, path
        assert not [character for character in HIDDEN if character in answer.text], path
    assert "alert(1)&lt;/script&gt;" in browser.get(f"/console/emails/{keys['emails']}").text
    assert "202E" in browser.get(f"/console/emails/{keys['emails']}").text


@pytest.mark.parametrize("name", ["kari", "ola", "anna"])
def test_what_is_personal_or_secret_is_shown_on_each_page_to_those_who_may_see_it(
    site: Site, store: Store, name: str
) -> None:
    keys, may_see, browser = fill(store, SECRET, "label"), name != "kari", site.browser(name)
    messages = [f"/console/emails/{keys['emails']}/{part}" for part in ("html", "source")]
    for path in [*pages(keys), *messages]:
        answer = browser.get(path)
        assert answer.status_code == (200 if may_see or path not in messages else 403), path
        assert (SECRET in answer.text) == (may_see and path != "/console/overview"), path
        if not may_see:
            assert "secret" not in answer.text, path


def test_of_what_is_masked_the_host_and_the_domain_stay_readable(site: Site, store: Store) -> None:
    keys = fill(store, SECRET, "label")
    viewer = site.browser("kari")
    assert "s•••@example.no" in viewer.get("/console/emails").text
    assert "https://hooks.example/•••" in viewer.get("/console/deliveries").text
    assert "https://hooks.example/•••" in viewer.get(f"/console/events/{keys['events']}").text
    assert "https://condition.example/•••" in viewer.get(f"/console/orders/{keys['orders']}").text
    assert "https://source.example/•••" in viewer.get("/console/events").text


def test_a_viewer_learns_nothing_by_narrowing_a_list(site: Site, store: Store) -> None:
    fill(store, SECRET, "label")
    viewer = site.browser("kari")
    allowed = {resource.name: list(resource.fields) for resource in RESOURCES.values()}
    for resource in RESOURCES.values():
        for field in resource.fields:
            answer = viewer.get(f"/console/{resource.name}?{urlencode({field: SECRET[:6]})}")
            if answer.status_code == 403:
                assert f"by {field}" in answer.text
                allowed[resource.name].remove(field)
            elif answer.status_code == 200:
                assert "Nothing matches" in answer.text, field
            else:  # one of few values, a number, a time
                assert answer.status_code == 400
    assert allowed == {
        "orders": ["state", "creator", "since", "until", "order"],
        "emails": ["state", "creator", "error", "since", "until", "order", "email"],
        "events": ["type", "resource", "id", "since", "until", "event"],
        "subscriptions": ["state", "consumer", "resource", "subscription"],
        "deliveries": ["state", "subscription", "event", "error", "since", "until", "delivery"],
        "audit": ["who", "action", "target", "since", "until"],
        "jobs": [],
    }
    for name, shown in allowed.items():
        assert re.findall(r'id="f-([a-z]+)"', viewer.get(f"/console/{name}").text) == shown


def test_a_viewer_finds_by_identifiers_alone(site: Site) -> None:
    viewer = site.browser("kari")
    for typed in ("kari@example.no", "s", "12345678910", "ref 1"):
        answer = viewer.get(f"/console/find?{urlencode({'q': typed})}")
        assert answer.status_code == 403
        assert "by their identifiers alone" in answer.text


def test_a_live_list_ends_for_an_operator_who_becomes_a_viewer(site: Site, store: Store) -> None:
    fill(store, SECRET, "label")
    browser = site.browser("ola")
    file = site.app.state.settings.operators_file

    async def watched() -> str:
        query = f"/console/emails?recipient={SECRET}"
        reading = asyncio.create_task(browser.client.get(query, headers={"Accept": "text/event-stream"}))
        file.write_text(file.read_text().replace('role = "operator"', 'role = "viewer"'))
        return (await reading).text  # ends by itself, or this never does

    asyncio.run(watched())
    assert browser.get(f"/console/emails?recipient={SECRET}").status_code == 403


def test_a_viewer_may_do_nothing(site: Site, keys: dict[str, Any]) -> None:
    viewer = site.browser("kari")
    for path in actions(site, keys):
        assert viewer.post(path, kind="lane", value="emails").status_code == 403, path
    assert viewer.get("/console/emails/all/retry").status_code == 403
    assert '<form method="post" action="/console/emails' not in viewer.get(f"/console/emails/{keys['emails']}").text


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
    assert admin.post("/console/pause", kind="lane", value="emails").status_code == 303
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


def test_a_page_is_a_stream_to_whoever_asks_for_one(site: Site, keys: dict[str, Any]) -> None:
    async def removes_anna(scope: Scope, receive: Receive, send: Send) -> None:
        """The console; when the stream shows its first page, the one who looks at it is an operator no more."""

        async def sent(message: Message) -> None:
            await send(message)
            if b"event: page" in message.get("body", b""):
                site.app.state.settings.operators_file.write_text("[operators]\n")

        await site.app(scope, receive, sent)

    async def stream() -> httpx.Response:
        transport = httpx.ASGITransport(removes_anna)
        async with httpx.AsyncClient(transport=transport, base_url=HOME, cookies=cookies) as client:
            return await client.get("/console/overview", headers={"Accept": "text/event-stream"})

    cookies = site.browser("anna").client.cookies
    answer = asyncio.run(stream())
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.text.startswith("event: page")
    assert 'id="lanes"' in answer.text
    assert "<!doctype" not in answer.text
    assert answer.text.rstrip().endswith("event: gone\r\ndata:")
    assert keys


def test_one_live_page_too_many_ends_the_oldest(site: Site) -> None:
    browser = site.browser("kari")

    async def watch() -> str:
        answer = await browser.client.get("/console/emails", headers={"Accept": "text/event-stream"})
        return answer.text

    async def open_many() -> str:
        pages = [asyncio.create_task(watch()) for _ in range(OF_ONE + 1)]
        ended, others = await asyncio.wait(pages, return_when=asyncio.FIRST_COMPLETED, timeout=patience())
        site.app.state.settings.operators_file.write_text("[operators]\n")  # the others end, too
        await asyncio.gather(*others)
        return ended.pop().result()

    assert asyncio.run(open_many()).rstrip().endswith("event: full\r\ndata:")


def test_a_page_waits_for_nobodys_writes(site: Site, store: Store) -> None:
    browser = site.browser("anna")
    go_on = threading.Event()

    async def look() -> int:
        blocked = [asyncio.create_task(store.writing(lambda _: go_on.wait(patience()))) for _ in range(2 * CONNECTIONS)]
        for _ in range(10):
            await asyncio.sleep(0)
        answer = await browser.client.get("/console/emails")
        go_on.set()
        await asyncio.gather(*blocked)
        return answer.status_code

    assert asyncio.run(look()) == 200


def test_an_action_on_all_that_match_shows_the_count_and_becomes_a_job(site: Site, keys: dict[str, Any]) -> None:
    browser = site.browser("ola")
    answer = browser.answer("/console/emails/all/retry?state=failed", "1 e-mail")
    assert answer.headers["location"] == f"/console/jobs/{keys['jobs'] + 1}"
    page = browser.get(answer.headers["location"]).text
    assert "<progress" in page
    assert "ola" in page


def test_a_question_that_is_not_true_any_more_is_asked_again(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_order(connection, due_in=HOUR)
        ended = add_order(connection, state=OrderState.CANCELLED)
    browser = site.browser("ola")
    path = "/console/orders/all/cancel?creator=ttd"
    asked = browser.get(path).text
    with store.write() as connection:
        for _ in range(40):
            add_order(connection, due_in=HOUR)
        connection.execute(update(orders).where(orders.c.seq == ended).values(state=OrderState.REGISTERED))
    again = browser.send(path.partition("?")[0], **fields(asked))
    assert again.status_code == 409
    assert "2 orders match by now, not 1. Nothing was done." in again.text
    assert "<h1>Cancel: 42 orders</h1>" in again.text
    assert browser.send(path.partition("?")[0], **fields(again.text)).status_code == 303
    assert browser.post("/console/orders/all/cancel").status_code == 400, "nobody was asked"
    with store.read() as connection:
        assert connection.execute(select(jobs.c.total)).scalar_one() == 42


def test_all_that_match_are_rescheduled_when_the_time_was_shown(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_order(connection, due_in=HOUR)
    browser, path = site.browser("ola"), "/console/orders/all/reschedule"
    assert '<form action="/console/orders/all/reschedule"' in browser.get(f"{path}?creator=ttd").text
    soon = browser.get(f"{path}?creator=ttd&time=soon")
    assert (soon.status_code, 'value="soon"' in soon.text) == (400, True), "what was typed stays"
    assert "how long ago" not in soon.text
    asked = browser.get(f"{path}?creator=ttd&time=2100-05-01T12:00%2B02:00").text
    assert "Reschedule: 1 order" in asked
    assert 'datetime="2100-05-01T10:00:00.000Z"' in asked
    assert browser.send(path, **fields(asked)).status_code == 303
    with store.read() as connection:
        assert connection.execute(select(jobs.c.argument)).scalar_one().startswith("2100-05-01T10:00")


def test_an_email_that_may_have_arrived_is_tried_again_after_a_question(site: Site, store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        doubt, failed = (new_id(now()) for _ in range(2))
        seq = add_email(connection, order, id=doubt, state=EmailState.FAILED, due_at=None)
        add_email(connection, order, id=failed, state=EmailState.FAILED, due_at=None)
        line = {"email_seq": seq, "claim": 1, "at": now(), "duration_ms": 1, "outcome": "in_doubt", "reply": "lost"}
        connection.execute(email_attempts.insert().values(line | {"relay": "relay:25"}))
    browser = site.browser("ola")
    assert f'<form action="/console/emails/{doubt}/retry"' in browser.get(f"/console/emails/{doubt}").text
    assert (
        f'<form method="post" action="/console/emails/{failed}/retry"' in browser.get(f"/console/emails/{failed}").text
    )
    browser.answer(f"/console/emails/{doubt}/retry", "It is in doubt whether it arrived: it may come a second time.")


def test_a_subscription_goes_on_after_a_question_with_numbers(site: Site, store: Store) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event(), an_event()])
    browser, path = site.browser("ola"), f"/console/subscriptions/{seq}"
    assert browser.get(f"{path}/resume").status_code == 409, "it is not paused"
    assert browser.post(f"{path}/pause", reason="they asked").status_code == 303
    twice = browser.post(f"{path}/pause", reason="so did we")
    assert (twice.status_code, "paused already: Paused by an operator: they asked" in twice.text) == (409, True)
    browser.answer(f"{path}/resume", "Goes out at once: 2 webhooks.")
    assert browser.post(f"{path}/resume").status_code == 409
    with store.write() as connection:
        pause(connection, "anna", "lane", "webhooks")
    browser.post(f"{path}/pause")
    assert "Nothing goes out while the lane webhooks is paused: 2 webhooks wait." in browser.get(f"{path}/resume").text


def test_a_new_order_is_linked_from_where_it_was_made(site: Site, store: Store) -> None:
    with store.write() as connection:
        key = new_id(now())
        add_order(connection, id=key, state=OrderState.CANCELLED)
    browser, path = site.browser("ola"), f"/console/orders/{key}"
    browser.answer(f"{path}/resend", "Send again to everybody")
    with store.read() as connection:
        made = connection.execute(select(orders.c.id).where(orders.c.id != key)).scalar_one()
    assert f'<a href="/console/orders/{made}">To the new order</a>' in browser.get(path).text
    assert f'as <a href="/console/orders/{made}">order' in browser.get(path).text, "the history has it for ever"


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/console/orders/019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f", "/console/orders"),
        (
            "/console/orders/019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f/resend",
            "/console/orders/019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f",
        ),
        ("/console/orders/all/cancel?state=x&creator=ttd", "/console/orders?state=x&amp;creator=ttd"),
        ("/console/subscriptions/12/resume", "/console/subscriptions/12"),
    ],
)
def test_a_page_that_says_what_is_wrong_leads_back(site: Site, path: str, back: str) -> None:
    assert f'<a href="{back}">Back</a>' in site.browser("ola").get(path).text


@pytest.mark.parametrize(
    ("typed", "leads"),
    [("kari@example.no", "/console/emails?recipient=kari%40example.no"), ("ref 1", "/console/orders?reference=ref+1")],
)
def test_the_search_box_leads_to_what_was_typed(site: Site, typed: str, leads: str) -> None:
    answer = asyncio.run(site.browser("ola").client.get("/console/find", params={"q": typed}))
    assert answer.headers["location"] == leads


def test_the_search_box_finds_orders_and_emails_by_identifier(site: Site, keys: dict[str, Any]) -> None:
    browser = site.browser("kari")
    for resource in ("orders", "emails"):
        assert (
            browser.get(f"/console/find?q={keys[resource]}").headers["location"]
            == f"/console/{resource}/{keys[resource]}"
        )
    typed = urlencode({"q": f"<{keys['emails']}@varsel.example>"})
    assert browser.get(f"/console/find?{typed}").headers["location"] == f"/console/emails/{keys['emails']}"


@pytest.mark.parametrize("typed", ["a\x00b", "x" * 401], ids=["NUL", "long"])
def test_what_cannot_be_a_name_is_refused_by_the_search_box(site: Site, typed: str) -> None:
    for operator in ("ola", "kari"):
        answer = asyncio.run(site.browser(operator).client.get("/console/find", params={"q": typed}))
        assert answer.status_code == 400
        assert "none of them control characters" in answer.text


def test_what_waits_is_found_as_well(site: Site, store: Store) -> None:
    event = an_event()
    with store.write() as connection:
        recipients = '[{"emailAddress":"ola@example.no"}]'
        for reference in ("invoice 7", "2026-000123", "a@b"):
            add_order(connection, due_in=HOUR, senders_reference=reference, recipients=recipients)
        add_email(connection, add_order(connection, state=OrderState.PROCESSED), address="ola@example.no")
        persist(connection, [event])
    browser = site.browser("ola")

    def found(typed: str) -> str:
        location = browser.get(f"/console/find?{urlencode({'q': typed})}").headers["location"]
        return browser.get(location).text

    for reference in ("invoice 7", "2026-000123", "a@b"):
        assert "Nothing matches" not in found(reference), reference
        assert reference in found(reference)
    assert event.type in found(event.id)
    page = found("ola@example.no")
    assert "ola@example.no</a>" in page, "the e-mail that is on its way"
    assert '<a href="/console/orders?recipient=ola%40example.no&amp;state=waiting">3 orders</a>' in page
    assert "3 orders</a>" not in found("kari@example.no")
    assert "Nothing matches" in found("nobody@example.no")


def test_what_cannot_be_undone_is_asked_for_on_a_page_with_numbers(site: Site, store: Store) -> None:
    recipients = '[{"emailAddress":"a@example.no"},{"emailAddress":"b@example.no"}]'
    with store.write() as connection:
        done = add_order(connection, state=OrderState.COMPLETED, recipients=recipients)
        add_email(connection, done, state=EmailState.SUCCEEDED, due_at=None, address="a@example.no")
        add_email(connection, done, state=EmailState.FAILED, due_at=None, address="b@example.no")
        waits = add_order(connection, due_in=HOUR, recipients=recipients)
        ids = {row.seq: row.id for row in connection.execute(select(orders.c.seq, orders.c.id))}
        order, waiting = ids[done], ids[waits]
        sent = connection.scalar(select(emails.c.id).where(emails.c.address == "a@example.no"))
        pause(connection, "anna", "domain", "example.no")
        for lane in ("emails", "orders"):
            pause(connection, "anna", "lane", lane)
    admin = site.browser("anna")
    later = (now() + 2 * HOUR).isoformat()
    for path, says in (
        (f"/orders/{order}/resend_failed", "Send again to 1 address that did not get it?"),
        (f"/orders/{order}/resend", "1 address has it already, and gets it a second time."),
        (f"/orders/{waiting}/cancel", "Cancel this order to 2 recipients?"),
        (f"/orders/{waiting}/reschedule?{urlencode({'time': later})}", "Send this order to 2 recipients at another"),
        (f"/emails/{sent}/resend", "Send a second e-mail to a@example.no?"),
        ("/drain", "Pause the lanes orders, emails, fan_outs, webhooks?"),
        ("/lanes/resume", "Let the lanes orders, emails go on?"),
        ("/resume?kind=domain&value=example.no", "Let the domain example.no go on?"),
    ):
        page = admin.get(f"/console{path}")
        assert (page.status_code, says in page.text) == (200, True), path
        address = path.partition("?")[0]
        assert f'<form method="post" action="/console{address}"' in page.text
        shown = admin.get(f"/console{address.rpartition('/')[0] or '/overview'}").text if "/orders" in path else ""
        assert f'<form method="post" action="/console{address}"' not in shown, "no click on the first page does it"
    assert admin.get(f"/console/orders/{waiting}/reschedule?time=soon").status_code == 400
    assert admin.get(f"/console/orders/{waiting}/resend").status_code == 409
    assert admin.get("/console/restored/resume").status_code == 409
    assert admin.get("/console/orders/all/resend").status_code == 400, "that is for one at a time"
    with store.read() as connection:
        assert connection.scalars(select(orders.c.state).order_by(orders.c.seq)).all() == ["Completed", "Registered"]
        assert in_force(connection).domains == {"example.no"}
    viewer = site.browser("kari")
    for path in (
        f"/orders/{order}/resend",
        "/drain",
        "/lanes/resume",
        "/resume?kind=domain&value=example.no",
        "/restored/resume",
    ):
        assert viewer.get(f"/console{path}").status_code == 403


def test_a_list_of_emails_shows_the_last_answer_also_of_a_success_and_where_nobody_answered(
    site: Site, store: Store
) -> None:
    with store.write() as connection:
        order = add_order(connection)
        sent = add_email(connection, order, state=EmailState.SUCCEEDED, due_at=None, attempts=1)
        waits = add_email(connection, order, due_in=HOUR)
        line = {"claim": 1, "at": now(), "duration_ms": 1, "relay": "relay:25"}
        good = {"email_seq": sent, "outcome": "accepted", "code": 250, "reply": "2.0.0 queued"}
        away = {"email_seq": waits, "outcome": "deferred", "code": None, "reply": "Connection refused"}
        connection.execute(email_attempts.insert(), [line | good, line | away])
    page = site.browser("ola").get("/console/emails").text
    assert '<td class="text">250 2.0.0 queued</td>' in page
    assert '<td class="text">not reached: Connection refused</td>' in page, "it was not tried, and counts as no try"


def test_what_was_drained_goes_on_together(site: Site, store: Store) -> None:
    admin = site.browser("anna")
    admin.post("/console/drain")
    page = admin.get("/console/overview").text
    assert "The lane orders is paused by anna: to drain" in page
    assert page.count(">Resume …</button>") == len(LANES), "each lane's button stands once"
    assert '<form action="/console/lanes/resume"><button>Resume all lanes …</button></form>' in page
    admin.post("/console/lanes/resume")
    assert "All lanes go on." in admin.get("/console/overview").text
    with store.read() as connection:
        assert not in_force(connection).lanes
    assert admin.get("/console/lanes/resume").status_code == 409


def test_a_pause_of_a_creator_stands_in_the_sentence_and_an_unknown_one_is_told_of(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_order(connection)
    admin = site.browser("anna")
    for creator, doubted in (("ttd", False), ("tdd", True)):
        admin.post("/console/pause", kind="creator", value=creator)
        page = admin.get("/console/overview").text
        assert f"The creator {creator} is paused." in page
        assert ("Nothing that is kept was ordered by it." in page) is doubted
    assert "2 creators are paused: ttd, tdd." in page


def test_the_overview_says_how_much_an_older_database_would_do_again(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, state=OrderState.PROCESSED), due_in=-HOUR)
        epoch.restored(connection)
    overview = site.browser("anna").get("/console/overview").text
    assert '<a href="/console/emails?state=repeated">1 e-mail</a>, <a href="/console/deliveries' in overview
    assert "is paused, 0 orders, 1 e-mail, 0 webhooks, and `varsel restored` lists it." in overview
    assert "Resume all lanes" not in overview


def test_a_viewer_reads_how_the_system_is_and_why_things_wait(site: Site, store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, due_in=HOUR)
        waiting = connection.scalar(select(orders.c.id).where(orders.c.seq == order))
        seq = add_subscription(connection, "https://receiver.example/hook", last_error="an event was not accepted: 503")
        key = new_id(now())
        mail = add_email(connection, order, id=key, state=EmailState.FAILED, due_at=None)
        line = {"email_seq": mail, "claim": 1, "at": now(), "duration_ms": 1, "outcome": "rejected", "phase": "rcpt"}
        line |= {"relay": "relay:25", "code": 550, "reply": "kari@example.no is unknown"}
        connection.execute(email_attempts.insert().values(line))
    viewer = site.browser("kari")
    overview = viewer.get("/console/overview").text
    assert "No worker runs: what becomes due will wait." in overview
    assert "\u2022\u2022\u2022" not in overview
    assert "Waits for its send time." in viewer.get(f"/console/orders/{waiting}").text
    assert "an event was not accepted: 503" in viewer.get(f"/console/subscriptions/{seq}").text
    page = viewer.get(f"/console/emails/{key}").text
    assert "relay:25 did not take it in the phase rcpt; it is not tried again. It said: \u2022\u2022\u2022" in page
    assert "is unknown" not in page
