"""A claimed subscription: the deliveries that wait, and how its calls go."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from engine.models import NOT_ACCEPTED
from engine.webhooks.deliveries import FETCH, size
from engine.webhooks.outcomes import Release
from engine.webhooks.window import Circuit, Window

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from engine.db.records import Delivery, Subscription
    from engine.webhooks.outcomes import Result

AHEAD = 1_000_000  # bytes in memory for each call that may run at once, exceeded by one delivery at most
LOOK_EVERY = 0.25  # seconds between two looks for new deliveries of a subscriber that answers slowly


class Backlog:
    """Deliveries of one subscription, without database or network."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.window = Window()
        self.circuit = Circuit(subscription.failures)
        self.waiting: deque[Delivery] = deque()
        self.known: set[int] = set()  # deliveries that wait, are called, or are not recorded yet
        self.size = 0  # of these, in bytes
        self.calls = 0
        self.begun = False  # whether calls may begin; before that, it can be handed back
        self.closed = False  # no further calls begin: it is released when the last one has ended
        self.ended = asyncio.Event()
        self._more = True  # there may be deliveries that are not known
        self._look_at = 0.0  # on the monotonic clock
        self._alone_for: timedelta | None = None
        self._error: str | None = None
        self._succeeded = False

    @property
    def claim(self) -> int:
        """The number of the subscription's claim."""
        return self.subscription.claim

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return not self.calls and (self.closed or not (self.waiting or self._more))

    @property
    def room(self) -> int:
        """Bytes that further deliveries may take."""
        return AHEAD * self.window.width - self.size

    def end_if_done(self) -> bool:
        """End it if nothing is left to do; returns whether it takes no more deliveries, even from a running look."""
        if self.done:
            self.closed = True
            self.ended.set()
        return self.closed

    def wants(self, now: float, *, texts_fit: bool) -> bool:
        """Whether to look for deliveries: few are left and there is room, or it is time to."""
        low = self._more and len(self.known) < FETCH // 2 and self.room > 0 and texts_fit
        return not self.closed and (low or now >= self._look_at)

    def add(self, subscription: Subscription, fresh: Sequence[Delivery], now: float, *, whole: bool) -> int:
        """Add deliveries, and the subscription as it is now; returns the deliveries' bytes."""
        self.subscription = subscription  # its secret may be a new one
        self._more = not whole
        self._look_at = now + LOOK_EVERY
        self.known.update(delivery.seq for delivery in fresh)
        self.waiting.extend(fresh)
        taken = sum(map(size, fresh))
        self.size += taken
        return taken

    def note(self, result: Result) -> None:
        """Learn from the outcome of a call."""
        self._more |= self.subscription.ordered  # deliveries may have waited for this one
        if result.outcome == "accepted":
            self.circuit.succeeded()
            self.window.succeeded()
            self._succeeded = True
            self._error = None
        elif result.reached and not result.own_fault:
            self._error = _told(result)
            self.window.failed()
            self.circuit.failed(alone=not self.closed)
            open_for = self.circuit.open_for
            if open_for or result.retry_after or result.gone:
                self.closed = True
                self._alone_for = max(filter(None, (open_for, result.retry_after, self._alone_for)), default=None)

    def forget(self, delivery: Delivery) -> int:
        """Drop a delivery whose outcome is recorded; returns its bytes."""
        self.known.discard(delivery.seq)
        self.size -= size(delivery)
        return size(delivery)

    def release(self) -> Release:
        """How the subscription is released."""
        return Release(self.subscription, self.circuit.failures, self._alone_for, self._error, self._succeeded)


def _told(result: Result) -> str:
    """A failed attempt as one line."""
    of_event, of_validation = NOT_ACCEPTED
    answer = f"status {result.status}" if result.status is not None else result.reply
    return (of_validation if result.delivery.event_seq is None else of_event) % {"answer": answer}
