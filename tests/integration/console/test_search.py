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


@pytest.mark.parametrize(
    ("typed", "leads"),
    [("kari@example.no", "/console/emails?recipient=kari%40example.no"), ("ref 1", "/console/orders?reference=ref+1")],
)
def test_the_search_box_leads_to_what_was_typed(site: Site, typed: str, leads: str) -> None:
    answer = asyncio.run(site.browser("ola").client.get("/console/find", params={"q": typed}))
    assert answer.headers["location"] == leads


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
    assert "2 creators are paused: ttd, tdd." in page


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
    assert f"The relay relay:25 did not take it {where}. It said: \u2022\u2022\u2022" in page
    assert "is unknown" not in page
