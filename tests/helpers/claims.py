"""Claims as a worker makes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.records import Subscription, columns, read
from engine.db.tables import subscriptions
from engine.email.deliverer import Deliverer
from engine.email.smtp import Relay
from engine.orders.contacts import ContactTable
from engine.orders.processing import Orders
from engine.runtime.clock import Clock
from tests.helpers.relaying import only
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.email.outgoing import Outgoing


def claim_emails(connection: Connection, lease: timedelta) -> Sequence[Outgoing]:
    """E-mails that may be sent; paused ones are held."""
    relay = Relay("smtp://127.0.0.1:25", connections=1, connect_timeout=LONG, data_timeout=LONG)
    return Deliverer(Clock(), only(relay, 1)).claim(connection, lease).rows


def a_subscription(connection: Connection, seq: int) -> Subscription:
    """A subscription as its worker sees it."""
    chosen = select(*columns(Subscription, subscriptions.c)).where(subscriptions.c.seq == seq)
    [found] = read(Subscription, connection.execute(chosen))
    return found


def claim_orders(connection: Connection, lease: timedelta) -> Sequence[Order]:
    """Orders without a condition that may be processed, likewise."""
    return Orders(ContactTable()).claim(connection, lease).rows
