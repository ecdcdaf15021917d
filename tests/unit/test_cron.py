"""Cron expressions: what they mean, and that no change of the clock skips or repeats a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.orders.cron import Cron
from tests.unit.test_windows import ODD, names

OSLO = ZoneInfo("Europe/Oslo")


def times(text: str, after: str, count: int, zone: str = "Europe/Oslo") -> list[str]:
    cron, at, found = Cron.read(text, zone), datetime.fromisoformat(after).astimezone(UTC), []
    for _ in range(count):
        following = cron.following(at)
        assert following
        at = following
        found.append(f"{at.astimezone(ZoneInfo(zone)):%a %d %b %Y %H:%M}")
    return found


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("0 9 * * 1", ["Mon 30 Nov 2026 09:00", "Mon 07 Dec 2026 09:00"]),
        ("0 9 * * sun", ["Sun 29 Nov 2026 09:00"]),
        ("0 9 * * 7", ["Sun 29 Nov 2026 09:00"]),
        ("30 8-10/2 * * MON-FRI", ["Mon 30 Nov 2026 08:30", "Mon 30 Nov 2026 10:30"]),
        ("*/20 9 1,15 jan *", ["Fri 01 Jan 2027 09:00", "Fri 01 Jan 2027 09:20"]),
        ("0 0 13 * 5", ["Fri 04 Dec 2026 00:00", "Fri 11 Dec 2026 00:00", "Sun 13 Dec 2026 00:00"]),
        ("0 0 29 2 *", ["Tue 29 Feb 2028 00:00"]),
        (
            "0 0 29 2 */7",
            ["Sun 29 Feb 2032 00:00", "Sun 29 Feb 2060 00:00", "Sun 29 Feb 2088 00:00", "Sun 29 Feb 2128 00:00"],
        ),
        ("50/5 23 * * *", ["Sat 28 Nov 2026 23:50", "Sat 28 Nov 2026 23:55"]),
    ],
)
def test_an_expression_means_what_it_means_in_a_crontab(text: str, first: list[str]) -> None:
    assert times(text, "2026-11-28T18:00:00+01:00", len(first)) == first


@pytest.mark.parametrize(
    "text",
    ["", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "5-1 * * * *",
     "* * * foo *", "1,,2 * * * *", "@daily", "* * * * * *", "-1 * * * *", "1" * 300, "\u0661 * * * *"],
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no |five fields"):
        Cron.read(text, "UTC")


def test_a_day_that_never_comes_has_no_time() -> None:
    assert Cron.read("0 0 30 2 *", "UTC").following(datetime(2026, 1, 1, tzinfo=UTC)) is None
    assert Cron.read("0 0 1 1 *", "UTC").following(datetime(9999, 12, 30, tzinfo=UTC)) is None


def test_a_skipped_time_comes_when_the_clock_is_set_and_a_repeated_one_once() -> None:
    spring = ["Sat 28 Mar 2026 02:30", "Sun 29 Mar 2026 03:00", "Mon 30 Mar 2026 02:30"]
    assert times("30 2 * * *", "2026-03-28T00:00:00+01:00", 3) == spring
    autumn = ["Sat 24 Oct 2026 02:30", "Sun 25 Oct 2026 02:30", "Mon 26 Oct 2026 02:30"]
    assert times("30 2 * * *", "2026-10-24T00:00:00+02:00", 3) == autumn
    hourly = [f"Sun 25 Oct 2026 0{hour}:30" for hour in (1, 2, 2, 3)]
    assert times("30 * * * *", "2026-10-25T01:00:00+02:00", 4) == hourly


@settings(max_examples=50, deadline=None)
@given(names | st.sampled_from(ODD), st.integers(315_532_800, 2_114_380_800), st.integers(1, 30))
def test_where_the_hour_is_any_each_minute_that_passes_comes_once(zone: str, second: int, step: int) -> None:
    """Whatever the clock does meanwhile: looked for minute by minute."""
    begin = at = datetime.fromtimestamp(second, UTC)
    place, expected = ZoneInfo(zone), list[datetime]()
    for number in range(1, 600):
        each = begin.replace(second=0) + timedelta(minutes=number)
        if each.astimezone(place).second == 0 and each.astimezone(place).minute % step == 0:
            expected.append(each)
    found = list[datetime]()
    cron = Cron.read(f"*/{step} * * * *", zone)
    while (following := cron.following(at)) and len(found) < len(expected):
        at = following
        found.append(at)
    assert found == expected


@settings(max_examples=25, deadline=None)
@given(names | st.sampled_from(ODD), st.integers(0, 23), st.integers(0, 59), st.integers(2012, 2030))
def test_a_daily_time_comes_once_on_each_day_of_a_year_in_every_zone(
    zone: str, hour: int, minute: int, year: int
) -> None:
    cron = Cron.read(f"{minute} {hour} * * *", zone)
    at = datetime(year, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC) - timedelta(milliseconds=1)
    days = []
    while (following := cron.following(at)) and following.astimezone(ZoneInfo(zone)).year == year:
        assert following > at
        at = following
        days.append(at.astimezone(ZoneInfo(zone)).date())
    assert len(set(days)) == len(days) == (366 if year % 4 == 0 else 365)
