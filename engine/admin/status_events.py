"""Status events of an order or an e-mail, found without looking at those of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.admin.filters import first_number
from engine.admin.rows import ROWS
from engine.db.blocks import onwards
from engine.db.tables import events
from engine.models import EmailState

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

SHOWN = 100


def of_email(connection: Connection, email_id: UUID) -> list[dict[str, Any]]:
    """The status events of an e-mail, whose identifiers follow from it."""
    known = [f"{email_id}-{state.lower()}" for state in EmailState]
    found = connection.scalars(select(events.c.seq).where(events.c.id.in_(known)).order_by(events.c.seq)).all()
    return ROWS["events"](connection, found)


def of_order(connection: Connection, order_id: UUID, created: datetime) -> list[dict[str, Any]]:
    """The first of an order's status events, however many there are: looked for from its beginning on."""
    found: list[int] = []
    its = select(events.c.seq).where(events.c.subject == f"/orders/{order_id}").order_by(events.c.seq)
    begin = first_number(connection, events, events.c.registered, created)
    for part in onwards(connection, events, begin - 1):
        found += connection.scalars(its.where(part, events.c.seq >= begin).limit(SHOWN - len(found)))
        if len(found) == SHOWN:
            break
    return ROWS["events"](connection, found)
