"""When the next attempt is made (events contract 6.5, 6.6), and how long a circuit is open."""

from __future__ import annotations

from datetime import timedelta

from engine.queue.backoff import jittered

# The time to the next attempt, after the first failure, the second, ...: twelve attempts in 34 h 46 min 40 s.
SCHEDULE = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200, 43200))
# The same for validation events: nine attempts.
VALIDATION = tuple(timedelta(seconds=s) for s in (1, 5, 10, 30, 60, 120, 120, 120))
# Deliveries that an open circuit delays are given up after this time; the schedule alone would be over by then.
LIFETIME = sum(SCHEDULE, timedelta(0)) * 1.2

OPENS_AFTER = 5  # failures in a row that open the circuit; later, one attempt probes the subscriber
# How long it stays open: after the failures that opened it, after one failed probe, after two, ...
OPEN_FOR = tuple(timedelta(seconds=s) for s in (30, 60, 120, 300, 600))


def next_attempt(attempts: int, *, validation: bool) -> timedelta | None:
    """How long to wait after so many attempts (1: after the first); None if that was the last."""
    delays = VALIDATION if validation else SCHEDULE
    return jittered(delays[attempts - 1]) if attempts <= len(delays) else None


def open_for(failures: int) -> timedelta | None:
    """How long the circuit is open after so many failures in a row; None: it is closed."""
    if failures < OPENS_AFTER:
        return None
    return jittered(OPEN_FOR[min(failures - OPENS_AFTER, len(OPEN_FOR) - 1)])
