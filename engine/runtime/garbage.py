"""When Python looks for garbage in cycles: seldom, since its passes are what the slowest answers wait for."""

from __future__ import annotations

import atexit
import gc

# The youngest generation is collected every 20,000 allocations instead of 700 or 2,000, the oldest seldom.
_THRESHOLDS = (20_000, 50, 100)


def collect_seldom() -> None:
    """Once, when a process begins: what it imports is no garbage, and what it leaves behind the system frees."""
    gc.set_threshold(*_THRESHOLDS)
    atexit.register(gc.freeze)


def set_aside() -> None:
    """Never look again at what is there now, as what a start has made; its pages stay those that a fork shares."""
    gc.collect()
    gc.freeze()
