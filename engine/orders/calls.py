"""Due orders for which others' servers are called, at once as many as each creator's share allows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from engine.db.tables import orders
from engine.orders.outcomes import Decision, lost
from engine.orders.processing import Processing, admit
from engine.queue import due
from engine.queue.pauses import in_force
from engine.queue.work import Claim
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from engine.db.records import Order
    from engine.orders.contacts import Directory
    from engine.queue.work import Hand


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
