"""What goes out when pauses end: the rows that they stop and no other pause does, judged as claims judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal, select, true

from engine.admin.lanes import COUNTED, counted
from engine.admin.standing import of_deliveries, of_emails, of_orders
from engine.db.tables import deliveries, emails, orders, subscriptions, waiting_events
from engine.queue import due
from engine.queue.epoch import repeated
from engine.queue.pauses import LANE, in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, Select

    from engine.admin.standing import Standings

_ORDERS = select(orders.c.creator, literal("").label("address"))
_EMAILS = select(orders.c.creator, emails.c.address).select_from(emails.join(orders))


def leaving(connection: Connection, kind: str, values: Collection[str], *, again: bool = False) -> dict[str, int]:
    """By lane, how much goes out at once when these pauses end, counted up to COUNTED.

    `again`: only what may have been done before the database was restored.
    """
    before = in_force(connection)
    after = before.without(kind, values)

    def rows(lane: due.Lane[due.Claimed], chosen: Select[object], stands: Standings) -> int:
        if again:
            chosen = chosen.where(repeated(connection, lane.table))
        leave = 0
        for standing in (stands.paused, stands.due):  # the few before the many
            for row in connection.execute(chosen.where(standing).limit(COUNTED)):
                stopped = lane.name in before.lanes or bool(before.cause(row.creator, row.address))
                leave += stopped and not after.cause(row.creator, row.address)
        return min(leave, COUNTED)

    def fan_outs() -> int:
        return 0 if again else counted(connection, waiting_events)

    def pushes() -> int:
        its = (of_deliveries().due, subscriptions.c.removed.is_(None))
        also = repeated(connection, deliveries) if again else true()
        return counted(connection, deliveries.join(subscriptions), deliveries.c.due_at.is_not(None), *its, also)

    each: dict[str, Callable[[], int]] = {
        due.ORDERS.name: lambda: rows(due.ORDERS, _ORDERS, of_orders()),
        due.EMAILS.name: lambda: rows(due.EMAILS, _EMAILS, of_emails()),
    }
    if kind == LANE:
        each |= {due.FAN_OUTS.name: fan_outs, due.WEBHOOKS.name: pushes}
        each = {name: number for name, number in each.items() if name in values}
    return {name: number() for name, number in each.items() if name not in after.lanes}
