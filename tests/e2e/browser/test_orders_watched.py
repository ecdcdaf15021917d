"""An order's page, a message's page and a job's, in the words of those who need them: on a desk and on a phone."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import Site
from tests.e2e.browser.looks import barriers, clicks
from tests.helpers.waiting import wait_for
from tests.servers.site import stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

    from tests.servers.installation import Installation

SENT, REFUSED, SPAM = 4_980, 15, 5
ALL = SENT + REFUSED + SPAM


def unique() -> str:
    """A word for a domain: the inbox refuses the first attempt to an address, and no other."""
    return f"d{uuid4().hex[:12]}"


@pytest.fixture
def opened(site: Site, screen: dict[str, Any]) -> Callable[[str], Page]:
    """Opens a page on this screen."""
    size = screen | {"permissions": ["clipboard-write"]}
    return lambda path: site.begin(size, path)


@pytest.fixture(scope="module")
def large(running: Installation, browser: Browser) -> str:
    """An order to 5,000, of whom 20 are refused; it is sent already."""
    site = Site(running, browser)
    addresses = [f"person{number}@large.example" for number in range(SENT)]
    addresses += [f"gone{number}+550@gone.example" for number in range(REFUSED)]
    addresses += [f"spam{number}+554@spam.example" for number in range(SPAM)]
    with stopped(running.pid("worker 1")):  # so that somebody can watch it from its beginning
        order = site.order(*addresses, subject="Your tax assessment", sendersReference="assessment-2026")
        page = site.open(f"/console/orders/{order}")
    expect(page.locator(".how-far")).to_contain_text(re.compile(r"of 5,000 e-mails done, [\d,]+ a minute, finished"))
    expect(page.locator(".how-far strong")).not_to_have_text("0 %")
    expect(page.locator("h1")).to_contain_text("Completed")  # without a reload
    site.close()
    return order


@pytest.mark.usefixtures("large")
def test_watch_an_order_of_5000(opened: Callable[[str], Page], site: Site, request: pytest.FixtureRequest) -> None:
    page = opened("/console/orders?reference=assessment-2026")
    row = page.locator("tbody tr").first
    expect(row).to_contain_text(re.compile(r"Completed\s+4,980 sent, 20 failed"))
    assert barriers(page) == []
    row.get_by_role("link").first.click()
    expect(page.locator(".how-far")).to_contain_text(re.compile(r"100 % 5,000 of 5,000 e-mails done"))
    expect(page.get_by_role("img", name="100 % done: 4,980 sent, 20 failed")).to_be_visible()
    causes = page.locator("#causes tbody tr")
    expect(causes).to_have_count(2)
    expect(causes.first).to_contain_text("15")
    expect(causes.first).to_contain_text("gone.example")
    expect(causes.first).to_contain_text("550 5.1.1")
    assert barriers(page) == []
    with page.expect_download() as waiting:
        page.get_by_role("link", name="results as CSV").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text("utf-8-sig"))))
    assert len(rows) == ALL
    assert sorted({(row["state"], row["last_code"]) for row in rows}) == [
        ("Failed_Bounced", "550"),
        ("Failed_Bounced", "554"),
        ("Succeeded", "250"),
    ]
    causes.first.get_by_role("link").click()
    expect(page.locator("tbody tr")).to_have_count(REFUSED)
    assert clicks(page, request.node, "watch an order of 5,000") <= 3
    page.goto("/console/audit?target=emails")
    expect(page.locator("tbody")).to_contain_text("5,000")
    site.complaints[:] = [each for each in site.complaints if "ERR_ABORTED" not in each]  # a download ends so


def test_an_order_whose_mails_all_failed_is_not_green(opened: Callable[[str], Page], site: Site) -> None:
    its = unique()
    order = site.order(f"a+550@{its}.example", f"b+550@{its}.example", sendersReference="all-failed")
    page = opened(f"/console/orders/{order}")
    label = page.locator("h1 .state")
    expect(label).to_have_text("All failed")
    expect(label).to_have_class("state bad")
    page.goto("/console/orders?reference=all-failed")
    expect(page.locator("tbody tr").first).to_contain_text("2 failed")
    expect(page.locator("tbody tr .state").first).to_have_text("All failed")
    assert barriers(page) == []


def test_what_happened_to_karis_mail(opened: Callable[[str], Page], site: Site, request: pytest.FixtureRequest) -> None:
    body = "<h1>Hei Kari</h1><p>You have an appointment.</p>"
    kari = f"kari+550@{unique()}.example"
    order = site.order(kari, subject="Your appointment", body=body, contentType="Html")
    page = opened(f"/console/emails?order={order}")
    page.get_by_role("link", name=kari).click()
    story = page.locator("#timeline li")
    expect(story).to_have_count(3)
    expect(story.nth(0)).to_contain_text("Taken in")
    expect(story.nth(1)).to_contain_text(re.compile(r"The relay \S+ refused it when it was told the recipient"))
    expect(story.nth(1).locator("q")).to_contain_text("550 5.1.1 the development inbox refuses")
    expect(story.nth(2)).to_contain_text("Failed: bounced it is not tried again by itself")
    expect(story.nth(1).locator(".when")).to_contain_text(re.compile(r"\d\d:\d\d:\d\d .*\(.*ago\)"))
    expect(page.frame_locator("iframe").locator("h1")).to_have_text("Hei Kari")
    assert barriers(page) == []
    page.get_by_role("button", name="Copy the Message-ID").click()
    expect(page.get_by_role("button", name="Copy the Message-ID")).to_have_text("Copied")
    assert clicks(page, request.node, "what happened to Kari's mail") <= 3


def test_send_again_200(opened: Callable[[str], Page], site: Site, request: pytest.FixtureRequest) -> None:
    failed = 200
    domain = f"{unique()}.example"
    once = [f"again{number}+550@{domain}" for number in range(failed)]
    order = site.order(*once, subject="Once more")
    page = opened(f"/console/orders/{order}")
    expect(page.locator("h1 .state")).to_have_text("All failed")
    page.goto(f"/console/emails?order={order}&state=failed")
    page.get_by_role("button", name="Retry …").click()
    expect(page.locator("h1")).to_contain_text(f"Retry: {failed}")
    expect(page.locator("#sample li")).to_have_count(5)
    assert barriers(page) == []
    page.get_by_role("button", name=re.compile("^Yes, retry")).click()
    expect(page.locator("h1")).to_contain_text("retry e-mails Done")
    expect(page.locator("#now")).to_contain_text(f"{failed} sent")  # without a reload
    assert barriers(page) == []
    page.locator("#now").get_by_role("link").first.click()
    expect(page.locator("tbody tr")).to_have_count(50)
    assert clicks(page, request.node, f"send again {failed}") <= 3
    wait_for(lambda: site.arrived(once[-1]))


def test_send_an_order_again_to_those_that_failed(
    opened: Callable[[str], Page], site: Site, request: pytest.FixtureRequest
) -> None:
    domain = f"{unique()}.example"
    order = site.order(f"kari@{domain}", f"ola+550@{domain}", subject="Once more", sendersReference="vedtak 7")
    page = opened(f"/console/orders/{order}")
    expect(page.locator(".counts")).to_contain_text("1 sent, 1 failed")
    page.get_by_role("button", name="Send again to those that failed …").click()
    expect(page.locator("h1")).to_have_text("Send again to 1 recipient that failed?")
    expect(page.locator("main")).to_contain_text("1 address has it, and gets nothing.")
    assert barriers(page) == []
    page.get_by_role("button", name="Yes, send again to those that failed").click()
    expect(page.locator(".told")).to_contain_text("The order is sent again to those that failed.")
    assert barriers(page) == []
    page.get_by_role("link", name="To the new order").click()
    expect(page.locator(".counts")).to_contain_text(re.compile(r"^1 sent ·"))  # without a reload
    expect(page.locator("#facts")).to_contain_text(f"1: ola+550@{domain}")
    expect(page.locator("#facts")).to_contain_text("vedtak 7")
    assert clicks(page, request.node, "send an order again to those that failed") <= 3
    assert site.arrived(f"ola+550@{domain}")
