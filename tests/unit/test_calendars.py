"""Calendars: their file, which is followed, and what in it is refused."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from engine.errors import Misconfigured
from engine.queue.calendars import Calendars
from engine.queue.windows import NO_CALENDAR, Calendar, Span, Window
from engine.runtime import config_files

if TYPE_CHECKING:
    from pathlib import Path

NORWAY = """
[calendars.norway]
holidays = [2026-12-24]
yearly = ["12-25", "02-29"]
quiet = ["22:00-07:00", "12:00-13:00"]
"""
ASKED = Window("Europe/Oslo", calendar="norway")


def written(folder: Path, text: str) -> Path:
    file = folder / "calendars.toml"
    file.write_text(text)
    return file


def test_a_calendar_has_holidays_and_quiet_hours_and_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config_files, "CHECK", config_files.CHECK * 0)
    calendars = Calendars(written(tmp_path, NORWAY))
    quiet = (Span(22 * 60, 7 * 60), Span(12 * 60, 13 * 60))
    its = Calendar(frozenset({date(2026, 12, 24)}), frozenset({(12, 25), (2, 29)}), quiet)
    assert calendars.hours(ASKED).calendar == its
    assert set(calendars.names) == {"norway"}
    written(tmp_path, "[calendars.sweden]\n")
    assert calendars.hours(ASKED).calendar == NO_CALENDAR
    assert set(calendars.names) == {"sweden"}
    assert not Calendars().names


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("holidays = []", "knows no 'holidays'"),
        ("calendars = 1", "knows no 'calendars' in this form"),
        ("calendars.norway = 1", "is no table"),
        ("[calendars.norway]\nzone = 'UTC'", "knows no 'zone'"),
        ("[calendars.norway]\nquiet = '22:00-07:00'", "quiet must be a list"),
        ("[calendars.norway]\nholidays = ['2026-12-24']", "without quotes"),
        ("[calendars.norway]\nholidays = [2026-12-24T00:00:00]", "without quotes"),
        ("[calendars.norway]\nyearly = ['12-32']", "in quotes"),
        ("[calendars.norway]\nquiet = ['22:00-25:00']", "quiet hours are times"),
        ("[calendars.norway]\nquiet = ['22:00-22:00']", "quiet hours are times"),
        ("[calendars.norway]\nquiet = [22]", "quiet hours are times"),
        ("[calendars.'']\n", "1 to 100 characters"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Misconfigured, match=fault):
        Calendars(written(tmp_path, text))
