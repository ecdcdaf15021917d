"""Tasks of operators, each from the first page, on a desk and on a phone, in both colours, without barriers."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from engine.admin.pausing import pause, pause_subscription, resume
from tests.e2e.browser.looks import barriers, clicks, go_to
from tests.helpers.rows import add_subscription, now
from tests.helpers.waiting import wait_for
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.e2e.browser.conftest import Site


@dataclass
class Task:
    """A task, and the page on which it is done."""

    page: Page
    test: pytest.Item
    more: int = 0  # clicks that a menu takes

    @property
    def name(self) -> str:
        """Of this screen, for names of things that each needs for itself."""
        return str(self.page.viewport_size["width"]) if self.page.viewport_size else ""

    def look(self) -> None:
        assert barriers(self.page) == []

    def go_to(self, name: str) -> None:
        self.more += go_to(self.page, name)

    def clicks(self, what: str, most: int) -> None:
        assert clicks(self.page, self.test, what) <= most + self.more


@pytest.fixture
def task(site: Site, screen: dict[str, Any], request: pytest.FixtureRequest) -> Task:
    return Task(site.begin(screen), request.node)


def test_pause_mail_to_a_domain_until_eight_and_see_who_did_and_resume_it(site: Site, task: Task) -> None:
    page, domain = task.page, f"slow-{task.name}.example"
    page.get_by_text("Pause a creator or a domain").click()
    page.get_by_label("Pause a", exact=True).select_option("domain")
    page.get_by_label("Name").fill(domain)
    page.get_by_role("button", name="Pause …", exact=True).last.click()
    expect(page.locator("h1")).to_have_text(f"Pause mail to {domain}?")
    expect(page.locator("#warning")).to_contain_text("None of the newest 10,000 e-mails goes to")
    task.look()
    page.get_by_label("Why?").fill("their server is down")
    page.get_by_label("or at (Europe/Oslo)").fill("08:00")
    page.get_by_role("button", name="Pause").click()
    said = page.locator(".finding", has_text=domain)
    expect(said).to_contain_text(
        re.compile(rf"Mail to {domain} is paused by local, until .* 08:00:00 CES?T: their server")
    )
    task.clicks("pause mail to a domain until 08:00", 3)
    task.look()
    site.order(f"kari@{domain}")
    expect(said).to_contain_text("The pause holds 1 ")
    expect(said).to_have_count(1)
    page.get_by_role("button", name=f"Resume mail to {domain}").click()
    expect(page.locator("main")).to_contain_text(
        re.compile(r"by local since .*, until .* 08:00:00 CES?T: their server")
    )
    task.look()
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: site.arrived(f"kari@{domain}"))


def test_a_pause_of_a_lane_ends_by_itself(site: Site, task: Task) -> None:
    page = task.page
    page.get_by_role("button", name="Pause all webhooks …").click()
    page.get_by_label("Why?").fill("the receiver is being moved")
    page.get_by_label("Ends").select_option("in 30 minutes")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#sentence")).to_contain_text("the receiver is being moved")
    with site.write() as connection:
        connection.exec_driver_sql("UPDATE pauses SET ends = ends - 1799000")
    expect(page.locator("#sentence")).not_to_contain_text("the receiver is being moved")
    task.clicks("pause webhooks for 30 minutes", 2)


def test_who_did_what(site: Site, task: Task) -> None:
    page, domain = task.page, f"told-{task.name}.example"
    with site.write() as connection:
        pause(connection, "anna", "domain", domain, "their server is down", now() + timedelta(hours=8))
        resume(connection, "ola", "domain", domain)
    task.go_to("Who did what")
    said = page.locator("tbody tr", has_text=f"anna paused mail to {domain} until")
    expect(said).to_contain_text(": their server is down")
    task.look()
    page.locator("tbody tr", has_text=domain).get_by_role("link", name="ola").first.click()
    expect(page.locator("tbody tr").first).to_contain_text("ola resumed mail to")
    expect(page.locator("tbody")).not_to_contain_text("anna")
    page.goto("/console/audit")
    page.get_by_label("Narrow by").fill(f"domain/{domain}")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines()))
    assert [row["who"] for row in rows] == ["ola", "anna"]
    assert f"anna paused mail to {domain} until" in rows[1]["what"]
    task.clicks("who paused this domain, and the list as a file", 4)


def test_a_list_for_a_colleague(site: Site, task: Task) -> None:
    page, order = task.page, site.order(f"kari-{task.name}+550@example.no", f"=ola-{task.name}@example.no")
    wait_for(lambda: site.arrived(f"=ola-{task.name}@example.no"))
    task.go_to("E-mails")
    page.get_by_label("Narrow by").fill(f"order:{order}")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    task.look()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "varsel-emails.csv"
    rows = list(csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines()))
    addresses = {row["address"] for row in rows}
    assert addresses == {f"kari-{task.name}+550@example.no", f"'=ola-{task.name}@example.no"}
    task.clicks("a list for a colleague", 4)
    page.goto("/console/audit?action=export")
    told = page.locator("tbody tr", has_text=order)
    expect(told).to_contain_text(f"local exported e-mails, narrowed to order id {order}, as CSV, 2 rows")


def test_a_paused_subscription_is_understood_tested_and_resumed(site: Site, task: Task) -> None:
    page = task.page
    with Receiver(Say(204)) as receiver:
        with site.write() as connection:
            seq = add_subscription(connection, f"{receiver.url}/{task.name}")
            pause_subscription(connection, "anna", seq, "their server is down")
        task.go_to("Subscriptions")
        page.get_by_role("link", name=str(seq), exact=True).click()
        expect(page.locator("#why")).to_contain_text("their server is down")
        expect(page.locator("#health")).to_contain_text(re.compile(r"Paused.* by anna"))
        expect(page.locator("#health")).to_contain_text("none yet")
        task.look()
        page.get_by_role("button", name="Send a test event").click()
        expect(page.locator("#test")).to_contain_text("Delivered 204")
        expect(page.locator("#health")).to_contain_text("of the last 1 call, of which 1 succeeded")
        task.look()
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("h1")).to_contain_text("ok")
        expect(page.locator("#history")).to_contain_text(f"anna paused subscription {seq}: their server is down")
        expect(page.locator("#history")).to_contain_text(f"local resumed subscription {seq}")
        task.clicks("a paused subscription: why, since when, test, resume", 5)
        assert len(receiver.requests) == 1
