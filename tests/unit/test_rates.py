"""Quantiles of delays, and where the lines and marks of charts stand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from api.console import charts
from api.console.rates import share
from engine.admin.rates import SPANS, Rates, quantile
from engine.observability.history import DELAYS, SERIES

BOUNDS = [*DELAYS.values()]


def buckets(**counts: int) -> list[int]:
    return [counts.get(name.replace("delay.", "under_").replace(".", "_"), 0) for name in DELAYS]


@pytest.mark.parametrize(
    ("counts", "p50", "p99"),
    [
        (buckets(), None, None),
        (buckets(under_0_1=10), 0.075, 0.0995),
        (buckets(under_1=98, under_60=2), 0.755102, 45.0),
        (buckets(under_1=1, under_more=1), 1.0, BOUNDS[-2]),
    ],
)
def test_a_quantile_lies_within_its_bucket(counts: list[int], p50: float | None, p99: float | None) -> None:
    assert quantile(counts, 0.5) == (p50 if p50 is None else pytest.approx(p50))
    assert quantile(counts, 0.99) == (p99 if p99 is None else pytest.approx(p99))


def rates(counts: list[int], p50: list[float | None]) -> Rates:
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    none = dict.fromkeys(SERIES, [0] * len(counts))
    delays = {"delay.p50": p50, "delay.p99": p50}
    return Rates(
        SPANS["day"], at, at, none | {"orders": counts}, delays, dict.fromkeys(delays), dict.fromkeys(SERIES, 0)
    )


ORDERS = charts.Plan("orders", "Orders", (("orders", "orders", "area"),))
DELAY = charts.Plan("delay", "Delay", (("delay.p50", "p50", "line"),))


@pytest.mark.parametrize(
    ("most", "labels"),
    [
        (0, ["0", "1"]),
        (3, ["0", "1", "2", "3"]),
        (7, ["0", "2", "4", "6", "8"]),
        (1_900, ["0", "500", "1 k", "1.5 k", "2 k"]),
        (5_000_000, ["0", "2 M", "4 M", "6 M"]),
    ],
)
def test_a_scale_has_round_numbers_and_room_for_the_largest_value(most: int, labels: list[str]) -> None:
    chart = charts.of_counts(ORDERS, rates([0, most], [None, None]))
    assert [mark.label for mark in chart.scale] == labels
    assert (chart.scale[0].at, chart.scale[-1].at) == (100, 0)
    assert chart.empty == (most == 0)


def test_one_failure_beside_a_million_is_seen() -> None:
    chart = charts.of_counts(ORDERS, rates([1_000_000, 1, 0], [None] * 3))
    assert chart.lines[0].path == "M0 100V0.0H333.3V99.4H666.7V100.0H1000.0V100Z"
    assert chart.lines[0].told == "1,000,001"


def test_delays_are_drawn_where_something_was_sent_on_a_scale_of_times() -> None:
    chart = charts.of_delays(DELAY, rates([1, 0, 1], [0.5, None, 50.0]))
    assert [mark.label for mark in chart.scale] == ["100 ms", "1 s", "10 s", "1 min"]
    assert chart.lines[0].path.count("M") == 2  # it breaks in the middle


def test_times_are_marked_within_the_span() -> None:
    marks = charts.times_of(rates([], []))
    assert [mark.label for mark in marks] == ["12:00", "16:00", "20:00", "00:00", "04:00", "08:00"]
    assert [mark.at for mark in marks] == [pytest.approx(100 * hours / 24) for hours in range(0, 24, 4)]


@pytest.mark.parametrize(
    ("failed", "accepted", "shown"),
    [(0, 0, "—"), (0, 9, "0 %"), (1, 99, "1 %"), (1, 999, "0.1 %"), (1, 2, "33 %"), (9, 0, "100 %")],
)
def test_a_share_has_two_digits(failed: int, accepted: int, shown: str) -> None:
    assert share(failed, accepted) == shown


def test_spans_have_whole_steps() -> None:
    for span in SPANS.values():
        assert span.length % span.step == timedelta(0)
        assert span.finer is None or SPANS[span.finer].step < span.step
