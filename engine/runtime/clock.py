"""What time it is: the database's, so that machines whose clocks differ agree.

The database tells it to each new connection and with every heartbeat; in between, a process computes it with its steady
clock. The machine's wall clock, which somebody can set wrong, decides nothing that others see.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's CLOCK_MONOTONIC rests while a machine sleeps
SLOW = 1.0  # seconds that the question took, after which a known time is better than the answer


def steady() -> float:
    """Seconds since some moment; nobody sets this clock, and it goes on while the machine is suspended."""
    return time.clock_gettime(_STEADY)


class Clock:
    """The database's clock in this process; until the database has told it, the machine's."""

    def __init__(self) -> None:
        self._known: tuple[datetime, float] | None = None  # the database's time, and the steady clock's at that moment

    @property
    def known(self) -> bool:
        """Whether the database has told its time."""
        return self._known is not None

    def tell(self, now: datetime, asked: float) -> None:
        """Take the database's answer to a question that was asked at `asked`, by the steady clock.

        The clock may be early by the time of the round trip, never late: so a lease ends here no later than in the
        database.
        """
        if self._known is None or steady() - asked < SLOW:
            self._known = now, asked

    def now(self) -> datetime:
        """The time; aware."""
        return self.at(steady())

    def at(self, moment: float) -> datetime:
        """What time it was at a moment of the steady clock."""
        if self._known is None:
            return datetime.now(UTC) + timedelta(seconds=moment - steady())
        now, asked = self._known
        return now + timedelta(0, moment - asked)

    def skew(self) -> timedelta:
        """How far the machine's wall clock is ahead of the database's (negative: behind)."""
        return datetime.now(UTC) - self.now()
