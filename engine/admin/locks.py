"""What actions lock before the rows that they change, in the order of whoever else changes both.

Two that lock in either order would wait for each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.admin.resources import DELIVERIES, EMAILS
from engine.db.tables import deliveries, emails, orders
from engine.events import completing, fan_out

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.admin.resources import Resource


def owners(connection: Connection, resource: Resource, keys: Sequence[UUID | int], *, counts: bool) -> None:
    """Lock subscriptions before their deliveries, and orders before their e-mails.

    `counts`: an action on orders that settles e-mails, and so locks as workers do.
    """
    if resource is DELIVERIES:
        of = select(deliveries.c.subscription_seq).where(deliveries.c.seq.in_(keys))
        connection.execute(fan_out.lock(set(connection.scalars(of))))
    elif resource is EMAILS:
        of = select(emails.c.order_seq).where(emails.c.id.in_(keys))
        connection.execute(completing.rows(set(connection.scalars(of))))
    elif counts:
        its = select(orders.c.seq).where(orders.c.id.in_(keys))
        completing.lock(connection, connection.scalars(its).all(), shared=False)
