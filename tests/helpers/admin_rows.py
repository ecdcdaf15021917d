"""Rows that operators act on, and what may be done with them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.admin.actions import possible
from engine.db.tables import emails, orders
from engine.models import EmailState, OrderState
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from engine.admin.resources import Resource

HOUR = timedelta(hours=1)
LEASE = LONG
FAILED = [state for state in EmailState if state.startswith("Failed")]


def order(connection: Connection, **values: Any) -> UUID:
    seq = add_order(connection, **{"due_in": HOUR} | values)
    found: UUID = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
    return found


def email(connection: Connection, state: str = EmailState.NEW, **values: Any) -> UUID:
    its = values.pop("order", None) or add_order(connection, state=OrderState.COMPLETED)
    waits = state in (EmailState.NEW, EmailState.SENDING)
    given = {"state": state, "due_at": now() + HOUR if waits else None} | values
    seq = add_email(connection, its, **given)
    found: UUID = connection.execute(select(emails.c.id).where(emails.c.seq == seq)).scalar_one()
    return found


def row(connection: Connection, resource: Resource, key: Any) -> Row[Any]:
    return connection.execute(select(resource.table).where(resource.key == key)).one()


def names(connection: Connection, resource: Resource, key: Any) -> set[str]:
    return {action.name for action in possible(connection, resource, key)}
