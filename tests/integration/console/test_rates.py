"""The page of rates over HTTP: what it shows to whom, and the ways from one span to the next."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from api.console.rates import change
from engine.admin.rates import SPANS
from engine.db.tables import history
from engine.models import EmailState, new_id
from engine.text.times import rfc3339
from tests.helpers.rows import add_email, add_order, now

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site


def links(page: str) -> dict[str, str]:
    return {text: address.replace("&amp;", "&") for address, text in re.findall(r'href="([^"]+)"[^>]*>(\w+)</a>', page)}


def test_a_viewer_sees_charts_with_their_sums_and_a_table(site: Site, store: Store) -> None:
    minute = now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    with store.write() as connection:
        for series, count in (("emails.accepted", 1_234), ("emails.failed", 6), ("delay.0.5", 1_234)):
            connection.execute(insert(history).values(minute=minute, series=series, count=count))
    viewer = site.browser("kari")
    for span in SPANS:
        page = viewer.get(f"/console/rates?span={span}").text
        assert 'accepted <strong data-series="emails.accepted">1,234</strong>' in page
        assert re.search(r"half took at most \(p50\) <strong[^>]*>350 ms</strong>", page)
        assert page.count("<tr>") == SPANS[span].length // SPANS[span].step + 1
        assert '<td class="n" data-label="Share failed">0.48 %</td>' in page
        assert "</script>" in page
        assert "style=" not in page


def test_earlier_and_later_lead_there_and_back(site: Site) -> None:
    viewer = site.browser("kari")
    here = links(viewer.get("/console/rates?span=week").text)
    assert here["Week"] == "/console/rates?span=week"
    assert "Later" not in here
    back = viewer.get(here["Earlier"]).text
    assert links(back)["Now"] == "/console/rates?span=week"
    assert links(viewer.get(links(back)["Later"]).text)["Earlier"] == here["Earlier"]


def test_there_is_no_earlier_where_no_sample_is_kept(site: Site) -> None:
    old = (now() - timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "Earlier" not in links(site.browser("kari").get(f"/console/rates?span=day&until={old}").text)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("span=year", "How far back (span): One of hour, day, week, month."),
        ("until=never", "Before (until): A time such as"),
    ],
)
def test_what_cannot_be_shown_is_said(site: Site, query: str, told: str) -> None:
    answer = site.browser("kari").get(f"/console/rates?{query}")
    assert answer.status_code == 400
    assert told in answer.text


def test_a_step_leads_to_the_list_of_what_failed_and_was_sent_in_it(site: Site, store: Store) -> None:
    hour = now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    with store.write() as connection:
        of = add_order(connection, created=hour - timedelta(hours=1))
        for state, minutes in ((EmailState.FAILED_BOUNCED, 10), (EmailState.FAILED, 59), (EmailState.SUCCEEDED, 20)):
            at = hour + timedelta(minutes=minutes)
            add_email(connection, of, state=state, last_update=at, due_at=None, id=new_id(hour))
        add_email(connection, of, state=EmailState.FAILED, last_update=hour - timedelta(minutes=1), due_at=None)
        for series, count in (("emails.accepted", 1), ("emails.failed", 2)):
            connection.execute(insert(history).values(minute=hour, series=series, count=count))
    viewer = site.browser("kari")
    page = viewer.get("/console/rates?span=week").text
    peaks = re.findall(r'Most in one step: (\d+) from <time datetime="([^"]+)".*?<a href="([^"]+)">Show', page)
    assert [(count, at) for count, at, _ in peaks] == [("1", rfc3339(hour)), ("2", rfc3339(hour))]
    for (_, _, written), which, number in zip(peaks, ("Succeeded", "failed"), (1, 2), strict=True):
        address = written.replace("&amp;", "&")
        assert f"state={which}&" in address
        listed = viewer.get(address).text
        assert len(re.findall(r'<a href="/console/emails/[0-9a-f-]{36}"', listed)) == number, listed
        assert page.count(f'href="{written}"') == 2, "beside the chart, and in the table"
    assert len(re.findall(r'<a href="/console/rates\?span=day&amp;until=[^"]+">Zoom in</a>', page)) == len(peaks)


@pytest.mark.parametrize(
    ("here", "before", "told"),
    [
        (4, 0, ""),
        (20, 10, "+100 %"),
        (5, 10, "\N{MINUS SIGN}50 %"),
        (10, 10, "\N{PLUS-MINUS SIGN}0 %"),
        (4647, 10, "\N{MULTIPLICATION SIGN} 465"),
    ],
)
def test_a_sum_is_compared_in_percent_and_a_multiple_as_such(here: int, before: int, told: str) -> None:
    assert change(here, before) == told
