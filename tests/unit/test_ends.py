"""When a pause ends: what can be typed for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.admin.ends import end_of
from engine.errors import Invalid

OSLO = ZoneInfo("Europe/Oslo")
NOW = datetime(2026, 3, 28, 7, 30, tzinfo=UTC)  # 08:30 in Oslo, where clocks are set forward in the coming night


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("30m", NOW + timedelta(minutes=30)),
        ("30 min", NOW + timedelta(minutes=30)),
        ("2h", NOW + timedelta(hours=2)),
        ("1d", NOW + timedelta(days=1)),
        ("09:00", datetime(2026, 3, 28, 9, 0, tzinfo=OSLO)),
        ("9:00", datetime(2026, 3, 28, 9, 0, tzinfo=OSLO)),
        ("08:00", datetime(2026, 3, 29, 8, 0, tzinfo=OSLO)),
        ("2026-03-30 06:00", datetime(2026, 3, 30, 6, 0, tzinfo=OSLO)),
        ("2026-03-30T06:00Z", datetime(2026, 3, 30, 6, 0, tzinfo=UTC)),
    ],
)
def test_an_end_is_a_span_a_time_of_the_day_or_a_time(text: str, end: datetime) -> None:
    assert end_of(f" {text} ", NOW, OSLO) == end


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing_typed_is_no_end(text: str) -> None:
    assert end_of(text, NOW, OSLO) is None


@pytest.mark.parametrize("text", ["soon", "0m", "8", "24:00", "2026-03-28 08:00", "9999d", "366d", "-1h", "2028-01-01"])
def test_what_is_no_end_or_past_or_too_far_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        end_of(text, NOW, OSLO)
    assert list(refused.value.errors) == ["until"]
