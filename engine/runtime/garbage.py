"""How often Python looks for garbage in cycles: seldom, since answers wait for its passes."""

from __future__ import annotations

import atexit
import gc

# The youngest generation is collected every 20,000 allocations instead of 700 or 2,000, the oldest seldom.
_THRESHOLDS = (20_000, 50, 100)


def collect_seldom() -> None:
    """Call it once, when a process begins: what it imports is no garbage, and the system frees the rest at its end."""
    gc.set_threshold(*_THRESHOLDS)
    atexit.register(gc.freeze)


def set_aside() -> None:
    """Never look again at the objects that exist now, at the end of the start; forks keep sharing their pages."""
    gc.collect()
    gc.freeze()
