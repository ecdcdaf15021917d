"""A browser, and installations to look at with it."""

from __future__ import annotations

import functools
import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect, sync_playwright

from engine.db.store import Store
from tests.e2e.browser.looks import COUNTING, WIDTHS
from tests.helpers.console import operators_file
from tests.helpers.waiting import LEASE, patience
from tests.servers.installation import API, Installation, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request
    from sqlalchemy import Connection


ZONE = "Europe/Oslo"  # of the browsers


@dataclass
class Site:
    """An installation, and the errors of its pages in the browser."""

    running: Installation
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)

    def open(self, path: str = "/console", script: str = "", **options: Any) -> Page:
        """A page, which has no cookies of other tests; `script` runs before those of each page in its tab."""
        page = _context(self.browser, self.running.address, json.dumps(options)).new_page()
        self.pages.append(page)
        if script:
            page.add_init_script(script)
        page.set_default_timeout(patience() * 1000)
        page.on("console", self._complain)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("requestfinished", self._asked)
        page.on("requestfailed", self._asked)
        page.goto(path)
        return page

    def begin(self, screen: dict[str, Any], path: str = "/console") -> Page:
        """A page on such a screen, on which clicks are counted."""
        return self.open(path, COUNTING, **screen)

    def close(self) -> None:
        """Close all its pages, and forget their cookies."""
        for page in self.pages:
            page.context.clear_cookies()
            page.close()

    def order(self, *addresses: str, **members: object) -> str:
        """Post an order; its identifier."""
        with self.running.client() as client:
            answer = client.post(f"{API}/orders/email", json=order(*addresses, **members))
            return str(answer.raise_for_status().json()["orderId"])

    def arrived(self, address: str) -> bool:
        return bool(self.running.messages(address))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction in its database."""
        store = Store(f"sqlite:///{self.running.folder}/varsel.db")
        with store.write() as connection:
            yield connection
        store.close()

    def _complain(self, message: ConsoleMessage) -> None:
        in_a_mail = message.location["url"].endswith("/html")  # what its sender wrote, of which a lot is refused
        if message.type in ("error", "warning") and not in_a_mail:
            self.complaints.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        own = request.url.startswith((self.running.address, "data:", "about:"))
        if not own and request.failure != "csp":  # that one never left the browser
            self.complaints.append(f"asked for {request.url}: {request.failure}")


@functools.cache
def _context(browser: Browser, address: str, options: str) -> BrowserContext:
    """The context that pages with the same options (JSON) share: a new one costs a second of the processor."""
    usual = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB"}
    return browser.new_context(base_url=address, timezone_id=ZONE, **usual | json.loads(options))


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")  # without windows: half the work
    assert chromium, "tests/install-system.sh installs it"
    expect.set_options(timeout=patience() * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("open"), lease=LEASE, worker_processes=1) as running:
        yield running


@pytest.fixture(scope="package")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation in which operators have to sign in."""
    folder = tmp_path_factory.mktemp("guarded")
    with Installation(folder, operators_file=operators_file(folder), worker_processes=1) as running:
        yield running


@pytest.fixture(params=WIDTHS)
def screen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """A desk, and a phone; looks.barriers looks at both colours of each."""
    return {"viewport": {"width": request.param, "height": 900}, "bypass_csp": True, "color_scheme": "light"}


@pytest.fixture
def site(running: Installation, browser: Browser) -> Iterator[Site]:
    """The open installation. A test that leaves an error in the browser fails."""
    yield from _watched(Site(running, browser))


@pytest.fixture
def guarded_site(guarded: Installation, browser: Browser) -> Iterator[Site]:
    yield from _watched(Site(guarded, browser))


def _watched(site: Site) -> Iterator[Site]:
    yield site
    site.close()
    assert site.complaints == []
