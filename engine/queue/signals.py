"""What a runner asks of its process and tells other workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

INSTANT = "instant_orders"  # what wakes whoever sends instant orders; others are woken by the names of lanes


@dataclass(frozen=True, slots=True)
class Signals:
    """How a runner hears from its process, and tells others."""

    settled: Callable[[], bool] = lambda: True  # whether rows may be claimed: see engine/observability/heartbeat.py
    doubt: Callable[[], None] = lambda: None  # the database did not answer
    seen: Callable[[], None] = lambda: None  # the runner is about to look at its lane: see engine/queue/broker.py
    wake: Callable[[], None] = lambda: None  # its lane has due work
