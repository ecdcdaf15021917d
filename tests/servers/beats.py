"""A process's heartbeats, without the process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.heartbeat import Heartbeat, Kind
from tests.servers.waiting import wait_for

if TYPE_CHECKING:
    from engine.epoch import Memory
    from engine.store import Store


def beat(store: Store, memory: Memory) -> Heartbeat:
    """A process lives long enough to be settled; it remembers what `memory` does."""
    beating = Heartbeat(store, Kind("worker"), memory)
    beating.start()
    try:
        wait_for(beating.settled)
    finally:
        beating.stop()
    return beating
