"""The lane of orders as a worker runs it: orders without a condition, and beside them those with one."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from engine.db.records import Order
from engine.db.tables import emails, events, orders
from engine.orders.condition_checks import ConditionChecks
from engine.orders.contacts import ContactTable
from engine.orders.outcomes import Decision
from engine.orders.processing import Orders
from engine.queue.runner import Runner
from tests.helpers.rows import add_order
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from engine.db.store import Store
    from engine.orders.credentials import Credentials
    from engine.outbound import Outbound

NOW = timedelta(seconds=-1)
Processing = Runner[Order, Decision]


def processing(store: Store, lease: timedelta = LONG) -> Processing:
    """Makes the e-mails of due orders."""
    return Runner(store, Orders(ContactTable()), lease)


def checks(
    store: Store, outbound: Outbound, lease: timedelta = LONG, credentials: Credentials | None = None
) -> Processing:
    """Asks conditions of due orders."""
    return Runner(store, ConditionChecks(ContactTable(), outbound, credentials=credentials), lease)


def batch(store: Store) -> None:
    asyncio.run(processing(store).run())


def place(store: Store, *recipients: dict[str, str], due_in: timedelta = NOW, **values: Any) -> int:
    with store.write() as connection:
        if recipients:
            values["recipients"] = json.dumps(recipients)
        return add_order(connection, due_in=due_in, **values)


def the_order(store: Store, seq: int) -> Row[Any]:
    with store.read() as connection:
        return connection.execute(select(orders).where(orders.c.seq == seq)).one()


def made(store: Store, order: int) -> Sequence[Row[Any]]:
    with store.read() as connection:
        return connection.execute(select(emails).where(emails.c.order_seq == order).order_by(emails.c.seq)).all()


def told(store: Store, order_id: UUID) -> list[str]:
    """The types of the events about an order, without what they have in common."""
    with store.read() as connection:
        types = connection.scalars(select(events.c.type).where(events.c.subject == f"/orders/{order_id}"))
        return sorted((str(type_).removeprefix("no.varsel.") for type_ in types), reverse=True)
