"""The figures that benchmarks find, some with a bound, and their table."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Name = TypeVar("Name")

_STARTED = time.monotonic()


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; `least` or `most` is its documented bound, if it has one."""

    question: str
    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def bound(self) -> str:
        """The bound in words; "" if there is none."""
        if self.least is not None:
            return f">= {_number(self.least)}"
        return f"< {_number(self.most)}" if self.most is not None else ""

    @property
    def verdict(self) -> str:
        """Whether the bound is met."""
        if not self.bound:
            return ""
        met = self.value >= self.least if self.least is not None else self.value < (self.most or 0)
        return "met" if met else "MISSED"


def median(values: Iterable[float]) -> float:
    """The median of the rounds."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` (0.99) of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> float:
    """The ratio of the medians."""
    return median(ours) / median(theirs)


def alternated(names: Sequence[Name], number: int) -> Sequence[Name]:
    """The order in which round `number` runs its systems, so that none is always the first."""
    return names if number % 2 == 0 else names[::-1]


def say(text: str) -> None:
    """A line of progress."""
    print(f"  [{time.monotonic() - _STARTED:5.0f} s] {text}", file=sys.stderr, flush=True)


def table(figures: Sequence[Figure]) -> str:
    """All figures, one per line."""
    rows = [("question", "figure", "value", "bound", "")]
    rows += [(f.question, f.name, f"{_number(f.value)} {f.unit}".strip(), f.bound, f.verdict) for f in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths).rstrip(), *lines[1:]])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
