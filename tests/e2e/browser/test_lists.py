"""Tasks in lists, and by keyboard alone, on a desk and on a phone, without barriers in both colours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import insert, select

from engine.admin.pausing import pause_subscription
from engine.db.tables import email_attempts, emails
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from tests.e2e.browser.looks import barriers, clicks
from tests.helpers import suite
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.browser.conftest import Site

MANY = 7
NARROW = 640  # pixels, below which a row of a list is a block


def failed(site: Site, domain: str, number: int = MANY) -> list[str]:
    """So many e-mails to addresses of a domain that have failed."""
    addresses = [f"person{each}@{domain}" for each in range(number)]
    row = {"expires_at": now(), "last_update": now(), "state": EmailState.FAILED_BOUNCED}
    row |= {"claim": 0, "unresolved": 0, "attempts": 1}
    with site.write() as connection:
        row["order_seq"] = add_order(connection, state=OrderState.COMPLETED)
        connection.execute(insert(emails), [row | {"id": new_id(now()), "address": each} for each in addresses])
    return addresses


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


@dataclass
class Keys:
    """A keyboard whose strokes are counted; what is typed into a field is not."""

    page: Page
    count: int = 0

    def press(self, *keys: str) -> None:
        press(self.page, *keys)
        self.count += len(keys)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)

    def told(self, test: pytest.Item, task: str) -> int:
        """How many so far; they are told at the end of the run."""
        suite.tell(test, f"{task}: {self.count} keys at {width(self.page)} px")
        return self.count


def width(page: Page) -> int:
    return page.viewport_size["width"] if page.viewport_size else 0


def test_by_keyboard_to_a_pause_and_to_a_failed_mail_and_back(site: Site, screen: dict[str, Any]) -> None:
    """Not one Tab."""
    page = site.begin(screen)
    [address] = failed(site, f"keys-{width(page)}.example", 1)
    press(page, "j", "j")
    expect(page.locator(":focus")).to_have_accessible_name("Pause all e-mails …")
    press(page, "Enter")
    expect(page.locator("h1")).to_have_text("Pause all e-mails?")
    press(page, "Escape", "g", "e")
    expect(page.locator("h1")).to_have_text("E-mails")
    press(page, "f")
    page.keyboard.type(f"failed @{address.partition('@')[2]}")
    press(page, "Enter")
    expect(page.locator("#total")).to_have_text("1 e-mail")
    press(page, "j")
    expect(page.locator(":focus")).to_have_accessible_name(address)
    assert barriers(page) == []
    press(page, "Enter")
    expect(page.locator("h1")).to_contain_text(address)
    press(page, "a")
    expect(page.locator(":focus")).to_have_text("Retry")
    press(page, "/")
    page.keyboard.type("g o")
    expect(page.locator("#find")).to_have_value("g o")
    press(page, "Escape", "g", "o")
    expect(page).to_have_url(re.compile(r"/console/overview$"))
    expect(page.get_by_role("button", name="Keyboard shortcuts")).to_be_visible()
    press(page, "a")
    expect(page.locator(":focus")).to_have_text("Pause a creator or a domain, or drain all")


def test_by_keyboard_mail_is_paused_with_a_reason_and_goes_on(
    site: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    page, reason = site.begin(screen), "the server is being moved"
    keys = Keys(page)
    keys.press("j", "j", "Enter")
    expect(page.locator(":focus")).to_have_accessible_name("Why? Others see it.")
    assert barriers(page) == []
    keys.type(reason)
    keys.press("Enter")
    expect(page.locator(".told")).to_have_text("Paused: all e-mails.")
    expect(page.locator("#sentence")).to_contain_text(reason)
    assert keys.told(request.node, "mail is paused, with a reason") <= 4
    keys.press("j")
    expect(page.locator(":focus")).to_have_accessible_name("Resume all e-mails")
    keys.press("Enter")
    expect(page.locator("h1")).to_have_text("Resume all e-mails?")
    keys.press("a", "Enter")
    expect(page.locator(".told")).to_be_visible()
    expect(page.locator("#sentence")).not_to_contain_text(reason)
    assert keys.told(request.node, "mail is paused, and goes on") <= 8


def test_by_keyboard_two_of_many_are_retried_to_the_very_end(
    site: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """From the first page to the job that has ended, and to what became of them."""
    page, domain = site.begin(screen), f"retried-{screen['viewport']['width']}.example"
    failed(site, domain)
    keys = Keys(page)
    keys.press("g", "e")
    expect(page.locator("h1")).to_have_text("E-mails")
    keys.press("f")
    expect(page.locator(":focus")).to_have_accessible_name("Narrow by")
    keys.type(f"failed @{domain}")
    keys.press("Enter")
    expect(page.locator("#total")).to_have_text(f"{MANY} e-mails")
    keys.press("j", "x", "j", "x")
    expect(page.get_by_role("status").filter(has_text="2 selected")).to_be_visible()
    keys.press("a")
    expect(page.locator(":focus")).to_have_text("Retry 2 selected …")
    keys.press("Enter")
    expect(page.locator("h1")).to_have_text("Retry: 2 e-mails")
    keys.press("a")
    expect(page.locator(":focus")).to_have_text("Yes, retry: 2 e-mails")
    assert barriers(page) == []
    keys.press("Enter")
    expect(page.locator("h1")).to_contain_text(re.compile(r"^Job \d+: retry e-mails"))
    expect(page.locator("h1 .state")).to_have_text("Done")
    expect(page.locator("#now")).to_contain_text(re.compile(r"2\s+sent"))
    assert keys.told(request.node, "two of many e-mails are retried, up to the job's end") <= 12


def test_keys_are_listed_and_can_be_switched_off(site: Site, screen: dict[str, Any]) -> None:
    page = site.open("/console/orders", **screen)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    assert barriers(page) == []
    press(page, "g", "e", "Escape")
    expect(dialog).to_be_hidden()
    press(page, "Control+g", "e")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    dialog.get_by_role("checkbox").uncheck()
    dialog.get_by_role("button", name="Close").click()
    page.reload()
    press(page, "g", "e", "?")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(dialog.get_by_role("checkbox")).not_to_be_checked()
    assert page.url.endswith("/console/orders")
    dialog.get_by_role("checkbox").check()
    press(page, "Escape", "g", "e")
    expect(page.locator("h1")).to_have_text("E-mails")


def test_a_list_is_narrowed_and_a_chip_removed(
    site: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    page = site.begin(screen, "/console/emails")
    domain = f"chips-{width(page)}.example"
    failed(site, domain)
    field = page.get_by_label("Narrow by", exact=True)
    field.fill(f"stat:failed @{domain}")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("alert")).to_contain_text("This list has no key stat. Did you mean state:failed?")
    expect(field).to_have_value(f"stat:failed @{domain}")
    assert barriers(page) == []
    field.fill(f"state:failed @{domain}")
    field.press("Enter")
    expect(page.locator("#total")).to_have_text(f"{MANY} e-mails")
    assert page.url.endswith(f"/console/emails?state=failed&recipient=%40{domain}")
    assert barriers(page) == []
    page.get_by_role("link", name=f"Remove: Recipient @{domain}").click()
    expect(page.get_by_label("Narrowed by").locator("li")).to_have_count(1)
    assert page.url.endswith("/console/emails?state=failed")
    assert clicks(page, request.node, "a list is narrowed, and a condition removed") <= 3
    site.complaints[:] = [each for each in site.complaints if "400" not in each]


def test_three_of_many_are_retried(site: Site, screen: dict[str, Any], request: pytest.FixtureRequest) -> None:
    page = site.begin(screen)
    domain = f"some-{width(page)}.example"
    addresses = failed(site, domain)
    page.goto(f"/console/emails?state=failed&recipient=%40{domain}")
    for address in addresses[1:3]:
        page.get_by_role("checkbox", name=f"Select {address}").check()
    page.get_by_role("checkbox", name=f"Select {addresses[3]}").focus()
    press(page, "x")
    expect(page.get_by_role("status").filter(has_text="3 selected")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="Retry 3 selected …").click()
    expect(page.locator("h1")).to_have_text("Retry: 3 e-mails")
    expect(page.locator("#sample li")).to_have_count(3)
    page.get_by_role("button", name="Retry: 3 e-mails").click()
    expect(page.locator("h1 .state")).to_have_text("Done")
    wait_for(lambda: all(site.arrived(address) for address in addresses[1:4]))
    assert clicks(page, request.node, "three of many e-mails are retried") <= 5
    page.goto(f"/console/emails?state=failed&recipient=%40{domain}")
    expect(page.locator("#total")).to_have_text(f"{MANY - 3} e-mails")


def test_rows_are_selected_without_javascript(site: Site) -> None:
    addresses = failed(site, "plain-list.example")
    page = site.open("/console/emails?recipient=%40plain-list.example", java_script_enabled=False)
    page.get_by_role("link", name="Select all rows of this page").click()
    page.get_by_role("checkbox", name=f"Select {addresses[0]}").uncheck()
    page.get_by_role("button", name="Retry selected …").click()
    expect(page.locator("h1")).to_have_text(f"Retry: {MANY - 1} e-mails")


FILLED = ("orders", "events", "subscriptions", "audit")
OTHERS = ("deliveries", "jobs", "recurring", "keys", "senders")  # which may have no rows here


@pytest.mark.phone
def test_each_list_is_read_without_scrolling_sideways(site: Site, screen: dict[str, Any]) -> None:
    domain = f"a-rather-long-name-of-a-domain-{screen['viewport']['width']}.example"
    addresses = failed(site, domain)
    reply = "5.1.1 <somebody>: Recipient address rejected: User unknown in virtual mailbox table " * 2
    with site.write() as connection:
        seqs = connection.scalars(select(emails.c.seq).where(emails.c.address.in_(addresses))).all()
        line = {"claim": 1, "at": now(), "duration_ms": 5, "relay": "relay:25", "outcome": "rejected", "code": 550}
        connection.execute(insert(email_attempts), [line | {"email_seq": seq, "reply": reply} for seq in seqs])
        order = add_order(connection, state=OrderState.COMPLETED)
        sent = add_email(connection, order, address=f"sent@{domain}", state=EmailState.SUCCEEDED, due_at=None)
        accepted = {"email_seq": sent, "outcome": "accepted", "code": 250, "reply": "2.0.0 queued"}
        connection.execute(insert(email_attempts), [line | accepted])
        receiver = f"https://receiver.{domain}/a/long/path/of/an/endpoint/that/takes/events"
        subscription = add_subscription(connection, receiver, resource_filter=f"urn:altinn:resource:{domain}")
        persist(connection, [an_event()])
        pause_subscription(connection, "anna", subscription, "they asked for it")
    options = screen | {"locale": "en-US"}  # in which times are widest
    page = site.open(**options)
    for name in (f"emails?recipient=%40{domain}", *FILLED, *OTHERS):
        page.goto(f"/console/{name}")
        table = page.locator("#list .wide")
        expect(page.locator("h1") if name in OTHERS else table).to_be_visible()
        assert barriers(page) == [], name
        if table.count() and width(page) < NARROW:
            assert table.evaluate("(table) => table.scrollWidth <= table.clientWidth"), name


@pytest.mark.phone
def test_on_any_screen_a_row_has_its_cells_and_the_list_is_turned(site: Site, screen: dict[str, Any]) -> None:
    domain = f"cells-{screen['viewport']['width']}.example"
    addresses = failed(site, domain)
    page = site.open(f"/console/emails?state=failed&recipient=%40{domain}", **screen)
    rows = page.get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(1 + MANY)
    first = rows.nth(1).get_by_role("cell")
    expect(first).to_have_count(10)
    for text in ("Failed: bounced", "Hei"):
        expect(first.filter(has_text=text)).to_be_in_viewport(ratio=1)
    page.get_by_role("columnheader", name="Created").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Created")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("checkbox", name="Select all rows of this page").check()
    expect(page.get_by_role("button", name=f"Retry {MANY} selected …")).to_be_visible()
    expect(page.get_by_role("button", name="Send now")).to_have_count(0)
    page.get_by_role("checkbox", name=f"Select {addresses[0]}").uncheck()
    expect(page.get_by_role("button", name=f"Retry {MANY - 1} selected …")).to_be_visible()
