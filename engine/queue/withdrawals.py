"""Orders that their creators have taken back while workers have them, or their e-mails, in hand.

Whoever withdraws an order marks it in the database. A worker with rows in hand looks for new marks several times a
second, and asks here directly before it sends a message: what is withdrawn is handed back, where a claim or the
creator's own request ends it. Nobody says that an e-mail was withdrawn before its worker has let go of it.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.tables import orders
from engine.errors import Unavailable
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.queue.due import R
    from engine.queue.work import Hand, O

LOOK_EVERY = 0.2  # seconds
MARGIN = timedelta(seconds=5)  # a mark may be committed so much later than it was written; a later one is not seen
MOST = 10_000  # orders that are remembered; by then, the oldest are in nobody's hands


class Withdrawals:
    """The orders that were withdrawn while this process works; None: it works without a database of orders."""

    def __init__(self, store: Store | None = None) -> None:
        self._store = store
        self._until: dict[int, datetime | None] = {}  # by the order's `seq`; None: for good
        self._since = store.clock.now() if store else None
        self._look_at = 0.0  # by the steady clock
        self._looking: asyncio.Task[None] | None = None

    def has(self, order_seq: int) -> bool:
        """Whether nothing of an order may be sent now."""
        if not self._store or order_seq not in self._until:
            return False
        until = self._until[order_seq]
        return until is None or self._store.clock.now() < until

    def take_back(self, hand: Hand[R, O], order_of: Callable[[R], int]) -> None:
        """Hand back the rows that wait and whose orders, by `seq`, were withdrawn; look for more beside."""
        for row in [row for row in hand.waiting if self.has(order_of(row))] if self._until else ():
            hand.waiting.remove(row)
            hand.hand_back(row)
        if self._store and steady() >= self._look_at and (self._looking is None or self._looking.done()):
            self._look_at = steady() + LOOK_EVERY
            self._looking = asyncio.create_task(self._look(self._store))

    async def _look(self, store: Store) -> None:
        since, self._since = self._since, store.clock.now()
        try:
            found = await store.reading(_marked, (since or self._since) - MARGIN)
        except Unavailable:  # who withdraws an order waits until its worker has let go
            self._since = since
            return
        for seq, until in found:
            self._until.pop(seq, None)
            self._until[seq] = until
        while len(self._until) > MOST:
            del self._until[next(iter(self._until))]


def _marked(connection: Connection, since: datetime) -> list[tuple[int, datetime | None]]:
    marked = select(orders.c.seq, orders.c.withdrawn_until).where(orders.c.withdrawn_at >= since).limit(MOST)
    return [(row.seq, row.withdrawn_until) for row in connection.execute(marked)]
