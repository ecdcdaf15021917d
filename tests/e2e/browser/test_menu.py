"""The navigation: a row on a desk, a menu on a phone, for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.e2e.browser.looks import barriers, go_to

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.e2e.browser.conftest import Site

PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 900}, "bypass_csp": True}
DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}, "bypass_csp": True}


def menu(page: Page) -> Locator:
    return page.get_by_text("Menu", exact=True)


def links(page: Page) -> list[str]:
    return page.get_by_role("navigation", name="Console").get_by_role("link").all_inner_texts()


def lines(page: Page) -> int:
    """How many rows of text the navigation takes."""
    return int(page.evaluate("Math.round(document.querySelector('header nav').getBoundingClientRect().height / 36)"))


def test_a_phone_has_every_page_in_a_menu_of_one_row(site: Site) -> None:
    desk, phone = site.open("/console/orders", **DESK), site.open("/console/orders", **PHONE)
    expect(menu(desk)).to_be_hidden()
    assert links(phone) == []
    assert (lines(desk), lines(phone)) == (1, 1)
    assert barriers(phone) == []
    menu(phone).click()
    assert links(phone) == links(desk)
    assert len(links(phone)) > 10
    expect(phone.get_by_role("link", name="Orders", exact=True)).to_have_attribute("aria-current", "page")
    assert barriers(phone) == []
    phone.locator("h1").click(position={"x": 1, "y": 1}, force=True)
    expect(phone.get_by_role("link", name="Jobs", exact=True)).to_be_hidden()


def test_the_menu_opens_and_closes_by_keyboard_and_says_whether_it_is_open(site: Site) -> None:
    page = site.open("/console/orders", **PHONE)
    summary = menu(page)
    summary.focus()
    expect(page.get_by_role("navigation", name="Console")).to_match_aria_snapshot("- navigation:\n  - group: Menu")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Overview")
    page.keyboard.press("Escape")
    expect(summary).to_be_focused()
    expect(page.get_by_role("link", name="Jobs", exact=True)).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("j")
    expect(page.locator("h1")).to_have_text("Jobs")


def test_the_menu_needs_no_script(site: Site) -> None:
    page = site.open("/console/orders", **PHONE, java_script_enabled=False)
    assert go_to(page, "Jobs")
    expect(page.locator("h1")).to_have_text("Jobs")
    desk = site.open("/console/orders", **DESK, java_script_enabled=False)
    assert not go_to(desk, "Jobs")
    expect(desk.locator("h1")).to_have_text("Jobs")
