"""E-mails of a store, sent in a batch, and their outcomes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, select

from engine.db.tables import email_attempts, emails, orders
from engine.email import outcomes
from engine.email.smtp import Reply
from engine.models import EmailState, OrderState
from tests.helpers.relaying import deliver
from tests.helpers.rows import add_email, add_order
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.db.store import Store
    from tests.servers.smtp_script import Script


def batch(store: Store, script: Script | None = None) -> ScriptedSMTP:
    """Deliver one batch; returns the relay that it went to."""
    with ScriptedSMTP(script) as server:
        deliver(store, server.url, lambda deliverer: deliverer.run())
    return server


def fill(store: Store, *addresses: str, order: dict[str, Any] | None = None, **values: Any) -> None:
    with store.write() as connection:
        seq = add_order(connection, **{"state": OrderState.PROCESSED} | (order or {}))
        for address in addresses:
            add_email(connection, seq, address=address, **values)


def rows(store: Store) -> dict[str, Row[Any]]:
    with store.read() as connection:
        return {row.address: row for row in connection.execute(select(emails).order_by(emails.c.seq))}


def one(store: Store) -> Row[Any]:
    [row] = rows(store).values()
    return row


def log(store: Store) -> Sequence[Row[Any]]:
    with store.read() as connection:
        return connection.execute(select(email_attempts).order_by(email_attempts.c.seq)).all()


def order_states(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.scalars(select(orders.c.state).order_by(orders.c.seq)))


def failing_with(error: Exception) -> Callable[..., Awaitable[bytes]]:
    async def fail(*_: Any) -> bytes:
        raise error

    return fail


def result(email: Any, state: EmailState = EmailState.SUCCEEDED, delay: timedelta | None = None) -> outcomes.Result:
    """A possible outcome of an attempt to send a claimed e-mail."""
    return outcomes.Result(email, state, delay, True, "accepted", "dot", Reply(250, "ok"), timedelta(0), "relay:25")
