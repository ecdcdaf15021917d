"""Varsel below a path of a proxy, which takes the path off or passes it on: what browsers and programs do there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import Site
from tests.helpers.client import ask
from tests.helpers.console import PASSWORD, operators_file
from tests.helpers.event_pages import EVENTS, publish, resource, walk
from tests.helpers.waiting import patience, wait_for
from tests.servers.http import Receiver, Say
from tests.servers.installation import API, Installation, order
from tests.servers.proxy import Proxy
from varsel.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

ROOT = "/varsel"
SCOPES = "altinn:notifications.create altinn:events.publish altinn:events.subscribe"
ZONE = "varsel_browser_zone"
NODE = shutil.which("node")
TYPESCRIPT = Path(__file__).parents[3] / "clients" / "typescript" / "src" / "index.js"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Proxy, Installation]]:
    folder = tmp_path_factory.mktemp("below")
    settings = {"operators_file": operators_file(folder), "worker_processes": 1, "allow_private_endpoints": "true"}
    proxy = Proxy(ROOT)
    with Installation(folder, base_url=proxy.address, **settings) as running, proxy:
        proxy.upstream, running.address = running.address, proxy.address
        yield proxy, running


@pytest.fixture(params=["passed on", "taken off"])
def below(request: pytest.FixtureRequest, behind: tuple[Proxy, Installation]) -> Iterator[Installation]:
    """The installation, whose address is the proxy's; whoever asks for a path outside fails the test."""
    proxy, running = behind
    proxy.strips, proxy.outside = request.param == "taken off", []
    yield running
    assert proxy.outside == []


@pytest.fixture
def page(below: Installation, browser: Browser) -> Iterator[Page]:
    """The console, in which anna has signed in."""
    site = Site(below, browser)
    page = site.open(f"{below.address}/console")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{below.address}/console/overview")
    yield page
    site.close()
    assert site.complaints == []  # requests that leave the installation's address are among them


def token(running: Installation) -> str:
    return running.key.bearer("ttd", SCOPES, timedelta(hours=1))


