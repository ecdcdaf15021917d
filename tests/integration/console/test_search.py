"""The console's search box, and what its pages find and say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from engine.db.tables import email_attempts, orders
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.queue import epoch
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site

HOUR = timedelta(hours=1)


def test_the_search_box_finds_orders_and_emails_by_identifier(site: Site, store: Store, keys: dict[str, Any]) -> None:
    browser = site.browser("kari")
    for resource in ("orders", "emails"):
        assert (
            browser.get(f"/console/find?q={keys[resource]}").headers["location"]
            == f"/console/{resource}/{keys[resource]}"
        )
    chain = new_id(now())
    with store.write() as connection:
        add_order(connection, chain_id=chain, due_in=HOUR)
        add_order(connection, chain_id=chain, kind="Reminder")
        first = connection.scalar(select(orders.c.id).where(orders.c.chain_id == chain, orders.c.kind != "Reminder"))
    assert browser.get(f"/console/find?q={chain}").headers["location"] == f"/console/orders/{first}"
    page = asyncio.run(site.browser("ola").client.get(f"/console/orders/{chain}")).text
    assert f'action="/console/orders/{first}/cancel"' in page, "what is done there is done to that order"
    typed = urlencode({"q": f"<{keys['emails']}@varsel.example>"})
    assert browser.get(f"/console/find?{typed}").headers["location"] == f"/console/emails/{keys['emails']}"


@pytest.mark.parametrize("typed", ["a\x00b", "x" * 401], ids=["NUL", "long"])
def test_what_cannot_be_a_name_is_refused_by_the_search_box(site: Site, typed: str) -> None:
    for operator in ("ola", "kari"):
        answer = asyncio.run(site.browser(operator).client.get("/console/find", params={"q": typed}))
        assert answer.status_code == 400
        assert "none of them control characters" in answer.text


def test_what_is_found_is_grouped_with_its_state_and_last_answer(site: Site, store: Store) -> None:
    event = an_event()
    with store.write() as connection:
        add_order(connection, due_in=HOUR, recipients='[{"emailAddress":"ola@example.no"}]')
        order = add_order(connection, state=OrderState.COMPLETED, senders_reference="invoice 7", subject="Invoice")
        sent = add_email(connection, order, state=EmailState.SUCCEEDED, due_at=None, address="ola@example.no")
        lost = add_email(connection, order, state=EmailState.FAILED_BOUNCED, due_at=None, address="eva@example.no")
        add_email(connection, order, state=EmailState.FAILED_RECIPIENT_RESERVED, due_at=None, address="ola@other.no")
        line = {"claim": 1, "at": now(), "duration_ms": 1, "relay": "relay:25"}
        good = {"email_seq": sent, "outcome": "accepted", "code": 250, "reply": "queued as 4Xk2", "queue_id": "4Xk2"}
        bad = {"email_seq": lost, "outcome": "rejected", "code": 550, "reply": "no such user", "queue_id": None}
        connection.execute(email_attempts.insert(), [line | good, line | bad])
        persist(connection, [event])
    browser = site.browser("ola")

    def found(typed: str) -> str:
        return browser.get(f"/console/find?{urlencode({'q': typed})}").text

    page = found("ola@example.no")
    assert "250 queued as 4Xk2" in page
    assert "Waits for its send time." in page, "an order that has no e-mails yet"
    assert 'href="/console/orders?recipient=ola%40example.no&amp;state=waiting"' in page
    assert 'href="/console/emails?recipient=ola%40example.no"' in page
    assert "The recipient has declined electronic communication." in found("ola@other.no"), "nobody was asked"
    page = found("invoice 7")
    assert "550 no such user" in page, "of an order's e-mails, what one that failed was answered"
    assert page.partition("</main>")[0].count("<h2") == 2
    assert "queued as 4Xk2" in found("4Xk2")
    assert "ola@example.no" in found("250 2.0.0 Ok: queued as 4Xk2"), "a reply that was copied"
    assert event.type in found(event.id)
    assert "No subscription matched." in found(event.id)
    assert "Nothing was found" in found("nobody@example.no")
    assert "What can be found" in found("")


def test_an_event_that_nobody_was_told_of_yet_says_so(site: Site, store: Store) -> None:
    event = an_event()
    with store.write() as connection:
        add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [event])
    page = site.browser("ola").get(f"/console/find?{urlencode({'q': event.id})}").text
    assert page.count("Not tried yet.") == 2, "the event, and its delivery"


def test_orders_without_emails_are_told_of_beside_a_list_of_emails(site: Site, store: Store) -> None:
    with store.write() as connection:
        for _ in range(3):
            add_order(connection, due_in=HOUR, recipients='[{"emailAddress":"ola@example.no"}]')
    page = site.browser("ola").get("/console/emails?recipient=ola%40example.no").text
    assert '<a href="/console/orders?recipient=ola%40example.no&amp;state=waiting">3 orders</a>' in page


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
    assert 'data-label="Last answer">250 2.0.0 queued</td>' in page
    assert 'data-label="Last answer">not reached: Connection refused</td>' in page, "it was not tried"


def test_a_pause_of_a_creator_stands_in_the_sentence_and_an_unknown_one_is_told_of(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_order(connection)
    admin = site.browser("anna")
    for creator, doubted in (("ttd", False), ("tdd", True)):
        asked = admin.get(f"/console/pause?kind=creator&value={creator}").text
        assert ("Nobody has heard of the creator" in asked) is doubted
        assert ("Is it ttd?" in asked) is doubted
        admin.post("/console/pause", kind="creator", value=creator, reason="a test")
        assert f"Paused: what {creator} orders." in admin.get("/console/overview").text
    page = admin.get("/console/overview").text
    for creator in ("ttd", "tdd"):
        assert page.count(f"What {creator} orders is paused by anna, without an end: a test.") == 1


def test_the_overview_says_how_much_an_older_database_would_do_again(site: Site, store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, state=OrderState.PROCESSED), due_in=-HOUR)
        epoch.restored(connection)
    overview = site.browser("anna").get("/console/overview").text
    assert '<a href="/console/emails?state=repeated">1 e-mail</a>, <a href="/console/deliveries' in overview
    assert "is paused: 0 orders, 1 e-mail, 0 webhooks." in overview
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
    where = "when it was told the recipient; it is not tried again"
    assert f"The relay relay:25 did not take it {where}. It said: 550 \u2022\u2022\u2022" in page
    assert "is unknown" not in page
