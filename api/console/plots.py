"""Small plots as SVG paths: no script, no library, no inline style."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 240, 48  # of the view box


def area(values: Sequence[int], top: int) -> str:
    """The path of a plot with steps, one per value, of which `top` reaches the upper edge."""
    step = WIDTH / max(1, len(values))
    heights = [0 if not value else max(1.5, HEIGHT * value / max(1, top)) for value in values]
    points = [f"V{HEIGHT - height:.1f}H{(place + 1) * step:.1f}" for place, height in enumerate(heights)]
    return f"M0 {HEIGHT}{''.join(points)}V{HEIGHT}Z"