def test_an_operator_walks_through_the_console_and_acts(page: Page, below: Installation) -> None:
    expect(page.locator("[data-connection]")).to_have_text("live")
    names = page.locator("nav a").all_text_contents()
    for name in names:
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        expect(page.locator("header a[aria-current]")).to_have_text(name)
        assert page.url.startswith(f"{below.address}/console/")
    assert len(names) == 15
    expect(page.locator("[data-keys]")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.get_by_role("button", name="Pause all e-mails …").click()
    page.get_by_label("Why?").fill("the relay is being moved")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#lane-emails")).to_contain_text("paused")
    to = f"{uuid4().hex}@example.no"
    with below.client() as client:
        client.post(f"{API}/orders/email", json=order(to)).raise_for_status()
    expect(page.locator("#lane-emails")).to_contain_text(re.compile(r"Held by a pause\s*[1-9]"))  # the stream says so
    page.get_by_role("button", name="Resume all e-mails").click()
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: below.messages(to))
    page.locator("#find").fill(to)
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=to).first.click()
    expect(page.locator("#timeline li.attempt")).to_have_count(1)
    page.get_by_role("navigation").get_by_role("link", name="Inbox", exact=True).click()
    page.get_by_role("navigation").get_by_role("link", name="E-mails", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert to in download.value.path().read_text()
    page.get_by_role("link", name="Language").click()
    page.get_by_label("Language").select_option("nb")
    page.get_by_role("button", name="Keep").click()
    expect(page.locator("html")).to_have_attribute("lang", "nb")
    paths = {each["name"]: each["path"] for each in page.context.cookies()}
    below_it = dict.fromkeys(("varsel_console", "varsel_language", ZONE), f"{ROOT}/console")
    assert paths == below_it | {"varsel_browser": f"{ROOT}/console/sign-in"}
    page.get_by_role("button", name="Logg ut").click()
    expect(page).to_have_url(f"{below.address}/console/sign-in")


def test_a_page_is_come_back_to_after_the_sign_in(below: Installation, browser: Browser) -> None:
    site = Site(below, browser)
    page = site.open(f"{below.address}/console/emails?state=failed", locale="en-GB")
    page.get_by_label("Name").fill("kari")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{below.address}/console/emails?state=failed")
    site.close()
    assert site.complaints == []


def test_a_developer_reads_the_documents(below: Installation, browser: Browser) -> None:
    site = Site(below, browser)
    page = site.open(f"{below.address}/docs", locale="en-GB")
    expect(page.locator("pre").filter(has_text=f"{below.address}{API}/orders/email").first).to_be_visible()
    expect(page.get_by_role("link", name="openapi.json")).to_have_attribute("href", f"{ROOT}/openapi.json")
    site.close()
    assert site.complaints == []
    assert ask("GET", f"{below.address}/openapi.json").json()["servers"] == [{"url": below.address}]


def test_what_the_api_answers_leads_below_the_path(below: Installation) -> None:
    with below.client(scope=SCOPES) as client, Receiver(Say(200)) as receiver:
        placed = client.post(f"{API}/orders/email", json=order())
        assert placed.headers["location"].startswith(f"{below.address}{API}/orders/")
        found = client.get(placed.headers["location"]).raise_for_status()
        links = re.findall(r'"(http://[^"]+)"', found.text)
        assert links
        for link in links:
            assert link.startswith(f"{below.address}{API}/orders/")
            client.get(link).raise_for_status()
        filtered = {"endPoint": receiver.url, "resourceFilter": "urn:altinn:resource:below"}
        made = client.post("/events/api/v1/subscriptions", json=filtered)
        assert made.headers["location"].startswith(f"{below.address}/events/api/v1/subscriptions/")
        client.get(made.headers["location"]).raise_for_status()
        receiver.wait_for(lambda: len(receiver.requests) == 1)
        assert f'"source":"{below.address}/events/api/v1/subscriptions/' in receiver.requests[0].body.decode()
        client.delete(made.headers["location"]).raise_for_status()
    assert ask("GET", f"{below.address}/inbox").headers["location"] == f"{ROOT}/console/inbox"
    assert ask("GET", f"{below.address}/readyz").status_code == 200


def test_events_are_read_page_by_page(below: Installation) -> None:
    about = {"resource": resource()}
    with below.client(scope=SCOPES) as client:
        written = publish(client, about, about)
        first = client.get(EVENTS, params=about | {"after": 0, "size": 1})
        assert first.headers["next"].startswith(f"{below.address}{EVENTS}?")
        assert walk(client, EVENTS, [*about.items(), ("after", "0"), ("size", "1")]) == [[each] for each in written]


def test_a_program_orders_and_waits_with_the_client(below: Installation) -> None:
    to = f"{uuid4().hex}@example.no"
    with Client(f"{below.address}/", token(below)) as varsel:
        receipt = varsel.orders.create_email({"subject": "Hei", "body": "Hei!", "recipients": [{"emailAddress": to}]})
        varsel.orders.wait(receipt["orderId"], timeout=patience())
    assert len(below.messages(to)) == 1


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_a_program_orders_with_the_typescript_client(below: Installation) -> None:
    to = f"{uuid4().hex}@example.no"
    body = {"subject": "Hei", "body": "Hei!", "recipients": [{"emailAddress": to}]}
    program = (
        f'import {{ Client }} from "{TYPESCRIPT}"; const [address, token, body] = process.argv.slice(1);'
        "await new Client(address, { token }).orders.createEmail(JSON.parse(body));"
    )
    command = [NODE, "--input-type=module", "--eval", program, below.address, token(below), json.dumps(body)]
    subprocess.run([str(word) for word in command], check=True)
    wait_for(lambda: below.messages(to))
