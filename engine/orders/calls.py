"""Due orders for which others' servers are called, at once as many as each creator's share allows."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.db.tables import orders
from engine.observability import logs
from engine.orders.outcomes import Decision, lost, set_back
from engine.orders.processing import Processing, admit, step
from engine.queue import due
from engine.queue.pauses import in_force
from engine.queue.work import Claim
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from engine.db.records import Order
    from engine.observability.tracing import Span
    from engine.orders.contacts import Directory
    from engine.queue.work import Hand


GRACE = 2.0  # seconds that a call has when its worker stops


class Calls(Processing):
    """Due orders of a kind, `which`; `slots` of them have a call at once."""

    gather = timedelta(milliseconds=200)  # while servers hang, each claim of other orders wakes this one
    calls_others = False

    def __init__(
        self, directory: Directory, generated: Callable[[], None], which: ColumnElement[bool], slots: int
    ) -> None:
        super().__init__(directory, generated)
        self.at_once = slots
        self._which = which
        self._shares = Shares(slots)

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """Take the orders that have room and that no pause stops."""
        shares = self._shares.copy()
        claimed, more = due.claim_fairly(connection, due.ORDERS, orders.c.creator, shares, lease, self._which)
        return Claim(admit(connection, claimed, in_force(connection, lock=True)), more)

    def has_room(self, _hand: Hand[Order, Decision]) -> bool:
        """The shares decide."""
        return not self._shares.full

    def taken(self, rows: Sequence[Order]) -> None:
        """Use a share of each creator."""
        for order in rows:
            self._shares.take(order.creator)

    def released(self, rows: Sequence[Order]) -> None:
        """Give the shares back."""
        for order in rows:
            self._shares.give_back(order.creator)

    def decided(self, order: Order) -> Decision | None:
        """Only an order that several workers have lost."""
        return lost(order)

    async def perform(self, hand: Hand[Order, Decision], order: Order) -> None:
        """Make the call; a worker that stops waits a little for it."""
        calling = asyncio.ensure_future(self._decide(hand, order))
        stopping = asyncio.ensure_future(hand.stopping.wait())
        try:
            await asyncio.wait((calling, stopping), return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait((calling,), timeout=GRACE)
            if calling.done():
                hand.end(order, calling.result())
            else:
                hand.hand_back(order)
        finally:
            stopping.cancel()
            calling.cancel()

    async def _decide(self, hand: Hand[Order, Decision], order: Order) -> Decision:
        try:
            with logs.bound(lane="orders", order_id=order.id), step(order) as span:
                return await self.call(hand, order, span)
        except Exception as error:  # noqa: BLE001 a bug may raise anything
            return set_back(order, error)

    @abstractmethod
    async def call(self, hand: Hand[Order, Decision], order: Order, span: Span) -> Decision:
        """Call others for an order, and say what follows."""
