"""Steps of the machine's clock. APScheduler follows that clock, so a step must neither delay ticks nor repeat them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from apscheduler.jobstores.base import JobLookupError
from apscheduler.triggers.base import BaseTrigger

from engine.runtime.clock import steady

if TYPE_CHECKING:
    from apscheduler.schedulers.base import BaseScheduler

LOOK_EVERY = 1.0  # seconds
STEP = 0.5  # seconds; slewing a clock stays below this


class Every(BaseTrigger):  # type: ignore[misc]
    """Fires each time that `period` has passed; missed ticks become one.

    APScheduler's own trigger counts missed ticks singly, which takes very long after a clock is set forward by years.
    """

    def __init__(self, period: timedelta) -> None:
        self._period = period

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """APScheduler asks for it."""
        following = (previous or now) + self._period
        return following if following > now else now + self._period


def watch(scheduler: BaseScheduler) -> None:
    """Watch for a clock that is set back, in a thread: jobs that would wait for the old time run at once."""
    threading.Thread(target=_watch, args=(scheduler,), name="steps", daemon=True).start()


def _watch(scheduler: BaseScheduler) -> None:
    ahead = time.time() - steady()
    while True:
        time.sleep(LOOK_EVERY)
        before, ahead = ahead, time.time() - steady()
        if ahead < before - STEP:
            for job in scheduler.get_jobs():
                with suppress(JobLookupError):  # a one-time job has run meanwhile
                    job.modify(next_run_time=datetime.now(UTC))
