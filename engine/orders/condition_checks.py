"""Due orders with a condition: their senders' endpoints are asked, each creator's share of them at once.

Beside the lane's other orders, which never wait for an endpoint: see engine/orders/processing.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from engine.db.tables import orders
from engine.errors import Unavailable
from engine.orders.processing import admit
from engine.queue import due
from engine.queue.leases import Leases
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from sqlalchemy import Connection, Row

    from engine.db.store import Store
    from engine.orders.processing import Processor

log = logging.getLogger(__name__)

LOOK_EVERY = 0.2  # seconds at least between the looks of two runs: each order without a condition may notify
CHECKS = 150  # orders whose conditions a process asks at once; of one creator 100: see engine/runtime/shares.py


class ConditionChecks:
    """Asks conditions. One per worker process; `run` goes on until nothing is in its hands.

    `decided` is called whenever an order is: there may be e-mails to send.
    """

    def __init__(self, store: Store, processor: Processor, lease: timedelta, decided: Callable[[], None]) -> None:
        self._store = store
        self._processor = processor
        self._lease = lease
        self._decided = decided
        self._shares = Shares(CHECKS)
        self._leases = Leases(store, due.ORDERS, lease)
        self._checks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._look = False  # something may be due
        self._looked_at = 0.0  # on the monotonic clock
        self._more = False  # more is due than fits
        self._running = False
        self.stopping = asyncio.Event()  # set: ask nothing more; what is asked may end

    async def run(self) -> None:
        """Look for due orders, and ask until none is left; a further call while it runs makes it look again."""
        self._look = True
        self._changed.set()
        if self._running:
            return
        self._running = True
        try:
            await asyncio.sleep(self._looked_at + LOOK_EVERY - time.monotonic())
            async with self._leases.kept():
                while (self._look and not self.stopping.is_set()) or self._checks:
                    self._changed.clear()
                    if self._look and not self.stopping.is_set():
                        self._look = False
                        await self._begin()
                    if self._checks:
                        await self._changed.wait()
        finally:
            self._running = False

    async def _begin(self) -> None:
        """Claim what fits and start to ask; an order that several workers have lost is alone in this lane meanwhile."""
        self._looked_at = time.monotonic()
        try:
            claimed, self._more = await self._store.writing(_claim, self._shares.copy(), self._lease)
            work, rest = due.isolate(claimed)
            if rest:
                await self._store.writing(due.hand_back, due.ORDERS, rest)
        except Unavailable as error:
            log.warning("%s; conditions are asked when that is over", error.told())
            return
        self._leases.take(work)
        for order in work:
            self._shares.take(order.creator)
        if any(order.unresolved > due.LOST_IS_SUSPECT for order in work):
            if self._checks:
                await asyncio.wait(self._checks)
            self._look = True
            await self._check(work[0])
            return
        for order in work:
            check = asyncio.create_task(self._check(order))
            self._checks.add(check)
            check.add_done_callback(self._end)

    async def _check(self, order: Row[Any]) -> None:
        """See one order through; where the database does not answer, its claim lapses."""
        try:
            if order.unresolved > due.LOST_IS_DEAD:
                await self._processor.set_aside(order)
            else:
                await self._processor.decide(order)
                self._decided()
        except Unavailable as error:
            log.warning("%s; the condition of order %s is asked again", error.told(), order.id)
        except Exception:
            log.exception("order %s could not be processed", order.id)
        finally:
            self._leases.let_go([order])
            self._shares.give_back(order.creator)
            self._look |= self._more

    def _end(self, check: asyncio.Task[None]) -> None:
        self._checks.discard(check)
        self._changed.set()


def _claim(connection: Connection, shares: Shares, lease: timedelta) -> tuple[Sequence[Row[Any]], bool]:
    """Those due orders with a condition that fit and that no pause stops; and whether there are more."""
    conditional = orders.c.condition_endpoint.is_not(None)
    claimed, more = due.claim_fairly(connection, due.ORDERS, orders.c.creator, shares, lease, conditional)
    return admit(connection, claimed), more
