"""What operators do with the console, in a real browser."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import func, insert, select

from api.console.live import OF_ONE
from engine.db.tables import EMAIL_FAILED, emails, orders
from engine.models import EmailState, OrderState, new_id
from tests.e2e.browser.looks import clicks, go_to
from tests.helpers.client import connect
from tests.helpers.rows import add_order, now
from tests.helpers.waiting import wait_for
from tests.servers.site import stopped

if TYPE_CHECKING:
    from tests.e2e.browser.conftest import Site

MANY = 5_000


def test_a_failed_mail_is_found_understood_sent_again_and_seen_to_arrive_in_five_clicks(
    site: Site, request: pytest.FixtureRequest
) -> None:
    site.order("kari+550@example.no", subject="Your appointment")
    page = site.begin({"bypass_csp": True})
    expect(page.locator("#lane-emails .bad dd").last).to_have_text(re.compile(r"^[1-9]"))
    go_to(page, "E-mails")
    page.get_by_label("Narrow by").fill("kari+550@example.no")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="kari+550@example.no", exact=True).click()
    expect(page.locator("#why")).to_contain_text("550 5.1.1 the development inbox refuses")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator("h1")).to_contain_text("Sent")
    expect(page.locator("#timeline li.attempt")).to_have_count(2)
    go_to(page, "Inbox")
    expect(page.locator("article h2")).to_have_text("Your appointment")
    expect(page.locator("article .facts").first).to_contain_text("kari+550@example.no")
    assert clicks(page, request.node, "a mail that failed is found, sent again and seen to arrive") <= 5


def test_thousands_are_sent_again_with_a_progress_bar(site: Site) -> None:
    with site.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        row = {"order_seq": order, "expires_at": now(), "last_update": now(), "state": EmailState.FAILED_BOUNCED}
        row |= {"claim": 0, "unresolved": 0, "attempts": 1}
        rows = [row | {"id": new_id(now()), "address": f"many{number}@many.example"} for number in range(MANY)]
        connection.execute(insert(emails), rows)
    page = site.open("/console/emails?recipient=%40many.example&state=failed")
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("h1")).to_have_text("Retry: 5,000 e-mails")
    bar = page.get_by_role("progressbar")
    with stopped(site.running.pid("worker 1")):  # so that it begins when the page is open
        page.get_by_role("button", name="Retry").click()
        expect(page.locator("h1")).to_contain_text("Job")
        expect(bar).to_have_attribute("value", "0")
    expect(page.locator("h1 .state")).to_have_text("Done")
    expect(bar).to_have_attribute("value", str(MANY))  # without a reload
    go_to(page, "Who did what")
    expect(page.locator("tbody tr").first).to_contain_text("retried 5,000 e-mails, with job")
    page.goto(f"/console/emails/{rows[MANY // 2]['id']}")
    expect(page.locator("#history li")).to_contain_text(re.compile("local retried e-mail …[0-9a-f]+, with job"))
    page.locator("#history").get_by_role("link", name="job").click()
    expect(page.locator("h1")).to_contain_text("Job")
    with site.write() as connection:
        left = select(func.count()).where(EMAIL_FAILED, emails.c.address.like("%@many.example"))
        assert connection.execute(left.select_from(emails)).scalar_one() == 0


def test_a_paused_lane_stops_and_goes_on(site: Site) -> None:
    page = site.open("/console/overview")
    page.get_by_role("button", name="Pause all e-mails …").click()
    page.get_by_label("Why?").fill("the relay is being moved")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#sentence")).to_contain_text("All e-mails are paused by local")
    expect(page.locator("#lane-emails")).to_contain_text("paused")
    site.order("paused@example.no")
    expect(page.locator("#lane-emails")).to_contain_text(re.compile(r"Held by a pause\s*[1-9]"))
    page.goto("/console/emails?recipient=paused@example.no")
    page.get_by_role("link", name="paused@example.no", exact=True).click()
    expect(page.locator("#why")).to_have_text("All e-mails are paused.")
    assert not site.arrived("paused@example.no")
    page.goto("/console/overview")
    page.get_by_role("button", name="Resume all e-mails").click()
    expect(page.locator("main")).to_contain_text(re.compile(r"Goes out at once: [\d,]+ e-mail"))
    assert not site.arrived("paused@example.no")
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: site.arrived("paused@example.no"))


def test_a_paused_domain_holds_back_its_own_alone(site: Site) -> None:
    page = site.open("/console/overview")
    page.get_by_text("Pause a creator or a domain").click()
    page.get_by_label("Pause a", exact=True).select_option("domain")
    page.get_by_label("Name").fill("Held.example")
    page.get_by_role("button", name="Pause …", exact=True).last.click()
    page.get_by_label("Why?").fill("their server is down")
    page.get_by_role("button", name="Pause").click()
    said = page.locator(".finding", has_text="held.example")
    expect(said).to_contain_text("Mail to held.example is paused by local, without an end")
    site.order("kari@held.example", "ola@free.example")
    wait_for(lambda: site.arrived("ola@free.example"))
    expect(said).to_contain_text(": their server is down. The pause holds 1 e-mail.")
    expect(said).to_have_count(1)
    said.get_by_role("link", name="Show these e-mails").click()
    page.get_by_role("link", name="kari@held.example", exact=True).click()
    expect(page.locator("#why")).to_have_text("Mail to held.example is paused.")
    assert not site.arrived("kari@held.example")
    page.goto("/console/overview")
    page.get_by_role("button", name="Resume mail to held.example").click()
    asked = re.compile("is paused by local since .+, without an end: their server is down.")
    expect(page.locator("main p", has_text=asked).locator("time")).to_have_count(1)
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: site.arrived("kari@held.example"))


def test_an_open_page_follows_what_happens_and_comes_back_by_itself(site: Site) -> None:
    page = site.open("/console/emails")
    state = page.locator("[data-connection]")
    expect(state).to_have_text("live")
    site.order("live@example.no")
    expect(page.get_by_role("link", name="live@example.no", exact=True)).to_be_visible()
    state.evaluate(
        "state => { window.shown = []; new MutationObserver(() => shown.push(state.textContent))"
        ".observe(state, {childList: true}) }"
    )
    site.running.kill("web")
    wait_for(lambda: page.evaluate("shown")[:1] == ["connecting"])
    wait_for(lambda: page.evaluate("shown")[-1] == "live")
    site.order("again@example.no")
    expect(page.get_by_role("link", name="again@example.no", exact=True)).to_be_visible()
    site.complaints.clear()  # of the server that was away


def test_a_page_says_so_when_newer_ones_have_taken_its_place(site: Site) -> None:
    page = site.open("/console/emails")
    state = page.locator("[data-connection]")
    expect(state).to_have_text("live")
    with ExitStack() as stack:
        for _ in range(OF_ONE):
            client = stack.enter_context(connect())
            stream = client.stream("GET", page.url, headers={"Accept": "text/event-stream"})
            assert stack.enter_context(stream).status_code == 200
        expect(state).to_have_text("too many live pages: reload this one")
    page.reload()
    expect(state).to_have_text("live")


def test_the_keyboard_is_enough(site: Site) -> None:
    site.order("tab+550@example.no")
    page = site.open("/console/emails?recipient=tab%2B550@example.no")
    expect(page.get_by_role("link", name="tab+550@example.no", exact=True)).to_be_visible()

    def to(name: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            text = page.evaluate("document.activeElement.innerText || document.activeElement.name || ''")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", text
            if text.strip() == name:
                return
        pytest.fail(f"Tab does not lead to {name}")

    to("To the content")
    page.keyboard.press("Enter")
    to("tab+550@example.no")
    page.keyboard.press("Enter")
    expect(page.locator("#why")).to_contain_text("550")
    to("Retry")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Sent")


def test_without_javascript_the_same_can_be_done(site: Site) -> None:
    site.order("plain+550@example.no")
    wait_for(lambda: "plain+550" in site.open("/console/emails?state=failed", java_script_enabled=False).content())
    page = site.open("/console/emails", java_script_enabled=False)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Recipient", exact=True).fill("plain+550@example.no")
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("link", name="plain+550@example.no", exact=True).click()
    expect(page.locator(".facts time").first).to_contain_text("UTC")
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".told")).to_have_text("The e-mail is retried.")
    wait_for(lambda: site.arrived("plain+550@example.no"))


def test_an_order_is_sent_again_to_those_who_did_not_get_it_and_only_when_asked_for_to_all(site: Site) -> None:
    """It works without JavaScript, too: every step is a page."""
    order = site.order("has@example.no", "lacks+550@example.no")
    page = site.open(f"/console/orders/{order}", java_script_enabled=False)
    wait_for(lambda: (page.reload(), page.locator("h1").inner_text())[1].endswith("Completed"))
    page.get_by_role("button", name="Retry those that failed …").click()
    expect(page.locator("h1")).to_have_text("Retry 1 address that failed?")
    expect(page.locator("main")).to_contain_text("1 address has it, and gets nothing.")
    assert not site.arrived("lacks+550@example.no")
    page.get_by_role("button", name="Retry those that failed").click()
    expect(page.locator(".told")).to_have_text("The order is retried for those that failed.")
    wait_for(lambda: site.arrived("lacks+550@example.no"))
    wait_for(lambda: (page.reload(), page.locator("h1").inner_text())[1].endswith("Completed"))
    assert len(site.running.messages("has@example.no")) == 1
    expect(page.get_by_role("button", name="Retry those that failed …")).to_have_count(0)
    page.get_by_role("button", name="Send again to all …").click()
    expect(page.locator("main")).to_contain_text("2 addresses have it already, and get it a second time.")
    page.get_by_role("link", name="No").click()
    expect(page.locator("h1")).to_contain_text("Completed")
    assert len(site.running.messages("has@example.no")) == 1


def test_a_time_is_typed_as_the_page_shows_it(site: Site) -> None:
    at = now().replace(second=0, microsecond=0) + timedelta(days=30)
    order = site.order("later@example.no", requestedSendTime=at.isoformat())
    oslo = (at + timedelta(days=150)).astimezone(ZoneInfo("Europe/Oslo"))
    page = site.open(f"/console/orders/{order}")
    page.get_by_role("button", name="Reschedule …").click()
    page.get_by_label("New send time (Europe/Oslo)").fill(oslo.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#times time").last).to_contain_text(oslo.strftime("%H:%M"))
    page.get_by_role("button", name="Reschedule").click()
    expect(page.locator(".told")).to_have_text("The order is rescheduled.")
    with site.write() as connection:
        chosen = select(orders.c.requested_send_time).where(orders.c.id == UUID(order))
        assert connection.execute(chosen).scalar_one() == oslo
    page.goto("/console/orders?state=waiting")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("From (Europe/Oslo)").fill((now() + timedelta(hours=1)).strftime("%Y-%m-%d"))
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_label("From (Europe/Oslo)")).to_have_value(re.compile(r"\d{4}-\d\d-\d\dT00:00:00\+0[12]:00"))
    plain = site.open(f"/console/orders/{order}", java_script_enabled=False)
    plain.get_by_role("button", name="Reschedule …").click()
    plain.get_by_label("New send time (UTC)").fill(at.strftime("%Y-%m-%dT%H:%M"))
    plain.get_by_role("button", name="Continue").click()
    plain.get_by_role("button", name="Reschedule").click()
    expect(plain.locator(".told")).to_have_text("The order is rescheduled.")
    with site.write() as connection:
        assert connection.execute(chosen).scalar_one() == at
    page.goto("/console/orders?recipient=later@example.no")
    page.get_by_role("button", name="Reschedule …").click()
    page.get_by_label("New send time (Europe/Oslo)").fill(oslo.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("Reschedule: 1 order")
    expect(page.locator("#times time")).to_contain_text(oslo.strftime("%H:%M"))
    page.get_by_role("button", name="Reschedule: 1 order").click()
    expect(page.locator("#title")).to_contain_text("reschedule orders")
    plain.goto(f"/console/orders/{order}")
    plain.get_by_role("button", name="Cancel …").click()
    expect(plain.locator("h1")).to_have_text("Cancel this order to 1 recipient?")
    plain.get_by_role("button", name="Cancel").click()
    expect(plain.locator("h1")).to_contain_text("Cancelled")


def test_signing_in_leads_to_the_page_that_was_asked_for(guarded_site: Site) -> None:
    page = guarded_site.open("/console/emails?state=failed")
    page.get_by_label("Name").fill("kari")
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")
    page.get_by_label("Name").fill("kari")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/console/emails\?state=failed$"))
    expect(page.locator(".me")).to_contain_text("kari viewer")
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    page.goto("/console/overview")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    guarded_site.complaints[:] = [each for each in guarded_site.complaints if "403" not in each]
