"""Last week's rates: found in two clicks, read by mouse, finger, keyboard and as a table, in both colours."""

from __future__ import annotations

import re
from datetime import timedelta
from math import sin
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, insert

from engine.db.tables import history, history_hours
from engine.observability.history import DELAYS
from tests.e2e.browser.conftest import Site
from tests.e2e.browser.looks import barriers, clicks, go_to
from tests.helpers.rows import now

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.servers.installation import Installation

HOUR = timedelta(hours=1)
VOLUMES = {"orders": 400, "events": 900, "emails.accepted": 1_200, "emails.deferred": 40, "webhooks.accepted": 700}


@pytest.fixture(scope="module")
def busy(running: Installation, browser: Browser) -> Iterator[Site]:
    """An installation with a month of history, in which a relay refused for an hour, 30 hours ago."""
    site = Site(running, browser)
    this = now().replace(minute=0, second=0, microsecond=0)
    with site.write() as connection:
        connection.execute(delete(history))
        connection.execute(delete(history_hours))
        for ago in range(1, 30 * 24):
            day = 1.2 + sin(ago / 4)
            counts = {name: int(volume * day) for name, volume in VOLUMES.items()}
            counts |= {"emails.failed": 211 if ago == 30 else 3, "webhooks.failed": 1 if ago % 7 == 0 else 0}
            counts |= dict(zip(DELAYS, (0, 90, 300, 500, 200, 80, 20, 5), strict=False))
            rows = [{"hour": this - ago * HOUR, "series": series, "count": count} for series, count in counts.items()]
            connection.execute(insert(history_hours), rows)
    yield site
    site.close()


def _value(page: Page, chart: str, series: str) -> str:
    return page.locator(f'#chart-{chart} [data-series="{series}"]').inner_text()


def _middle(page: Page, chart: str) -> tuple[float, float]:
    body = page.locator(f"#chart-{chart} .body")
    body.scroll_into_view_if_needed()
    box = body.bounding_box()
    assert box
    return box["x"] + box["width"] * 137.5 / 168, box["y"] + box["height"] / 2


@pytest.mark.phone
def test_last_weeks_rates(busy: Site, screen: dict[str, Any], request: pytest.FixtureRequest) -> None:
    phone = screen["viewport"]["width"] == 360
    page = busy.begin(screen | {"has_touch": phone})
    # How many e-mails went out last week, how many failed, and how long did they take?
    go_to(page, "Rates")
    page.get_by_role("link", name="Week", exact=True).click()
    expect(page.get_by_role("heading", name="Failures")).to_be_visible()
    assert int(_value(page, "failures", "emails.failed")) > 600
    assert re.fullmatch(r"32\d ms", _value(page, "delay", "delay.p50"))  # 324, and mails of other tests
    assert _value(page, "delay", "delay.p99") == "4.0 s"
    expect(page.locator("#chart-emails .scale text").last).to_have_text("3 k")
    expect(page.locator("#chart-emails .times text")).to_have_count(7)
    assert page.locator("#chart-emails .legend li").count() == 2
    # When was that, and what else was there at that time?
    point = page.touchscreen.tap if phone else page.mouse.move
    point(*_middle(page, "failures"))
    assert _value(page, "failures", "emails.failed") == "211"
    assert _value(page, "emails", "emails.accepted").replace(",", "") == str(int(1_200 * (1.2 + sin(30 / 4))))
    expect(page.locator("#at-time")).to_have_text(re.compile(r"^from \w+ \d+ \w+, \d\d:00$"))
    assert clicks(page, request.node, "last week's rates") == 2 + 2 * phone  # the menu, and where a tap points
    page.get_by_text("Values as a table").click()
    assert barriers(page) == []
    assert page.evaluate("(at => at.scrollWidth - at.clientWidth)(document.querySelector('#values .wide'))") <= 0


def test_the_values_are_reached_by_keyboard_alone(busy: Site) -> None:
    page = busy.open("/console/rates?span=week")
    slider = page.get_by_label("Step")
    slider.focus()
    for _ in range(30):
        slider.press("ArrowLeft")
    assert _value(page, "failures", "emails.failed") == "211"
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"^\w+ \d+ \w+, \d\d:00: Orders .*Failed 211, "))


def test_from_the_worst_hour_to_the_list_of_what_failed_in_it(
    busy: Site, screen: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    page = busy.begin(screen, "/console/rates?span=week")
    peak = page.locator("#chart-failures p", has_text="Most in one step: 211 from")
    peak.get_by_role("link", name="Show these e-mails").click()
    chips = page.locator(".chips li")
    expect(chips.filter(has_text="State: failed")).to_have_count(1)
    expect(chips.filter(has_text=re.compile(r"Ended since: .*:00:00"))).to_have_count(1)
    expect(chips.filter(has_text=re.compile(r"Ended before: .*:00:00"))).to_have_count(1)
    assert clicks(page, request.node, "from the worst hour to its list") <= 1
    assert barriers(page) == []
    page.go_back()
    peak.get_by_role("link", name="Zoom in").click()
    expect(page.locator(".spans [aria-current]")).to_have_text("Day")


def test_a_step_leads_to_the_same_time_from_near(busy: Site) -> None:
    page = busy.open("/console/rates?span=week")
    page.get_by_text("Values as a table").click()
    page.locator(".values tbody th a").nth(30).click()
    expect(page.locator(".spans [aria-current]")).to_have_text("Day")
    page.get_by_role("link", name="Now", exact=True).click()
    expect(page).to_have_url(re.compile(r"span=day$"))
    expect(page.get_by_role("link", name="Later", exact=True)).to_have_count(0)


def test_without_a_script_there_are_charts_and_values(busy: Site) -> None:
    page = busy.open("/console/rates?span=week", java_script_enabled=False)
    expect(page.locator("#at")).to_be_hidden()
    expect(page.locator("#chart-emails path.area").last).to_be_visible()
    page.get_by_text("Values as a table").click()
    expect(page.locator(".values tbody tr").nth(30)).to_contain_text("211")


def test_the_last_hour_follows_what_happens(busy: Site) -> None:
    page = busy.open("/console/rates?span=hour")
    expect(page.locator("[data-connection]")).to_have_text("live")
    before = int(_value(page, "orders", "orders"))
    busy.order("rates@example.no")
    expect(page.locator('#chart-orders [data-series="orders"]')).not_to_have_text(str(before))
    page.mouse.move(*_middle(page, "orders"))
    expect(page.locator("#at-time")).to_have_text(re.compile("^from "))
