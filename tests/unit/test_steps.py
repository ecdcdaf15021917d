"""A scheduler whose machine's clock is set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from apscheduler.job import Job
from apscheduler.schedulers.background import BackgroundScheduler

from scheduler.steps import Every

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=100)


def test_ticks_follow_each_other_by_their_period() -> None:
    assert Every(TICK).get_next_fire_time(None, NOON) == NOON + TICK
    assert Every(TICK).get_next_fire_time(NOON, NOON + TICK / 2) == NOON + TICK


def test_the_ticks_that_a_clock_passes_over_when_it_is_set_forward_are_one() -> None:
    job = Job(BackgroundScheduler(timezone="UTC"), trigger=Every(TICK), next_run_time=NOON)
    now = NOON + timedelta(days=1)
    assert job._get_run_times(now) == [NOON]  # noqa: SLF001 what APScheduler asks
    assert Every(TICK).get_next_fire_time(NOON, now) == now + TICK
