"""When more e-mails fail than is usual."""

from __future__ import annotations

import pytest

from engine.admin.unusual import Unusual, unusual
from engine.observability.history import ACCEPTED, FAILED

Sums = dict[str, list[int]]


def lately(failed: int, accepted: int) -> Sums:
    """An hour in minutes, of which the last but one has these."""
    return {FAILED: [0] * 58 + [failed, 0], ACCEPTED: [0] * 58 + [accepted, 0]}


def before(failed: int, accepted: int) -> Sums:
    """A day in hours, with these at its beginning and a wave in its last hours, which is not usual."""
    return {FAILED: [failed] + [0] * 21 + [1000] * 2, ACCEPTED: [accepted] + [0] * 23}


@pytest.mark.parametrize(
    ("now", "usually", "told"),
    [
        (lately(211, 100), before(0, 0), "told"),
        (lately(9, 0), before(0, 0), "usual"),  # too few to mean anything
        (lately(10, 191), before(0, 0), "usual"),  # less than 5 %
        (lately(10, 190), before(0, 0), "told"),
        (lately(29, 71), before(10, 90), "usual"),  # less than three times as many as usual
        (lately(31, 69), before(10, 90), "told"),
        (lately(74, 26), before(50, 50), "usual"),  # three times as many as usual would be more than all
        (lately(75, 25), before(50, 50), "told"),
        (lately(100, 0), before(100, 0), "told"),
    ],
)
def test_the_rule(now: Sums, usually: Sums, told: str) -> None:
    assert ("told" if unusual(now, usually) else "usual") == told


def test_what_was_before_the_last_ten_minutes_is_over() -> None:
    hour = {FAILED: [500] * 50 + [0] * 10, ACCEPTED: [0] * 60}
    assert unusual(hour, before(0, 0)) is None


def test_a_sentence_has_both_shares() -> None:
    said = "Unusually many e-mails fail: 1,234 in the last 10 minutes, 25 % of those that ended; 0.8 % is usual"
    assert Unusual(1234, 4936, 0.008).text(over=False) == said
    assert Unusual(1234, 4936, 0.008).text(over=True) == said.replace("fail:", "failed:")
