"""A process's heartbeats, without the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.observability.heartbeat import Heartbeat, Kind
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from engine.db.store import Store
    from engine.queue.marks import Memory


def beat(store: Store, memory: Memory) -> Heartbeat:
    """A process lives long enough to count as settled; it starts with this `memory`."""
    beating = Heartbeat(store, Kind("worker"), memory)
    beating.start()
    try:
        wait_for(beating.settled)
    finally:
        beating.stop()
    return beating
