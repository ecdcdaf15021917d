"""The console in the reader's language: as the browser asks for it, or as the reader has chosen."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from tests.e2e.browser.looks import barriers, clicks

if TYPE_CHECKING:
    import pytest

    from tests.e2e.browser.conftest import Site

PAGES = ("/console/orders", "/console/emails", "/console/rates", "/console/zone", "/console/find?q=person")
AT = "2098-11-29T20:05:00Z"
_BESIDE = """[...document.querySelectorAll(".card header:has(button)")].map((header) => {
  const [name, button] = ["h3", "button"].map((each) => header.querySelector(each).getBoundingClientRect());
  return button.left >= name.right && button.top < name.bottom;
})"""


def test_a_norwegian_reads_bokmaal_and_chooses_nynorsk(
    site: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    order = site.order("norsk@example.no", requestedSendTime=AT)
    page = site.begin(screen | {"locale": "nb-NO"}, f"/console/orders/{order}")
    expect(page.locator("html")).to_have_attribute("lang", "nb")
    expect(page.locator("[data-connection]")).to_have_text("direkte")
    time = page.locator(f'time[datetime="{AT[:-1]}.000Z"]').first
    expect(time).to_have_text(re.compile(r"^29\. nov\. 2098, 21:05:00"))
    page.get_by_role("link", name="Språk").click()
    page.get_by_label("Språk").select_option("norsk nynorsk")
    assert barriers(page) == []
    page.get_by_role("button", name="Lagre").click()
    assert clicks(page, request.node, "choose a language") == 2
    expect(page.locator("html")).to_have_attribute("lang", "nn")
    expect(page.get_by_role("status").filter(has_text="Frå no av")).to_be_visible()
    expect(time).to_have_text(re.compile(r"^29\. nov\. 2098, 21:05:00"))
    page.goto("/console/orders")
    expect(page.locator("[data-connection]")).to_have_text("direkte")
    new = site.order("norsk@example.no", subject="Neste", requestedSendTime=AT)
    expect(page.locator("tbody tr").filter(has=page.locator(f'[title="{new}"]'))).to_contain_text("Registrert")


def test_pages_in_norwegian_are_for_everybody(site: Site, screen: dict[str, Any]) -> None:
    page = site.open("/console/overview", **screen, locale="nn-NO")
    assert barriers(page) == []
    for path in PAGES:
        page.goto(path)
        assert page.locator("html").get_attribute("lang") == "nn"
        assert barriers(page) == []


def test_times_have_the_hours_of_the_readers_own_english(site: Site, screen: dict[str, Any]) -> None:
    order = site.order("norsk@example.no", requestedSendTime=AT)
    for locale, told in (("en-GB", "29 Nov 2098, 21:05:00"), ("en-US", "Nov 29, 2098, 09:05:00")):
        page = site.open(f"/console/orders/{order}", **screen, locale=locale)
        expect(page.locator(f'time[datetime="{AT[:-1]}.000Z"]').first).to_contain_text(told)


def test_the_button_of_a_card_stands_beside_its_name_in_every_language(site: Site) -> None:
    for locale in ("en-GB", "nb-NO", "nn-NO"):
        page = site.open("/console/overview", locale=locale)
        for width in (360, 768, 1280, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate(_BESIDE) == [True] * 4, (locale, width)
