"""What an operator who is called at night does first: find a mail, find an order and act on it, read the time."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from engine.db.tables import orders
from tests.e2e.browser.test_pages import RULES
from tests.helpers.rows import now
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.browser.conftest import Site

CLICKS = (
    "addEventListener('click', () => sessionStorage.setItem('clicks', 1 + +sessionStorage.getItem('clicks')), true)"
)
LOOKS = [
    pytest.param({"viewport": {"width": width, "height": 900}, "color_scheme": scheme}, id=f"{width}-{scheme}")
    for width in (1440, 360)
    for scheme in ("light", "dark")
]
PICTURES = os.environ.get("PICTURES")  # a folder in which to keep what these pages look like


def begin(site: Site, look: dict[str, Any], path: str = "/console") -> Page:
    """A page on which clicks are counted; Enter in a form clicks its button."""
    page = site.open(path, bypass_csp=True, **look)
    page.add_init_script(CLICKS)
    page.reload()
    return page


def check(page: Page, name: str, look: dict[str, Any]) -> None:
    """It has no barrier, and is no wider than the screen."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = page.evaluate("(rules) => axe.run({runOnly: rules, resultTypes: ['violations']})", RULES)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == [], name
    assert page.evaluate("document.documentElement.scrollWidth") <= look["viewport"]["width"], name
    if PICTURES:
        kind = f"{look['viewport']['width']}-{look['color_scheme']}"
        page.screenshot(path=Path(PICTURES) / f"{name}-{kind}.png", full_page=True)


def clicks(page: Page, task: str) -> int:
    count = int(page.evaluate("Number(sessionStorage.getItem('clicks'))"))
    print(f"{task}: {count} clicks")  # noqa: T201 it is what the test is for
    return count


def find(page: Page, scrap: str) -> None:
    box = page.get_by_role("searchbox", name="Find")
    box.fill(scrap)
    box.press("Enter")
    expect(page.locator("h1")).to_contain_text(f"“{scrap}”")


@pytest.mark.parametrize("look", LOOKS)
def test_kari_did_not_get_her_mail(site: Site, look: dict[str, Any]) -> None:
    name = f"kari{uuid4().hex[:8]}"
    lost, sent = f"{name}+550@night.example", f"{name}-ola@night.example"
    order = site.order(lost, sent, subject="Your appointment", sendersReference=f"sak/{name}")
    wait_for(lambda: site.arrived(sent))
    page = begin(site, look)

    def failed() -> bool:
        find(page, name)
        return page.locator("#found-emails .found li", has_text="Failed").count() == 1

    wait_for(failed)
    page.evaluate("sessionStorage.clear()")
    find(page, name)
    mails = page.locator("#found-emails .found li")
    expect(mails).to_have_count(2)
    expect(mails.filter(has_text="Failed").locator(".answer")).to_contain_text("550 5.1.1")
    answer = mails.filter(has_text="Succeeded").locator(".answer")
    expect(answer).to_contain_text("250 2.0.0 kept as")
    check(page, "find", look)
    queue_id = answer.inner_text().split()[-1]
    page.get_by_role("link", name=lost).click()
    expect(page.locator("#why")).to_contain_text("550 5.1.1")
    assert clicks(page, "Kari did not get her mail") <= 2
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
    check(page, "find-nothing", look)
    page.get_by_role("searchbox", name="Find").fill(order)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/console/orders/{order}$"))


@pytest.mark.parametrize("look", LOOKS)
def test_find_reschedule_send_now_and_cancel_an_order(site: Site, look: dict[str, Any]) -> None:
    name = f"ola{uuid4().hex[:8]}"
    at = now().replace(second=0, microsecond=0) + timedelta(days=30)
    first = site.order(f"{name}@later.example", "eva@later.example", requestedSendTime=at.isoformat(), subject="Later")
    site.order(f"{name}@other.example", requestedSendTime=at.isoformat(), subject="Never")
    oslo = (at + timedelta(days=150)).astimezone(ZoneInfo("Europe/Oslo"))
    page = begin(site, look)
    find(page, f"{name}@later.example")
    expect(page.locator("#found-orders .answer")).to_have_text("Waits for its send time.")
    page.get_by_role("link", name="Later").click()
    field = page.get_by_label("New send time (Europe/Oslo)")
    expect(field).to_have_attribute("type", "datetime-local")
    check(page, "order-to-come", look)
    field.fill("2099-03-29T02:30")
    page.get_by_role("button", name="Reschedule …").click()
    expect(page.get_by_role("alert")).to_contain_text("2099-03-29 02:30 does not exist here")
    site.complaints[:] = [each for each in site.complaints if "400" not in each]
    expect(field).to_have_value("2099-03-29T02:30")
    expect(field).to_have_attribute("aria-describedby", "time-wrong")
    check(page, "reschedule-wrong", look)
    field.fill(oslo.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("h1")).to_have_text("Send this order to 2 recipients at another time?")
    expect(page.locator("#times time").last).to_contain_text(oslo.strftime("%H:%M"))
    check(page, "reschedule", look)
    page.get_by_role("button", name="Yes, reschedule").click()
    expect(page.locator(".told")).to_have_text("Done: rescheduled.")
    assert clicks(page, "find and reschedule an order, with a wrong time on the way") <= 5
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
    check(page, "cancel", look)
    page.get_by_role("button", name="Yes, cancel").click()
    expect(page.locator("h1")).to_contain_text("Cancelled")
    assert clicks(page, "find, reschedule, send now and cancel") <= 11


@pytest.mark.parametrize("look", LOOKS)
def test_times_are_in_one_zone_which_the_page_names_and_the_reader_may_change(site: Site, look: dict[str, Any]) -> None:
    at = "2098-07-01T20:05:00Z"
    order = site.order("times@example.no", requestedSendTime=at)
    page = begin(site, look, f"/console/orders/{order}")
    time = page.locator(f'time[datetime="{at[:-1]}.000Z"]').first
    expect(time).to_contain_text("22:05:00")
    expect(page.locator("footer")).to_have_text("Times are in Europe/Oslo")
    page.locator("footer a").click()
    page.get_by_label("Show and read times in").select_option("America/New_York")
    check(page, "zone", look)
    page.get_by_role("button", name="Keep").click()
    expect(time).to_contain_text("16:05:00")
    expect(page.locator("footer")).to_have_text("Times are in America/New_York")
    expect(page.get_by_label("New send time (America/New_York)")).to_be_visible()
    assert clicks(page, "another time zone") <= 3
    american = site.open(f"/console/orders/{order}", locale="en-US")
    expect(american.locator(f'time[datetime="{at[:-1]}.000Z"]').first).to_contain_text("10:05:00 PM")
    plain = site.open(f"/console/orders/{order}", java_script_enabled=False)
    expect(plain.locator(f'time[datetime="{at[:-1]}.000Z"]').first).to_have_text("2098-07-01 20:05:00 UTC")
    expect(plain.locator("footer")).to_have_text("Times are in UTC")
    expect(plain.get_by_label("New send time (UTC)")).to_be_visible()
