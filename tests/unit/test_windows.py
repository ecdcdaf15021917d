"""Sending windows: what the wall clock says decides, through every change of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.queue.windows import DAY, DAYTIME, SOON, WHOLE_DAY, Calendar, Hours, Span, Window, read, zones

MINUTE = timedelta(minutes=1)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")
# Half an hour of summer, two hours, a clock set at midnight, a day that never was, an hour that came twice at midnight.
ODD = ("Australia/Lord_Howe", "Antarctica/Troll", "America/Santiago", "Pacific/Apia", "America/Havana", "Asia/Beirut")


def moments(zone: str) -> list[datetime]:
    """Instants around changes of the clock in the next years, every quarter of an hour."""
    its = ZoneInfo(zone)
    days = [FIRST + timedelta(days=day) for day in range(3 * 365)]
    around = [
        day for day in days if day.astimezone(its).utcoffset() != (day + timedelta(days=1)).astimezone(its).utcoffset()
    ]
    return [day + timedelta(minutes=15 * quarter) for day in around or days[:1] for quarter in range(-96, 192)]


spans = st.builds(Span, st.integers(0, DAY - 1), st.integers(1, DAY)).filter(lambda span: span.begin != span.end)
windows = st.builds(Window, st.just("UTC"), st.frozensets(st.integers(0, 6), min_size=1), st.just(WHOLE_DAY) | spans)
calendars = st.builds(Calendar, quiet=st.lists(spans, max_size=2).map(tuple))
names = st.sampled_from(ODD) | st.sampled_from(sorted(zones()))


@settings(max_examples=40, deadline=None)
@given(names.flatmap(lambda zone: st.tuples(st.just(zone), st.sampled_from(moments(zone)))), windows, calendars)
@example(
    ("America/Havana", datetime(2020, 10, 31, 4, tzinfo=UTC)), Window("UTC", frozenset({0, 1, 2, 3, 5})), Calendar()
)
@example(("Pacific/Apia", datetime(2011, 12, 30, 3, tzinfo=UTC)), DAYTIME, Calendar())
@example(("Europe/Oslo", datetime(2026, 3, 29, 0, tzinfo=UTC)), Window("UTC", span=Span(150, 180)), Calendar())
def test_an_opening_is_open_and_nothing_before_it_is(
    where: tuple[str, datetime], window: Window, calendar: Calendar
) -> None:
    zone, at = where
    hours = Hours.of(window, calendar, zone)
    for find, opens, days in ((hours.opening, True, 20), (hours.closing, False, SOON)):
        found = find(at)
        if found is None:
            assert not any(hours.open_at(at + 97 * step * MINUTE) is opens for step in range(days * DAY // 97))
            continue
        assert found >= at
        assert hours.open_at(found) is opens
        assert find(found) == found
        assert found == at or hours.open_at(found - timedelta(milliseconds=1)) is not opens
        steps = min(int((found - at) / MINUTE), 1_500)
        assert not any(hours.open_at(at + step * MINUTE) is opens for step in range(steps))


@pytest.mark.parametrize(
    ("span", "after", "opens"),
    [
        ("02:30-03:30", "2026-03-28T12:00Z", "2026-03-29T01:00Z"),  # 02:30 does not exist: at 03:00
        ("02:00-03:00", "2026-03-28T12:00Z", "2026-03-30T00:00Z"),  # none of it exists that day
        ("02:30-03:00", "2026-10-24T12:00Z", "2026-10-25T00:30Z"),  # it comes twice: the first time
        ("02:30-03:00", "2026-10-25T01:00Z", "2026-10-25T01:30Z"),  # and the second
        ("22:00-06:00", "2026-11-28T12:00Z", "2026-11-28T21:00Z"),
    ],
)  # fmt: skip
def test_a_changed_clock_opens_what_it_reads(span: str, after: str, opens: str) -> None:
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in span.split("-"))
    hours = Hours.of(Window("Europe/Oslo", span=Span(begin, end)))
    assert hours.opening(datetime.fromisoformat(after)) == datetime.fromisoformat(opens)


def test_a_closing_is_looked_for_in_the_next_days_alone() -> None:
    """It is looked for whenever e-mails are claimed, and an e-mail is in nobody's hands for days."""
    always, weekdays = Hours.of(Window("Europe/Oslo")), Hours.of(Window("Europe/Oslo", frozenset(range(5))))
    monday, friday = datetime(2026, 11, 30, 12, tzinfo=UTC), datetime(2026, 12, 4, 12, tzinfo=UTC)
    assert always.closing(monday) is None
    assert weekdays.closing(monday) is None
    assert weekdays.closing(friday) == datetime(2026, 12, 4, 23, tzinfo=UTC)


def test_holidays_and_quiet_hours_close_what_the_window_opens() -> None:
    calendar = Calendar(frozenset({date(2026, 12, 24)}), frozenset({(12, 25)}), (Span(22 * 60, 10 * 60),))
    weekdays = Window("Europe/Oslo", frozenset(range(5)), Span(9 * 60, 17 * 60))
    opening = Hours.of(weekdays, calendar).opening(datetime(2026, 12, 23, 17, tzinfo=OSLO))
    assert opening == datetime(2026, 12, 28, 10, tzinfo=OSLO)  # the 26th is a Saturday
    shut = Calendar(quiet=(Span(0, DAY),))
    assert Hours.of(weekdays, shut).opening(FIRST) is None
    assert Hours.of(weekdays, shut).opening(datetime(9998, 12, 31, tzinfo=UTC)) is None


def test_nights_belong_to_the_day_on_which_they_begin() -> None:
    fridays = Hours.of(Window("Europe/Oslo", frozenset({4}), Span(22 * 60, 6 * 60)))
    friday = datetime(2026, 11, 27, 22, tzinfo=OSLO)
    assert fridays.opening(friday - timedelta(hours=17)) == friday  # 05:00 is Thursday's night
    assert fridays.closing(friday) == friday + timedelta(hours=8)


def test_a_window_is_read_as_it_was_written() -> None:
    for window in (DAYTIME, Window("UTC", frozenset({0}), Span(60, DAY), "norway")):
        assert read(window.text()) == window
