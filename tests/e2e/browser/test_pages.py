"""Every page is readable for everybody, in both colours, on a phone and on a wall, without errors."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from math import sin
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect
from sqlalchemy import delete, func, insert, select

from engine.admin.ends import end_of
from engine.admin.pausing import pause
from engine.db.tables import deliveries, delivery_attempts, events, history, jobs
from tests.e2e.browser.conftest import ZONE, Site
from tests.e2e.browser.looks import barriers
from tests.helpers.console import PASSWORD
from tests.helpers.rows import add_subscription, now
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from sqlalchemy import Connection

    from tests.servers.installation import Installation

KEPT = bool(os.environ.get("SCREENSHOTS"))
PICTURES = Path(__file__).parents[3] / "docs" / "console"
SCHEMES = ("light", "dark")
LISTS = ("orders", "emails", "events", "subscriptions", "deliveries", "templates", "jobs", "audit", "inbox")
SHOWN = "Your appointment is at 09:00"


@pytest.fixture(scope="module")
def filled(running: Installation, browser: Browser) -> dict[str, str]:
    """The pages by name, of an installation in which something has happened."""
    site = Site(running, browser)
    for number in range(4):
        site.order(f"person{number}@example.no", subject=f"Invoice {number} is ready", sendersReference=f"inv-{number}")
    later = (now() + timedelta(hours=5)).isoformat()
    site.order("tomorrow@example.no", subject="Your tax return", requestedSendTime=later)
    body = f'<h1 style="color: teal">Hei!</h1><p>{SHOWN}.</p>'
    site.order("kari+550@demo.example", subject="Your appointment", body=body, contentType="Html")
    site.order("ola+451@demo.example", subject="A reminder")
    wait_for(lambda: site.arrived("person3@example.no"))
    wait_for(lambda: _first_event(site))  # which tells what became of an order
    with site.write() as connection:
        noon = end_of("12:00", now(), ZoneInfo(ZONE))
        pause(connection, "anna", "domain", "slow.example", "their server is down", noon)
        numbers = _fill(connection)
    page = site.open("/console/emails?recipient=kari%2B550@demo.example&state=failed")
    email = page.locator("tbody a").first.get_attribute("href")
    page.goto("/console/orders?state=Completed")
    order = page.locator("tbody a").first.get_attribute("href")
    site.close()
    assert email
    assert order
    return {
        "overview": "/console/overview",
        "rates": "/console/rates",
        **{name: f"/console/{name}" for name in LISTS},
        "order": order,
        "email": email,
        "event": f"/console/events/{numbers['event']}",
        "subscription": f"/console/subscriptions/{numbers['subscription']}",
        "delivery": f"/console/deliveries/{numbers['delivery']}",
        "job": f"/console/jobs/{numbers['job']}",
        "confirm": "/console/emails/all/retry?state=failed",
        "nothing": "/console/emails?recipient=nobody@example.no",
        "find": "/console/find?q=person",
        "zone": "/console/zone",
    }


def _first_event(site: Site) -> int | None:
    with site.write() as connection:
        seq: int | None = connection.scalar(select(func.min(events.c.seq)))
    return seq


def _fill(connection: Connection) -> dict[str, int]:
    """Add what takes long to happen by itself: a day's history, a receiver that fails, a job; returns some numbers."""
    minute = timedelta(minutes=1)
    this = now().replace(second=0, microsecond=0)
    volumes = {"orders": 40, "events": 90, "emails.accepted": 120, "emails.failed": 2, "webhooks.accepted": 70}
    volumes |= {"delay.0.5": 60, "delay.1": 40, "delay.5": 8}
    connection.execute(delete(history))  # what is running writes it, too
    connection.execute(
        insert(history),
        [
            {"minute": this - ago * minute, "series": series, "count": int(volume * (1.2 + sin(ago / 90 + volume)))}
            for series, volume in volumes.items()
            for ago in range(2, 1440)
        ],
    )
    subscription = add_subscription(
        connection, "https://receiver.example/hook", last_error="an event was not accepted: status 503"
    )
    event = connection.execute(select(func.min(events.c.seq))).scalar_one()
    made: dict[str, object] = {"created": now(), "last_update": now()}
    push = {"subscription_seq": subscription, "event_seq": event, "state": "Dead", "attempts": 2} | made
    delivery = connection.execute(insert(deliveries).values(push).returning(deliveries.c.seq)).scalar_one()
    tries = [(503, "upstream is restarting"), (None, "no answer within 15 s")]
    line = {"delivery_seq": delivery, "at": now(), "duration_ms": 128, "outcome": "deferred"}
    connection.execute(
        insert(delivery_attempts), [line | {"status": status, "reply": reply} for status, reply in tries]
    )
    job = {
        "who": "anna",
        "resource": "emails",
        "action": "retry",
        "filter": '{"state": "failed"}',
        "state": "Done",
    } | made
    job |= {"total": 1200, "done": 1198}
    seq = connection.execute(insert(jobs).values(job).returning(jobs.c.seq)).scalar_one()
    return {"subscription": subscription, "event": event, "delivery": delivery, "job": seq}


