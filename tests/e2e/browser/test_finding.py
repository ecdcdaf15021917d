"""What an operator who is called at night does first: find a mail, find an order and act on it, read the time."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from playwright.sync_api import expect
from sqlalchemy import select

from engine.db.tables import orders
from tests.e2e.browser.looks import barriers, clicks
from tests.helpers.rows import now
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    import pytest
    from playwright.sync_api import Page

    from tests.e2e.browser.conftest import Site


def find(page: Page, scrap: str) -> None:
    box = page.get_by_role("searchbox", name="Find")
    box.fill(scrap)
    box.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"“{scrap}”")


def test_kari_did_not_get_her_mail(site: Site, screen: dict[str, Any], request: pytest.FixtureRequest) -> None:
    name = f"kari{uuid4().hex[:8]}"
    lost, sent = f"{name}+550@night.example", f"{name}-ola@night.example"
    order = site.order(lost, sent, subject="Your appointment", sendersReference=f"sak/{name}")
    wait_for(lambda: site.arrived(sent))
    page = site.begin(screen)

    def failed() -> bool:
        find(page, name)
        return page.locator("#found-emails .found li", has_text="Failed").count() == 1

    wait_for(failed)
    page.evaluate("sessionStorage.clear()")
    find(page, name)
    mails = page.locator("#found-emails .found li")
    expect(mails).to_have_count(2)
    expect(mails.filter(has_text="Failed").locator(".answer")).to_contain_text("550 5.1.1")
    answer = mails.filter(has=page.get_by_text("Sent", exact=True)).locator(".answer")
    expect(answer).to_contain_text("250 2.0.0 kept as")
    assert barriers(page) == []
    queue_id = answer.inner_text().split()[-1]
    page.get_by_role("link", name=lost).click()
    expect(page.locator("#why")).to_contain_text("550 5.1.1")
    assert clicks(page, request.node, "Kari did not get her mail") <= 2
    find(page, queue_id)
    expect(page.locator("#found-emails .found li")).to_have_count(1)
    expect(page.locator("#found-emails .found li")).to_contain_text(sent)
    find(page, f"sak/{name}")
    expect(page.locator("#found-orders .found li")).to_contain_text("Completed")
    expect(page.locator("#found-orders .found li .answer")).to_contain_text("550 5.1.1")
    expect(page.locator("#found-emails .found li")).to_have_count(2)
    page.locator("#found-emails .ways a").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    find(page, order[:20])
    expect(page.locator("#found-orders")).to_contain_text("Your appointment")
    find(page, "nobody-has-this")
    expect(page.locator("main")).to_contain_text("Nothing was found.")
    expect(page.locator(".can")).to_contain_text("The middle of an address is not found.")
    expect(page.locator("#tries li")).to_contain_text(
        ["Of an address, type the beginning", "anywhere in their recipients"]
    )
    assert barriers(page) == []
    find(page, f"…{order[-8:]}")
    expect(page.locator("#found-orders .found li")).to_contain_text("Your appointment")
    page.get_by_role("searchbox", name="Find").fill(order)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/console/orders/{order}$"))


def test_find_reschedule_send_now_and_cancel_an_order(
    site: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    name = f"ola{uuid4().hex[:8]}"
    at = now().replace(second=0, microsecond=0) + timedelta(days=30)
    first = site.order(f"{name}@later.example", "eva@later.example", requestedSendTime=at.isoformat(), subject="Later")
    site.order(f"{name}@other.example", requestedSendTime=at.isoformat(), subject="Never")
    oslo = (at + timedelta(days=150)).astimezone(ZoneInfo("Europe/Oslo"))
    page = site.begin(screen)
    find(page, f"{name}@later.example")
    expect(page.locator("#found-orders .answer")).to_have_text("Waits for its send time.")
    page.get_by_role("link", name="Later").click()
    assert barriers(page) == []
    page.get_by_role("button", name="Reschedule …").click()
    field = page.get_by_label("New send time (Europe/Oslo)")
    expect(field).to_have_attribute("type", "datetime-local")
    expect(field).to_be_focused()
    expect(field).to_have_value(at.astimezone(ZoneInfo("Europe/Oslo")).strftime("%Y-%m-%dT%H:%M"))
    assert barriers(page) == []
    field.fill("2099-03-29T02:30")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_contain_text("2099-03-29 02:30 does not exist here")
    site.complaints[:] = [each for each in site.complaints if "400" not in each]
    expect(field).to_have_value("2099-03-29T02:30")
    expect(field).to_have_attribute("aria-describedby", "time-wrong")
    assert barriers(page) == []
    field.fill(oslo.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("h1")).to_have_text("Send this order to 2 recipients at another time?")
    expect(page.locator("#times time").last).to_contain_text(oslo.strftime("%H:%M"))
    assert barriers(page) == []
    page.get_by_role("button", name="Yes, reschedule").click()
    expect(page.locator(".told")).to_have_text("The order is rescheduled.")
    assert clicks(page, request.node, "find and reschedule an order, with a wrong time on the way") <= 6
    with site.write() as connection:
        chosen = select(orders.c.requested_send_time).where(orders.c.id == UUID(first))
        assert connection.execute(chosen).scalar_one() == oslo
    page.get_by_role("button", name="Send now …").click()
    expect(page.locator("h1")).to_have_text("Send this order to 2 recipients now?")
    expect(page.locator("main")).to_contain_text("What is sent cannot be called back.")
    page.get_by_role("button", name="Yes, send now").click()
    expect(page.locator("h1")).to_contain_text("Completed")
    assert site.arrived(f"{name}@later.example")
    find(page, f"{name}@other.example")
    page.get_by_role("link", name="Never").click()
    page.get_by_role("button", name="Cancel …").click()
    expect(page.locator("h1")).to_have_text("Cancel this order to 1 recipient?")
    expect(page.locator("main")).to_contain_text("This cannot be undone")
    assert barriers(page) == []
    page.get_by_role("button", name="Yes, cancel").click()
    expect(page.locator("h1")).to_contain_text("Cancelled")
    assert clicks(page, request.node, "find, reschedule, send now and cancel") <= 12


def test_times_are_in_one_zone_which_the_page_names_and_the_reader_may_change(
    site: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    at = "2098-07-01T20:05:00Z"
    order = site.order("times@example.no", requestedSendTime=at)
    page = site.begin(screen, f"/console/orders/{order}")
    time = page.locator(f'time[datetime="{at[:-1]}.000Z"]').first
    expect(time).to_contain_text("22:05:00")
    expect(page.locator("footer")).to_contain_text("Times are in Europe/Oslo")
    page.locator("footer a").first.click()
    page.get_by_label("Show and read times in").select_option("America/New_York")
    assert barriers(page) == []
    page.get_by_role("button", name="Keep").click()
    expect(time).to_contain_text("16:05:00")
    expect(page.locator("footer")).to_contain_text("Times are in America/New_York")
    assert clicks(page, request.node, "another time zone") <= 3
    page.get_by_role("button", name="Reschedule …").click()
    expect(page.get_by_label("New send time (America/New_York)")).to_have_value("2098-07-01T16:05")
    american = site.open(f"/console/orders/{order}", locale="en-US")
    expect(american.locator(f'time[datetime="{at[:-1]}.000Z"]').first).to_contain_text("10:05:00 PM")
    plain = site.open(f"/console/orders/{order}", java_script_enabled=False)
    expect(plain.locator(f'time[datetime="{at[:-1]}.000Z"]').first).to_have_text("2098-07-01 20:05:00 UTC")
    expect(plain.locator("footer")).to_contain_text("Times are in UTC")
    plain.get_by_role("button", name="Reschedule …").click()
    expect(plain.get_by_label("New send time (UTC)")).to_have_value("2098-07-01T20:05")
