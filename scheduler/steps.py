"""Steps of the machine's clock, by which APScheduler runs: set back or forward, no tick may wait or be made up for."""

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
STEP = 0.5  # seconds; a clock that is only slewed stays below


class Every(BaseTrigger):  # type: ignore[misc]
    """Fires each time that `period` has passed; what is missed by more is made up for once.

    APScheduler's own counts the ticks that it missed one by one: where a clock is set forward by years, without end.
    """

    def __init__(self, period: timedelta) -> None:
        self._period = period

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """APScheduler asks for it."""
        following = (previous or now) + self._period
        return following if following > now else now + self._period


def watch(scheduler: BaseScheduler) -> None:
    """Begin to look, in a thread, whether the clock is set back: what waits for a time that comes again is due now."""
    threading.Thread(target=_watch, args=(scheduler,), name="steps", daemon=True).start()


def _watch(scheduler: BaseScheduler) -> None:
    ahead = time.time() - steady()
    while True:
        time.sleep(LOOK_EVERY)
        before, ahead = ahead, time.time() - steady()
        if ahead < before - STEP:
            for job in scheduler.get_jobs():
                with suppress(JobLookupError):  # it has run meanwhile, and was to run once
                    job.modify(next_run_time=datetime.now(UTC))
