"""A second pair of eyes: a viewer sees how the system is, and of persons nothing, on a desk and on a phone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect

from engine.admin.pausing import pause
from tests.e2e.browser.looks import barriers, clicks, go_to
from tests.helpers.console import PASSWORD

if TYPE_CHECKING:
    import pytest

    from tests.e2e.browser.conftest import Site


def test_a_second_pair_of_eyes(guarded_site: Site, screen: dict[str, Any], request: pytest.FixtureRequest) -> None:
    site, reason = guarded_site, "their server is down"
    domain = f"seen{screen['viewport']['width']}.example"
    with site.write() as connection:
        pause(connection, "anna", "domain", domain, reason)
    order = site.order("ola+550@demo.example", f"ola@{domain}", subject="Your diagnosis", sendersReference="case-77")
    page = site.begin(screen, "/console/sign-in")
    page.get_by_label("Name").fill("kari")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    said = page.locator(".finding", has_text=domain)
    expect(said).to_contain_text(re.compile(rf"is paused by anna, without an end: {reason}. The pause holds 1 e-mail"))
    expect(page.locator("main")).not_to_contain_text("•••")
    expect(page.locator("main button", has_text="…")).to_have_count(0)
    assert barriers(page) == []
    more = go_to(page, "E-mails")
    rows = page.locator("tbody tr")
    expect(rows.filter(has_text="Failed: bounced")).not_to_have_count(0)
    expect(rows.filter(has_text="550 5.1.1 •••")).not_to_have_count(0)
    expect(page.locator("main")).not_to_contain_text("ola")
    expect(page.locator("main")).not_to_contain_text("diagnosis")
    expect(page.get_by_label("Recipient", exact=True)).to_have_count(0)
    assert barriers(page) == []
    rows.filter(has_text="Failed: bounced").first.get_by_role("link").first.click()
    expect(page.locator("#timeline")).to_contain_text("refused it when it was told the recipient")
    expect(page.locator("#timeline .words")).to_contain_text("550 5.1.1 •••")
    expect(page.locator("#why")).to_contain_text("550 5.1.1 •••")
    expect(page.locator("main")).not_to_contain_text("ola")
    assert barriers(page) == []
    assert clicks(page, request.node, "a second pair of eyes: the system's state, and why a mail failed") <= 3 + more
    page.goto(f"/console/orders/{order}")
    expect(page.locator("h1")).to_contain_text("Being sent")
    expect(page.locator("main")).not_to_contain_text("case-77")
    refused = page.goto(f"/console/emails?recipient=ola%40{domain}")
    assert refused
    assert refused.status == 403
    site.complaints[:] = [each for each in site.complaints if "403" not in each]
