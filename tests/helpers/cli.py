"""The command line on a test's store, and rows to show and to act on."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select

from engine.db.tables import deliveries as deliveries_table
from engine.db.tables import email_attempts
from engine.db.tables import emails as emails_table
from engine.db.tables import orders as orders_table
from engine.events.storing import persist
from engine.models import EmailState, OrderState
from tests.helpers.command import varsel
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from engine.db.store import Store

HOUR = timedelta(hours=1)
REPLY = "\x1b[31m5.1.1 no such mailbox\u200f"
LISTS = ("orders", "emails", "events", "subscriptions", "deliveries", "audit")


class Cli:
    """Commands on one database, with their output parsed."""

    def __init__(self, url: str, **settings: str) -> None:
        self.url = url
        self._settings = {"database_url": url, **settings}

    def text(self, *words: object, given: str | None = None) -> str:
        ended = varsel(*words, given=given, **self._settings)
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    def json(self, *words: object) -> Any:
        return json.loads(self.text(*words, "--json"))

    def items(self, *words: object) -> list[dict[str, Any]]:
        document = self.json(*words)
        assert document.keys() == {"items", "next"}
        items: list[dict[str, Any]] = document["items"]
        return items

    def refused(self, code: int, *words: object) -> str:
        ended = varsel(*words, **self._settings)
        assert (ended.exit_code, ended.stdout) == (code, "")
        return ended.stderr


def order_of(store: Store, **values: Any) -> UUID:
    with store.write() as connection:
        seq = add_order(connection, **values)
        return UUID(str(connection.scalar(select(orders_table.c.id).where(orders_table.c.seq == seq))))


def email_of(store: Store, *, order: dict[str, Any] | None = None, reply: str | None = None, **values: Any) -> UUID:
    """An e-mail with its own order; with a reply, it has had an attempt that ended with that reply."""
    with store.write() as connection:
        seq = add_email(connection, add_order(connection, state=OrderState.PROCESSED, **order or {}), **values)
        if reply is not None:
            line = {"email_seq": seq, "at": now(), "claim": 1, "outcome": "rejected", "phase": "rcpt", "code": 550}
            line |= {"reply": reply, "relay": "relay.example:25", "duration_ms": 3}
            connection.execute(email_attempts.insert().values(line))
        return UUID(str(connection.scalar(select(emails_table.c.id).where(emails_table.c.seq == seq))))


def failed(store: Store, **values: Any) -> UUID:
    values = {"state": EmailState.FAILED_BOUNCED, "due_at": None} | values
    return email_of(store, reply=REPLY, **values)


def delivery_of(store: Store, **values: Any) -> int:
    """A delivery with its own subscription."""
    with store.write() as connection:
        subscription = add_subscription(connection, "https://receiver.example.no/hook")
        persist(connection, [an_event()])
        its = deliveries_table.c.subscription_seq == subscription
        if values:
            connection.execute(deliveries_table.update().where(its).values(values))
        return int(connection.scalar(select(deliveries_table.c.seq).where(its)) or 0)
