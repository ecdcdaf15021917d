"""Rows to work on, as intake and processing would write them; and how many a table has."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table, func, select

from engine.db.tables import contacts, emails, orders, subscription_filters, subscriptions
from engine.models import CloudEvent, EmailState, OrderState, SubscriptionState, new_id
from engine.queue.pauses import in_force

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

_last = datetime.min.replace(tzinfo=UTC)  # that an identifier was made of
PAUSED: dict[str, Any] = {"due_at": None, "paused_by": "creator:ttd"}  # of what is paused


def now() -> datetime:
    return datetime.now(UTC)


def later_id() -> UUID:
    """An identifier behind all that were made here before: two of one millisecond would be in any order."""
    global _last  # noqa: PLW0603 of the process
    _last = max(now(), _last + timedelta(milliseconds=1))
    return new_id(_last)


def add_order(connection: Connection, *, due_in: timedelta | None = None, **values: Any) -> int:
    """An order; `due_in` None: it has no due time."""
    due_at = None if due_in is None else now() + due_in
    row = {
        "id": later_id(),
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
        "id": later_id(),
        "order_seq": order_seq,
        "expires_at": now() + due_in + timedelta(hours=48),
        "last_update": now(),
        "state": EmailState.NEW,
        "due_at": now() + due_in,
        "address": "kari@example.no",
    }
    return int(connection.execute(emails.insert().values(row | values).returning(emails.c.seq)).scalar_one())


APP = "urn:altinn:resource:app_ttd_apps-test"


def an_event(**attributes: Any) -> CloudEvent:
    """An event as intake would read it."""
    given: dict[str, Any] = {
        "id": str(new_id(now())),
        "source": "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575",
        "type": "app.instance.created",
        "subject": "/party/50019855",
        "resource": APP,
        "alternative_subject": None,
        "time": now(),
    } | attributes
    told = {name: given[name] for name in ("id", "source", "type", "subject", "resource") if given[name] is not None}
    return CloudEvent(**{"text": json.dumps({"specversion": "1.0"} | told)} | given)


def add_subscription(
    connection: Connection, endpoint: str, *, subject: str = "", types: tuple[str, ...] = ("",), **values: Any
) -> int:
    """A validated subscription; `subject` and `types` are keys of engine/events/fan_out.py."""
    row = {
        "consumer": "/org/ttd",
        "created": now(),
        "fingerprint": new_id(now()).hex,
        "endpoint": endpoint,
        "resource_filter": APP,
        "ordered": False,
        "validated": True,
        "salt": "salt",
        "state": SubscriptionState.WAITING,
    } | values
    seq = int(connection.execute(subscriptions.insert().values(row).returning(subscriptions.c.seq)).scalar_one())
    key = {"resource": row["resource_filter"], "subject": subject, "subscription_seq": seq}
    connection.execute(subscription_filters.insert(), [key | {"type": type_} for type_ in types])
    return seq


def count(store: Store, table: Table) -> int:
    """How many rows a table has."""
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def contact_names(store: Store) -> list[str]:
    """The names in the contact directory, in the order of their insertion."""
    with store.read() as connection:
        return list(connection.scalars(select(contacts.c.name).order_by(contacts.c.seq)))


def paused_lanes(store: Store) -> frozenset[str]:
    with store.read() as connection:
        return in_force(connection).lanes
