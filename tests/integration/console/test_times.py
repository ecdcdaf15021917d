"""Times are shown and typed in the reader's zone, without JavaScript, too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest
from sqlalchemy import insert, select

from engine.db.tables import events, orders
from engine.events.storing import as_row
from engine.models import EmailState, OrderState, new_id
from tests.helpers.console import Site, fields
from tests.helpers.rows import add_email, add_order, an_event

if TYPE_CHECKING:
    from uuid import UUID

    from engine.db.store import Store

AT = datetime(2099, 1, 2, 11, 30, tzinfo=UTC)


@pytest.fixture
def order(store: Store) -> UUID:
    with store.write() as connection:
        key = new_id(AT)
        add_order(connection, id=key, requested_send_time=AT, due_at=AT, sending_window=None)
    return key


def test_times_are_in_utc_until_the_browser_tells_its_zone_or_the_reader_chooses_one(site: Site, order: UUID) -> None:
    browser = site.browser("kari")
    path = f"/console/orders/{order}"
    assert "2099-01-02 11:30:00 UTC</time>" in browser.get(path).text
    browser.client.cookies.set("varsel_browser_zone", "Europe/Oslo", path="/console")
    page = browser.get(path).text
    assert "2099-01-02 12:30:00 CET</time>" in page
    assert '<html lang="en" data-zone="Europe/Oslo">' in page
    answer = browser.post("/console/zone", zone="America/New_York", back=path)
    assert answer.headers["location"] == path
    page = browser.get(path).text
    assert "2099-01-02 06:30:00 EST</time>" in page
    assert 'data-zone="America/New_York" data-chosen>' in page
    assert browser.post("/console/zone", zone="", back="//elsewhere.example").headers["location"] == "/console/overview"
    assert "2099-01-02 12:30:00 CET</time>" in browser.get(path).text
    browser.client.cookies.set("varsel_browser_zone", "../../etc/passwd", path="/console")
    assert "2099-01-02 11:30:00 UTC</time>" in browser.get(path).text, "what is no zone is not believed"


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"])
def test_times_that_a_zone_has_no_date_for_are_shown(site: Site, store: Store, zone: str, at: str) -> None:
    """Publishers say when their events happened."""
    with store.write() as connection:
        [row] = map(as_row, [an_event(time=datetime.fromisoformat(at))])
        connection.execute(insert(events).values(row | {"time": datetime.fromisoformat(at), "registered": AT}))
        seq = connection.scalar(select(events.c.seq))
    browser = site.browser("ola")
    browser.client.cookies.set("varsel_browser_zone", zone, path="/console")
    assert at[:19].replace("T", " ").lstrip("0") in browser.get(f"/console/events/{seq}").text


@pytest.mark.parametrize("path", ["orders?since={}", "orders?until={}", "rates?until={}", "emails?failed={}"])
@pytest.mark.parametrize("at", ["0001-01-01", "0001-01-01T00:00+14:00", "1969-12-31", "9999-12-31T23:59:59-14:00"])
def test_times_so_far_away_that_spans_from_there_have_no_date_are_refused(site: Site, path: str, at: str) -> None:
    answer = site.browser("ola").get(f"/console/{path.format(quote(at))}&zone=Asia/Tokyo")
    assert (answer.status_code, "A time such as" in answer.text) == (400, True)


def test_what_a_job_was_narrowed_to_is_a_time_in_the_readers_zone(site: Site, store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection)
        add_email(connection, of, state=EmailState.FAILED, due_at=None)
    browser, since = site.browser("ola"), "2026-01-02T12:30:00+01:00"
    asked = browser.get(f"/console/emails/all/retry?{urlencode({'state': 'failed', 'since': since})}")
    job = browser.send("/console/emails/all/retry", **fields(asked.text)).headers["location"]
    browser.client.cookies.set("varsel_browser_zone", "Europe/Oslo", path="/console")
    assert "2026-01-02 12:30:00 CET</time>" in browser.get(job).text.partition("All that match")[2]
    assert "2026-01-02 12:30:00 CET</time>" in browser.get("/console/audit").text


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ({"time": "2099-07-01T12:00", "zone": "Europe/Oslo"}, "2099-07-01T10:00:00+00:00"),
        ({"time": "2099-07-01T12:00", "zone": "America/New_York"}, "2099-07-01T16:00:00+00:00"),
        ({"time": "2099-07-01T12:00+00:00", "zone": "Europe/Oslo"}, "2099-07-01T12:00:00+00:00"),
        ({"time": "2099-10-25T02:30", "zone": "Europe/Oslo"}, "2099-10-25T00:30:00+00:00"),  # the first of two
        ({"time": "2099-07-01T12:00", "zone": "No/Where"}, "2099-07-01T12:00:00+00:00"),
    ],
    ids=str,
)
def test_a_time_is_read_in_the_zone_of_the_form(
    site: Site, store: Store, order: UUID, given: dict[str, str], meant: str
) -> None:
    browser, path = site.browser("ola"), f"/console/orders/{order}/reschedule"
    asked = browser.get(f"{path}?{urlencode(given)}")
    assert "Send this order to 1 recipient at another time?" in asked.text
    assert browser.send(path, **fields(asked.text)).status_code == 303
    with store.read() as connection:
        row = connection.execute(select(orders.c.requested_send_time, orders.c.due_at)).one()
    assert row == (datetime.fromisoformat(meant), datetime.fromisoformat(meant))


def test_an_order_is_sent_now_after_a_question(site: Site, store: Store, order: UUID) -> None:
    browser, path = site.browser("ola"), f"/console/orders/{order}/send_now"
    browser.answer(path, "Send this order to 1 recipient now?")
    assert browser.get(path).status_code == 409, "it is due"
    with store.read() as connection:
        row = connection.execute(select(orders.c.due_at, orders.c.requested_send_time, orders.c.state)).one()
    assert row.due_at == row.requested_send_time < AT
    assert row.state == OrderState.REGISTERED


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ("2099-03-29T02:30", "2099-03-29 02:30 does not exist here: clocks are set forward over it."),
        ("2020-01-01T12:00", "The send time is past. Choose a later one, or Send now."),
        ("soon", "A time such as 2026-05-01T12:00:00+02:00"),
    ],
)
def test_what_is_wrong_with_a_time_stands_beside_its_field(site: Site, order: UUID, typed: str, wrong: str) -> None:
    for path in (f"/console/orders/{order}/reschedule", "/console/orders/all/reschedule"):
        answer = site.browser("ola").get(f"{path}?{urlencode({'time': typed, 'zone': 'Europe/Oslo'})}")
        assert answer.status_code == 400
        assert 'aria-invalid="true" aria-describedby="time-wrong"' in answer.text
        assert f'<span class="wrong" id="time-wrong" role="alert">{wrong}' in answer.text
        assert f'value="{typed}"' in answer.text


def test_a_list_is_narrowed_by_times_of_the_readers_zone(site: Site, order: UUID) -> None:
    browser = site.browser("kari")
    page = browser.get("/console/orders?since=2099-01-02T12:00&zone=Europe/Oslo").text
    assert f"/console/orders/{order}" in page
    assert 'value="2099-01-02T12:00:00+01:00"' in page
    assert f"/console/orders/{order}" not in browser.get("/console/orders?since=2099-01-02T13:00&zone=Europe/Oslo").text
    assert browser.get("/console/orders?since=2099-03-29T02:30&zone=Europe/Oslo").status_code == 400
    assert browser.get("/console/orders?since=24h&zone=Europe/Oslo").status_code == 200