def test_no_page_has_a_barrier(site: Site, filled: dict[str, str]) -> None:
    page = site.open("/console/overview", bypass_csp=True, viewport={"width": 360, "height": 800})
    for name, path in filled.items():
        page.goto(path)
        assert barriers(page) == [], name


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/emails/none"])
def test_neither_have_the_pages_before_and_beside(guarded_site: Site, path: str) -> None:
    page = guarded_site.open("/console/sign-in", bypass_csp=True)
    page.get_by_label("Name").fill("anna")
    if path != "/console/sign-in":
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator(".me")).to_contain_text("anna")
        page.goto(path)
    assert barriers(page) == []
    guarded_site.complaints[:] = [each for each in guarded_site.complaints if "404" not in each]


def test_colours_follow_the_reader(site: Site) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page = site.open("/console/overview", color_scheme=scheme)
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


def test_times_are_the_readers_with_their_zone_and_utc_beside(site: Site, filled: dict[str, str]) -> None:
    time = site.open(filled["email"]).locator(".facts time").first
    expect(time).to_have_text(re.compile(r"\d+ \w+, \d\d:\d\d:\d\d (CET|CEST|GMT\+\d)$"))
    expect(time).to_have_attribute("title", re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} UTC$"))


def test_the_message_is_shown_in_a_box_in_which_nothing_runs(site: Site) -> None:
    body = (
        '<p id="text">shown</p><script>document.getElementById("text").textContent = "ran"</script>'
        '<img src="https://elsewhere.example/pixel.png"><meta http-equiv="refresh" content="0;url=https://elsewhere.example">'
        '<form action="https://elsewhere.example"><button>Go</button></form>'
    )
    order = site.order("box@example.no", subject="A box", body=body, contentType="Html")
    wait_for(lambda: site.arrived("box@example.no"))
    page = site.open(f"/console/emails?order={order}")
    page.get_by_role("link", name="box@example.no").click()
    expect(page.frame_locator("iframe").locator("#text")).to_have_text("shown")
    page.goto("/console/inbox")
    page.get_by_role("link", name="A box").click()
    expect(page.frame_locator("iframe").locator("#text")).to_have_text("shown")


def test_what_senders_write_is_text_on_every_page(site: Site) -> None:
    nasty = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202egnp\u2066"
    order = site.order("nasty@example.no", subject=nasty, body=nasty, sendersReference=nasty)
    wait_for(lambda: site.arrived("nasty@example.no"))
    page = site.open("/console/overview")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path in ("/console/orders", f"/console/orders/{order}", "/console/emails", "/console/events", "/console/inbox"):
        page.goto(path)
        if path == "/console/inbox":
            page.get_by_role("link", name="<img src=x").click()
        expect(page.locator("[data-connection]")).to_have_text("live")
        assert page.locator("main img, main script").count() == 0
        assert "\u202e" not in page.content()
    expect(page.locator("article h2")).to_contain_text("<img src=x onerror=alert(1)>")


@pytest.mark.parametrize("scheme", SCHEMES if KEPT else ["light"])
def test_pictures_of_every_page(site: Site, filled: dict[str, str], scheme: str, tmp_path: Path) -> None:
    folder = PICTURES if KEPT else tmp_path
    page = site.open("/console/overview", color_scheme=scheme)
    for name, path in filled.items():
        page.goto(path)
        if name not in {"confirm", "rates", "templates", "find", "zone"}:  # these change when their reader asks
            expect(page.locator("[data-connection]")).to_have_text("live")
        picture = page.screenshot(path=folder / f"{name}-{scheme}.png")
        assert len(picture) > 10_000, f"{name} is blank"


@pytest.mark.parametrize("scheme", SCHEMES if KEPT else ["light"])
def test_a_picture_of_the_sign_in(guarded_site: Site, scheme: str, tmp_path: Path) -> None:
    folder = PICTURES if KEPT else tmp_path
    page = guarded_site.open("/console", color_scheme=scheme)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert len(page.screenshot(path=folder / f"sign-in-{scheme}.png")) > 10_000
