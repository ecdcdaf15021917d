"""Charts as SVG, drawn by the server: where lines, labels and marks stand. No script is needed to read them.

Whatever its size on the screen, a chart is WIDE by HIGH; labels and marks stand at percentages of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import log10
from typing import TYPE_CHECKING

from babel.dates import format_datetime

from engine.admin.amounts import in_seconds, span
from engine.db.tables import EPOCH
from engine.text.language import current, decimal, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from engine.admin.rates import Rates

WIDE, HIGH = 1_000, 100  # of the view box
LEAST = 0.6  # how high a count is drawn at least, since one failure among a million is to be seen
TIMES = (0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0, 36_000.0, 172_800.0)  # seconds that are marked
EVERY = {  # time between two marks, and what is written there
    "hour": (timedelta(minutes=10), "clock"),
    "day": (timedelta(hours=4), "clock"),
    "week": (timedelta(days=1), "weekday"),
    "month": (timedelta(days=5), "date"),
}
SHAPES = {"clock": "HH:mm", "weekday": "EEE d", "date": "d MMM"}  # of CLDR


@dataclass(frozen=True, slots=True)
class Mark:
    """A line across a chart, at so many percent from the top or from the left, and its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """A series: its name in `Rates`, what it is called, how it is drawn (area or line), its path, and its sum."""

    series: str
    label: str
    drawn: str
    path: str
    told: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a chart shows: of each series its name, its label, and how it is drawn; `note` stands below it."""

    name: str
    title: str
    series: tuple[tuple[str, str, str], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart with its scale and lines."""

    plan: Plan
    lines: Sequence[Line]
    scale: Sequence[Mark]
    empty: bool


def of_counts(plan: Plan, rates: Rates) -> Chart:
    """A chart of counts by step."""
    values = [rates.counts[each] for each, _, _ in plan.series]
    top, marks = _scale(max((max(each, default=0) for each in values), default=0))
    lines = [
        Line(
            each,
            label,
            drawn,
            _steps([_height(each, top) for each in its], closed=drawn.startswith("area")),
            number(sum(its)),
        )
        for (each, label, drawn), its in zip(plan.series, values, strict=True)
    ]
    return Chart(plan, lines, marks, empty=not any(map(any, values)))


def of_delays(plan: Plan, rates: Rates) -> Chart:
    """A chart of delays in seconds; each mark is some times as long as the one below it."""
    values = [rates.delays[each] for each, _, _ in plan.series]
    known = [value for its in values for value in its if value is not None]
    low = max((mark for mark in TIMES if mark <= min(known, default=1.0)), default=TIMES[0])
    high = next((mark for mark in TIMES if mark > max(low, *known, 0.0)), TIMES[-1])
    reach = log10(high / low)
    marks = [Mark(100 - 100 * log10(mark / low) / reach, span(mark)) for mark in TIMES if low <= mark <= high]

    def height(value: float | None) -> float | None:
        return None if value is None else HIGH * min(1.0, max(0.0, log10(max(value, low) / low) / reach))

    lines = [
        Line(each, label, drawn, _steps([height(value) for value in its]), delay(rates.whole[each]))
        for (each, label, drawn), its in zip(plan.series, values, strict=True)
    ]
    return Chart(plan, lines, marks, empty=not known)


def times_of(rates: Rates) -> Sequence[Mark]:
    """The marks of the time, in UTC; the script moves them to the reader's zone."""
    every, shape = EVERY[rates.span.name]
    first = rates.first + (EPOCH - rates.first) % every
    moments = (first + number * every for number in range(rates.span.length // every + 1))
    return [
        Mark(100 * ((moment - rates.first) / rates.span.length), _written(moment, shape))
        for moment in moments
        if moment < rates.until
    ]


def _written(moment: datetime, shape: str) -> str:
    return str(format_datetime(moment, SHAPES[shape], locale=current().code))


def _scale(most: int) -> tuple[int, Sequence[Mark]]:
    """The least round number that is not below `most`, and three to five marks up to it."""
    step = next(step for step in _round_numbers() if step * 4 >= most)
    steps = max(1, -(-most // step))
    return step * steps, [Mark(100 - 100 * place / steps, _short(place * step)) for place in range(steps + 1)]


def _round_numbers() -> Iterable[int]:
    size = 1
    while True:
        yield from (size, 2 * size, 5 * size)
        size *= 10


def _height(value: int, top: int) -> float:
    return max(LEAST, HIGH * value / top) if value else 0.0


def _steps(heights: Sequence[float | None], *, closed: bool = False) -> str:
    """The path of a value for each step; it breaks where there is none."""
    wide, parts, pen = WIDE / max(1, len(heights)), [f"M0 {HIGH}"] if closed else [], closed
    for place, height in enumerate(heights):
        if height is None:
            pen = False
            continue
        y = HIGH - height
        parts.append(f"{'' if pen else f'M{place * wide:.1f} {y:.1f}'}V{y:.1f}H{(place + 1) * wide:.1f}")
        pen = True
    return "".join([*parts, f"V{HIGH}Z"] if closed else parts)


def _short(value: int) -> str:
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g} {unit}".replace(".", current().point)
    return str(value)


def delay(value: float | None) -> str:
    """So many seconds; None: nothing was sent."""
    if value is None:
        return "—"
    return in_seconds(decimal(value)) if 1 <= value < 10 else span(value)  # noqa: PLR2004 two digits
