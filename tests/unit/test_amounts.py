"""Numbers, shares and spans of time in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.admin.amounts import percent, some, span


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (0.0, "0 %"),
        (0.000_01, "<0.01 %"),
        (0.000_1, "0.01 %"),
        (0.004_8, "0.48 %"),
        (0.01, "1 %"),
        (0.099_7, "10 %"),
        (0.333, "33 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_has_two_digits_and_is_none_only_where_there_is_none(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_a_number_says_of_what() -> None:
    assert [some(number, "emails") for number in (0, 1, 2_000)] == ["0 e-mails", "1 e-mail", "2,000 e-mails"]


def test_a_span_has_its_two_largest_units() -> None:
    told = [span(each) for each in (0, 0.25, 65, timedelta(days=2, hours=3, minutes=5))]
    assert told == ["0 s", "250 ms", "1 min 5 s", "2 d 3 h"]
