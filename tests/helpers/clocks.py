"""The clock's jobs, run by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.jobs import Clock

if TYPE_CHECKING:
    from engine.db.store import Store


def clock_of(store: Store) -> Clock:
    """For jobs that ask nobody but the database."""
    return Clock(store, None, None, None, timedelta(hours=1), None)  # type: ignore[arg-type]
