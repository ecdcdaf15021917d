"""Rows to work on: orders and e-mails as the intake and the processing would have written them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.models import EmailState, OrderState, new_id
from engine.tables import emails, orders

if TYPE_CHECKING:
    from sqlalchemy import Connection


def now() -> datetime:
    return datetime.now(UTC)


def add_order(connection: Connection, *, due_in: timedelta | None = None, **values: Any) -> int:
    """An order; `due_in` None: it is not due any more."""
    due_at = None if due_in is None else now() + due_in
    row = {
        "id": new_id(),
        "creator": "ttd",
        "created": now(),
        "requested_send_time": due_at or now(),
        "last_update": now(),
        "state": OrderState.REGISTERED,
        "due_at": due_at,
        "sender": "noreply@varsel.example",
        "subject": "Hei",
        "body": "Hei!",
        "content_type": "Plain",
        "guarantee": "AtLeastOnce",
        "recipients": '[{"emailAddress":"kari@example.no"}]',
    }
    return int(connection.execute(orders.insert().values(row | values).returning(orders.c.seq)).scalar_one())


def add_email(
    connection: Connection, order_seq: int, *, due_in: timedelta = timedelta(seconds=-1), **values: Any
) -> int:
    """An e-mail that waits."""
    row = {
        "id": new_id(),
        "order_seq": order_seq,
        "expires_at": now() + timedelta(hours=48),
        "last_update": now(),
        "state": EmailState.NEW,
        "due_at": now() + due_in,
        "address": "kari@example.no",
    }
    return int(connection.execute(emails.insert().values(row | values).returning(emails.c.seq)).scalar_one())
