"""What goes out when pauses end: the rows that they stop and no other pause does, judged as claims judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select, true

from engine.admin.amounts import Amount
from engine.admin.counts import COUNTED, counted
from engine.admin.reach import LOOKED_AT, reached
from engine.admin.soonest import paused_first, soonest
from engine.admin.standing import of_deliveries
from engine.db.tables import deliveries, subscriptions, waiting_events
from engine.queue import due
from engine.queue.epoch import repeated
from engine.queue.pauses import LANE, in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import ColumnElement, Connection


def leaving(connection: Connection, kind: str, values: Collection[str], *, again: bool = False) -> dict[str, Amount]:
    """By lane, how much goes out at once when these pauses end, of LOOKED_AT rows that come next.

    `again`: only what may have been done before the database was restored.
    """
    before = in_force(connection)
    after = before.without(kind, values)

    def rows(lane: due.Lane[due.Claimed]) -> Amount:
        which = (repeated(connection, lane.table),) if again else ()
        paused, next_ = paused_first(lane, LOOKED_AT, *which), soonest(lane, LOOKED_AT, *which)
        its = (paused.rows.c.paused_by.in_([f"{kind}:{value}" for value in values]), reached(before, next_.rows))
        marked, stopped = (true(), true()) if lane.name in before.lanes else its
        parts = (
            _leaving(connection, and_(marked, ~reached(after, paused.rows))),
            _leaving(connection, and_(next_.stands.due, stopped, ~reached(after, next_.rows))),
        )
        return Amount(sum(part.number for part in parts), more=any(part.more for part in parts))

    def fan_outs() -> Amount:
        number = 0 if again else counted(connection, waiting_events)
        return Amount(number, more=number >= COUNTED)

    def pushes() -> Amount:
        leave: ColumnElement[bool] = of_deliveries().due
        also = repeated(connection, deliveries) if again else true()
        open_ = (deliveries.c.due_at.is_not(None), subscriptions.c.removed.is_(None))
        its = select(and_(leave, also).label("leaves")).select_from(deliveries.join(subscriptions)).where(*open_)
        return _leaving(connection, its.order_by(deliveries.c.seq).limit(LOOKED_AT).subquery().c.leaves)

    each: dict[str, Callable[[], Amount]] = {
        due.ORDERS.name: lambda: rows(due.ORDERS),
        due.EMAILS.name: lambda: rows(due.EMAILS),
    }
    if kind == LANE:
        each |= {due.FAN_OUTS.name: fan_outs, due.WEBHOOKS.name: pushes}
        each = {name: number for name, number in each.items() if name in values}
    return {name: number() for name, number in each.items() if name not in after.lanes}


def _leaving(connection: Connection, leaves: ColumnElement[bool]) -> Amount:
    """How many of the rows that are looked at leave; `more`: there may be others behind them."""
    number, of = connection.execute(select(func.count().filter(leaves), func.count(leaves.is_(None)))).one()
    return Amount(number, more=of == LOOKED_AT)
