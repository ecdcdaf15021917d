"""An installation's database, for tests to read and to change its times."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Row, func, select, update

from engine.admin.overview import overview
from engine.db.dialects import Now, after
from engine.db.store import Store
from engine.db.tables import (
    EMAIL_OPEN,
    deliveries,
    delivery_attempts,
    email_attempts,
    emails,
    events,
    orders,
    subscriptions,
)
from engine.models import EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

UNFINISHED = (OrderState.REGISTERED, OrderState.PROCESSING, OrderState.PROCESSED)


class Ledger:
    """An installation's records; `source` is its database's URL or, with embedded defaults, its folder."""

    def __init__(self, source: str | Path) -> None:
        self._store = Store(source if isinstance(source, str) else f"sqlite:///{source}/varsel.db")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def overview(self) -> dict[str, Any]:
        """What the console's first page says."""
        with self._store.read() as connection:
            return overview(connection)

    def orders(self) -> Sequence[Row[Any]]:
        """All orders, the oldest first."""
        with self._store.read() as connection:
            return connection.execute(select(orders).order_by(orders.c.seq)).all()

    def email(self, address: str) -> Row[Any]:
        """The only e-mail to an address."""
        with self._store.read() as connection:
            return connection.execute(select(emails).where(emails.c.address == address)).one()

    def emails(self, *states: EmailState) -> dict[str, Row[Any]]:
        """E-mails in one of these states (none given: all) by address."""
        chosen = select(emails).where(emails.c.state.in_(states or tuple(EmailState)))
        with self._store.read() as connection:
            return {row.address: row for row in connection.execute(chosen)}

    def in_flight(self) -> set[str]:
        """The addresses that workers may be sending to: on the short way, an order has no e-mail yet."""
        with self._store.read() as connection:
            sending = connection.scalars(select(emails.c.address).where(emails.c.state == EmailState.SENDING)).all()
            taken = connection.scalars(select(orders.c.recipients).where(orders.c.state == OrderState.PROCESSING)).all()
        return {*sending, *(entry["emailAddress"] for text in taken for entry in json.loads(text))}

    def email_ids(self, *states: EmailState) -> list[str]:
        """The ids of e-mails in one of these states (none given: all)."""
        chosen = select(emails.c.id).where(emails.c.state.in_(states or tuple(EmailState)))
        with self._store.read() as connection:
            return [str(email_id) for email_id in connection.scalars(chosen)]

    def attempts(self, *addresses: str) -> Sequence[Row[Any]]:
        """The attempts log of these addresses (none given: all), the oldest first; each line with its `address`."""
        chosen = select(email_attempts, emails.c.address).join(emails).order_by(email_attempts.c.seq)
        if addresses:
            chosen = chosen.where(emails.c.address.in_(addresses))
        with self._store.read() as connection:
            return connection.execute(chosen).all()

    def events(self, resource: str) -> list[str]:
        """The ids of a resource's events, the oldest first."""
        chosen = select(events.c.id).where(events.c.resource == resource).order_by(events.c.seq)
        with self._store.read() as connection:
            return list(connection.scalars(chosen))

    def deliveries(self, resource: str) -> Sequence[Row[Any]]:
        """What was or is to be pushed to subscribers to a resource, each with its `endpoint` and `event_id`."""
        chosen = (
            select(deliveries, subscriptions.c.endpoint, events.c.id.label("event_id"))
            .select_from(deliveries.join(subscriptions).outerjoin(events))
            .where(subscriptions.c.resource_filter == resource)
            .order_by(deliveries.c.seq)
        )
        with self._store.read() as connection:
            return connection.execute(chosen).all()

    def pushes(self, resource: str, outcome: str) -> int:
        """How many attempts to push to subscribers to a resource had this outcome."""
        chosen = (
            select(func.count())
            .select_from(delivery_attempts.join(deliveries).join(subscriptions))
            .where(subscriptions.c.resource_filter == resource, delivery_attempts.c.outcome == outcome)
        )
        with self._store.read() as connection:
            return connection.execute(chosen).scalar_one()

    def push_attempts(self, resource: str) -> Sequence[Row[Any]]:
        """The attempts log of pushes to subscribers to a resource, each line with its `endpoint` and `event_id`."""
        chosen = (
            select(delivery_attempts, subscriptions.c.endpoint, events.c.id.label("event_id"))
            .select_from(delivery_attempts.join(deliveries).join(subscriptions).outerjoin(events))
            .where(subscriptions.c.resource_filter == resource)
        )
        with self._store.read() as connection:
            return connection.execute(chosen).all()

    def settled(self) -> bool:
        """Whether nothing is left to do: every order is finished, no e-mail and no push is due at any time."""
        left = (
            orders.c.state.in_(UNFINISHED),
            EMAIL_OPEN,
            deliveries.c.due_at.is_not(None),
        )
        with self._store.read() as connection:
            return not any(connection.scalar(select(func.count()).where(condition)) for condition in left)

    def hurry(self) -> None:
        """Make rows that wait for their next attempt due now, without minutes of backoff."""
        mails = (emails.c.state == EmailState.NEW, emails.c.unresolved == 0)
        slow = (orders.c.state == OrderState.PROCESSING, orders.c.unresolved == 0)
        idle = (subscriptions.c.unresolved == 0,)
        for table, which in ((emails, mails), (orders, slow), (deliveries, ()), (subscriptions, idle)):
            now = {"due_at": Now()} | ({"open_until": None} if table is subscriptions else {})
            with self._store.write() as connection:  # each on its own: workers lock in another order
                connection.execute(update(table).where(table.c.due_at > Now(), *which).values(now))

    def expire(self, address: str, ago: timedelta) -> None:
        """Move the end of an e-mail's 48 hours into the past."""
        with self._store.write() as connection:
            connection.execute(update(emails).where(emails.c.address == address).values(expires_at=after(-ago)))
