"""The console's questions before an action, and what follows it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, update

from engine.admin.pausing import LANES, pause
from engine.db.tables import email_attempts, emails, jobs, orders
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.queue.pauses import in_force
from tests.helpers.console import Site, fields
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    import redis

    from engine.db.store import Store

HOUR = timedelta(hours=1)


def test_an_action_on_all_that_match_shows_the_count_and_becomes_a_job(site: Site, keys: dict[str, Any]) -> None:
    browser = site.browser("ola")
    answer = browser.answer("/console/emails/all/retry?state=failed", "1 e-mail")
    assert answer.headers["location"] == f"/console/jobs/{keys['jobs'] + 1}"
    page = browser.get(answer.headers["location"]).text
    assert "<progress" in page
    assert "ola" in page


def test_an_action_wakes_the_workers(site: Site, keys: dict[str, Any], client: redis.Redis) -> None:
    client.flushall()
    site.browser("ola").answer("/console/emails/all/retry?state=failed", "1 e-mail")
    assert keys
    lane = b'"wake_jobs"'
    wait_for(lambda: any(lane in told for told in client.hgetall("dramatiq:varsel.msgs").values()))


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


def test_what_is_too_much_for_a_job_is_told_where_the_list_can_be_narrowed(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.jobs.MOST", 2)
    with store.write() as connection:
        for _ in range(3):
            add_order(connection, due_in=HOUR)
    browser, path = site.browser("ola"), "/console/orders/all/cancel"
    refused = browser.send(path, **fields(browser.get(f"{path}?creator=ttd").text))
    assert refused.status_code == 409
    assert "More than 2 match, which is the most for one job: narrow the list down. Nothing was done." in refused.text
    assert 'href="/console/orders?creator=ttd"' in refused.text
    with store.read() as connection:
        assert connection.execute(select(jobs.c.total)).all() == []


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
    browser.post(f"{path}/pause", reason="their weekend")
    assert "Nothing goes out while all webhooks are paused: 2 webhooks wait." in browser.get(f"{path}/resume").text


@pytest.mark.parametrize(("action", "asked"), [("resend", "Send again to all"), ("resend_failed", "to 1 recipient ")])
def test_a_new_order_is_linked_from_where_it_was_made(site: Site, store: Store, action: str, asked: str) -> None:
    with store.write() as connection:
        key = new_id(now())
        seq = add_order(connection, id=key, state=OrderState.COMPLETED)
        add_email(connection, seq, state=EmailState.FAILED, due_at=None)
    browser, path = site.browser("ola"), f"/console/orders/{key}"
    browser.answer(f"{path}/{action}", asked)
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
        (f"/orders/{order}/retry_failed", "Retry 1 address that failed?"),
        (f"/orders/{order}/resend_failed", "Send again to 1 recipient that failed?"),
        (f"/orders/{order}/resend", "1 address has it already, and gets it a second time."),
        (f"/orders/{waiting}/cancel", "Cancel this order to 2 recipients?"),
        (f"/orders/{waiting}/reschedule?{urlencode({'time': later})}", "Send this order to 2 recipients at another"),
        (f"/emails/{sent}/resend", "Send again to a@example.no?"),
        ("/drain", "Pause all orders, all e-mails, all fan-outs, all webhooks?"),
        ("/lanes/resume", "Resume all orders, all e-mails?"),
        ("/resume?kind=domain&value=example.no", "Resume mail to example.no?"),
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


def test_what_was_drained_goes_on_together(site: Site, store: Store) -> None:
    admin = site.browser("anna")
    admin.post("/console/drain")
    page = admin.get("/console/overview").text
    assert "All orders are paused by anna, without an end: to drain" in page
    assert page.count(">Resume …</button>") == len(LANES), "each lane's button stands once"
    assert '<form action="/console/lanes/resume"><button>Resume all lanes …</button></form>' in page
    admin.post("/console/lanes/resume")
    assert "All lanes are resumed." in admin.get("/console/overview").text
    with store.read() as connection:
        assert not in_force(connection).lanes
    assert admin.get("/console/lanes/resume").status_code == 409
