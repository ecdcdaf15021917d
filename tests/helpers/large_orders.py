"""Orders with very many e-mails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from engine.db.tables import emails, orders
from engine.models import EmailState, OrderState, derived_id
from tests.helpers.rows import add_order, now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection


def add_large_order(
    connection: Connection, size: int, state: OrderState = OrderState.COMPLETED
) -> tuple[UUID, Sequence[UUID]]:
    """An order with so many e-mails, of which every other one is paused; with their identifiers, the least first."""
    made = now()
    order = add_order(connection, state=state, created=made)
    ids = [derived_id(made, number) for number in range(size)]
    rows = [
        {
            "id": id_,
            "order_seq": order,
            "expires_at": made,
            "last_update": made,
            "state": EmailState.NEW,
            "due_at": None if number % 2 else made,
            "paused_by": "creator:ttd" if number % 2 else None,
            "address": "kari@example.no",
        }
        for number, id_ in enumerate(ids)
    ]
    connection.execute(insert(emails), rows)
    return connection.execute(select(orders.c.id).where(orders.c.seq == order)).scalar_one(), sorted(ids)
