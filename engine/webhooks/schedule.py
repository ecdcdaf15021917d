"""When the next attempt comes (events contract 6.5, 6.6), and when a failing subscriber is left alone for a while."""

from __future__ import annotations

import random
from datetime import timedelta

# Until the next attempt, after the first, second, ... that failed: twelve attempts in 34 h 46 min 40 s.
SCHEDULE = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 43200))
# The same for the validation event of a new subscription: nine attempts.
VALIDATION = tuple(timedelta(seconds=s) for s in (1, 5, 10, 30, 60, 120, 120, 120))
JITTER = 0.1  # a tenth earlier or later, so that what failed together does not return together
# What an open circuit keeps from its attempts is given up when the schedule would long be over.
LIFETIME = sum(SCHEDULE, timedelta(0)) * 1.2

OPENS_AFTER = 5  # failures in a row, after which a subscriber is left alone; then one attempt probes
# For how long, after the failures that opened the circuit, after one failed probe, after two, ...
OPEN_FOR = tuple(timedelta(seconds=s) for s in (30, 60, 120, 300, 600))


def next_attempt(attempts: int, *, validation: bool) -> timedelta | None:
    """How long to wait after so many attempts (1: after the first); None: that was the last."""
    delays = VALIDATION if validation else SCHEDULE
    return jittered(delays[attempts - 1]) if attempts <= len(delays) else None


def open_for(failures: int) -> timedelta | None:
    """For how long a subscriber with so many failures in a row is left alone; None: it is not."""
    if failures < OPENS_AFTER:
        return None
    return jittered(OPEN_FOR[min(failures - OPENS_AFTER, len(OPEN_FOR) - 1)])


def jittered(delay: timedelta) -> timedelta:
    """The delay, give or take JITTER."""
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 no secret
