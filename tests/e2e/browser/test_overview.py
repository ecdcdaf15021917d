"""The overview at two in the morning: what an operator asks, and how many clicks the answer takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import Site
from tests.e2e.browser.looks import barriers, clicks, go_to
from tests.helpers.ports import free_port
from tests.helpers.waiting import LEASE, wait_for
from tests.servers.installation import Installation
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.servers.smtp_script import Script, Step

REFUSED = 24  # e-mails of a wave


def refusing(words: str) -> Script:
    """A relay that knows nobody whose address begins with gone, and says so in these words."""

    def answer(step: Step) -> Say | None:
        if step.phase == "rcpt" and "<gone" in step.argument:
            return Say(550, f"5.1.1 {step.argument.removeprefix('TO:')} {words}")
        return None

    return answer


@pytest.fixture(scope="module")
def port() -> int:
    """Of the relay, which comes and goes."""
    return free_port()


@pytest.fixture(scope="module")
def relayed(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Installation]:
    """An installation with a relay of its own, in place of the development inbox."""
    folder = tmp_path_factory.mktemp("relayed")
    with Installation(folder, lease=LEASE, smtp_url=f"smtp://127.0.0.1:{port}", worker_processes=2) as running:
        yield running


@pytest.fixture
def page(relayed: Installation, browser: Browser, screen: dict[str, Any]) -> Iterator[Page]:
    """The overview as an operator opens it."""
    site = Site(relayed, browser)
    yield site.begin(screen, "/console/overview")
    site.close()
    assert site.complaints == []


def order(running: Installation, *addresses: str) -> None:
    Site(running, None).order(*addresses)  # type: ignore[arg-type]  # it opens no page


def test_the_relay_is_down(relayed: Installation, page: Page, port: int, request: pytest.FixtureRequest) -> None:
    with ScriptedSMTP(port=port):
        expect(page.locator("#relay-1 .state")).to_have_text("up")
    order(relayed, *(f"kari{number}@example.no" for number in range(5)))
    said = page.locator("#sentence")
    expect(said).to_contain_text(re.compile(rf"The relay 127\.0\.0\.1:{port} does not answer \(Connection refused\)"))
    expect(said).to_contain_text(re.compile(r"\d+ e-mails wait, the oldest for \d+ s\. Since "))
    expect(said).to_contain_text("Start it, or correct HOST:PORT in VARSEL_SMTP_URL.")
    expect(page.locator("#relay-1 .state")).to_have_text("down")
    mails = page.locator("#lane-emails")
    expect(mails.locator(".state")).to_have_text("relay down")
    waits = mails.locator("div", has_text="Waiting for a relay").get_by_role("link")
    expect(waits).to_have_text("5")
    assert barriers(page) == []
    said.get_by_role("link", name="Show the e-mails that wait").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    more = go_to(page, "Overview")
    with ScriptedSMTP(port=port) as relay:
        wait_for(lambda: relay.sessions)
        expect(page.locator("#sentence")).not_to_contain_text("does not answer")
        wait_for(lambda: len(relay.accepted) == 5)
        expect(page.locator("#relay-1 .state")).to_have_text("up")
    assert clicks(page, request.node, "the relay is down, to what waits and back") <= 2 + more


def test_a_wave_of_refusals(relayed: Installation, page: Page, port: int, request: pytest.FixtureRequest) -> None:
    words = "no such user here" if page.evaluate("innerWidth > 1000") else "user unknown"  # each screen has its wave
    unknown = f"550 5.1.1 <address> {words}"
    with ScriptedSMTP(refusing(words), port=port) as relay:
        order(relayed, *(f"gone{number}@{number % 3}.example" for number in range(REFUSED)), "kari@example.no")
        group = page.locator(".failures li", has_text=unknown)
        expect(group.locator(".count")).to_have_text(re.compile(r"^\d+ failed$"))
        expect(group).to_contain_text(re.compile(r"domains:(\s+\d\.example\s+\d+,?){3}"))
        expect(group).to_contain_text(f"relay: 127.0.0.1:{port}")
        expect(group).to_contain_text(re.compile(r"since\s+\d+ \w+, \d\d:\d\d"))
        said = page.locator("#sentence")
        expect(said).to_contain_text(re.compile(r"Unusually many e-mails fail: \d+ in the last 10 minutes"))
        expect(said).to_contain_text(f"Most often: {unknown}")
        expect(said).to_contain_text("They are grouped by reply below.")
        expect(said).not_to_contain_text("varsel failures")
        assert barriers(page) == []
        relay.script = {}  # the cause is removed
        group.get_by_role("link", name=f"Show the e-mails: {unknown}").click()
        expect(page.locator(".chips")).to_contain_text(f"Failure group: {unknown}")
        expect(page.locator("tbody tr")).to_have_count(REFUSED)
        assert barriers(page) == []
        page.locator(".bulk").get_by_role("button").first.click()
        expect(page.locator("h1")).to_contain_text(f"{REFUSED} e-mails")
        expect(page.locator("main .facts")).to_contain_text(unknown)
        page.locator("main").get_by_role("button").first.click()
        wait_for(lambda: len(relay.accepted) == REFUSED + 1)
        assert clicks(page, request.node, "a wave of refusals, from the group to all of it sent again") <= 3
        # Whoever opens the console later sees at once that somebody has seen to it.
        page.goto("/console/overview")
        expect(group.locator(".became")).to_have_text(
            re.compile(rf"^settled\s+0 still failed\s+{REFUSED} were sent since\s*$")
        )
        expect(group.locator(".count")).to_have_text(f"{REFUSED} failed")
        expect(group.get_by_role("button")).to_have_count(0)
        expect(said.locator(".finding.problem")).to_have_count(0)
        expect(said.locator(".finding.warning")).to_contain_text("None of these e-mails is still failed.")
        assert barriers(page) == []
        group.get_by_role("link", name=f"{REFUSED} were sent since").click()
        expect(page.locator("tbody tr")).to_have_count(REFUSED)


@pytest.mark.phone
def test_on_a_phone_every_fact_and_action_is_within_the_picture(page: Page) -> None:
    for name, what in (("orders", "orders"), ("emails", "e-mails"), ("fan_outs", "fan-outs"), ("webhooks", "webhooks")):
        expect(page.locator(f"#lane-{name}").get_by_text("Oldest undelivered")).to_be_visible()
        expect(page.get_by_role("button", name=f"Pause all {what}")).to_be_visible()
    for words in ("Waiting now", "Waiting for later", "Being sent", "Failed", "Done per minute"):
        expect(page.locator("#lane-emails").get_by_text(words, exact=True)).to_be_visible()
    page.get_by_text("Pause a creator or a domain").click()
    expect(page.get_by_label("Name", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Drain all lanes …")).to_be_visible()
    summary = page.locator("#processes summary")
    expect(summary).to_have_text(re.compile(r"1 scheduler,\s+1 web process,\s+2 workers? run"))
    summary.click()
    expect(page.locator("#processes li").first).to_be_visible()
    assert barriers(page) == []


def test_a_process_that_is_gone_leaves_the_list(relayed: Installation, page: Page) -> None:
    page.locator("#processes summary").click()
    killed = relayed.pid("worker 1")
    expect(page.locator("#processes")).to_contain_text(f"worker {killed} ")
    relayed.kill("worker 1")
    expect(page.locator("#processes")).not_to_contain_text(f"worker {killed} ")
