"""Waiting, and for how long: the one place where tests look at a clock.

A test that needs a quick machine is a defect. It is right on a slow one when it keeps to this:

- Wait for a state: `wait_for(lambda: ...)` returns the first true value. Waiting costs nothing while all is well.
- Whatever else wants a time-out (a thread, a process, an HTTP client, a browser, asyncio) gets `patience()`; no test
  has a number of seconds of its own.
- Assert no duration, no "by now", and no number that goes down by itself. Prove cost by counting work.
- What must not happen is proved by waiting for what comes after it, not by waiting a while.
- Where Varsel shall run into its own time-out, give it SHORT; where it shall not, LONG. Leases that a test waits for
  are LEASE: a worker that gets no processor for a while must still keep them.
- What is counted by days starts anew at midnight: such tests use the fixture `same_day`.
"""

from __future__ import annotations

import functools
import math
import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_PATIENCE = 120  # seconds, on a machine of today that has nothing else to do
_WORK = 0.01  # seconds that _work() takes on such a machine
_EPOCH, _DAY = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=1)
_SLOWEST = 20  # beyond that, waiting for what never comes would last for hours


@functools.cache
def slowness() -> float:
    """How many times slower this machine is than an idle one of today; 1 or more, measured once per process."""
    speed = min(_work() for _ in range(5)) / _WORK
    processors = len(os.sched_getaffinity(0))
    busy = os.getloadavg()[0] + int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return min(max(speed, 1) * max(busy / processors, 1), _SLOWEST)


def patience() -> float:
    """Seconds that a test waits before it gives up."""
    return _PATIENCE * slowness()


def wait_for(condition: Callable[[], T]) -> T:
    """Return the condition's first true value; AssertionError when none comes."""
    began = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - began
        assert waited < patience(), f"did not come true within {patience():.0f} s"
        time.sleep(min(0.02 + waited / 50, 0.2))  # between two looks, not instead of one; looks cost others' time
    return value


def await_same_day() -> None:
    """Return when this day (UTC) has enough left for a test; close to its end, that is when the next has begun."""
    wait_for(lambda: _DAY - (datetime.now(UTC) - _EPOCH) % _DAY > LONG / 4)


def due_between(due_at: datetime, began: datetime, least: timedelta, most: timedelta) -> bool:
    """Whether a due time was set to `least` up to `most` after a moment between `began` and now."""
    return began + least <= due_at <= datetime.now(UTC) + most


def _work() -> float:
    """CPU time of a fixed piece of work, in seconds; other processes do not lengthen it."""
    began = time.process_time()
    sum(number * number for number in range(100_000))
    return time.process_time() - began


SHORT = timedelta(seconds=0.5 * slowness())  # a time-out that is to strike, yet not before its time
LONG = timedelta(seconds=patience())  # a time-out that is not to strike
LEASE = 10.0  # seconds; less than a call may take (engine/outbound/calls.py)
KEPT = LEASE * math.sqrt(slowness())  # likewise, where mails are sent, which may take longer
