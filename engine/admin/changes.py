"""What actions do to the rows that they apply to. Each takes the rows, locked, and what the action was given."""

from __future__ import annotations

import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, select, update

from engine.admin.filters import EMAIL_ERRORS, had_attempt, typed
from engine.db.dialects import Now, after, now
from engine.db.tables import EMAIL_FAILED, deliveries, email_attempts, emails, orders
from engine.events.fan_out import wake
from engine.events.status import order_event
from engine.events.storing import persist
from engine.models import EXPIRY, DeliveryState, EmailState, OrderState, new_id
from engine.text.keywords import content

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row, Table

FAILED_WITH_ADDRESS = (EMAIL_FAILED, emails.c.address != "")
IN_DOUBT = had_attempt(email_attempts, email_attempts.c.email_seq, emails.c.seq, EMAIL_ERRORS["in_doubt"])


def cancel(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """Nothing is sent, and its sender is told."""
    _update(connection, orders, rows, state=OrderState.CANCELLED, due_at=None, paused_by=None, last_update=Now())
    at = now(connection)
    persist(connection, [order_event(row, OrderState.CANCELLED, at) for row in rows])


def reschedule(connection: Connection, rows: Sequence[Row[Any]], argument: str | None) -> None:
    """Another send time: the one given, or now."""
    at = send_time(argument, now(connection))
    _update(connection, orders, rows, requested_send_time=at, due_at=at, paused_by=None, last_update=Now())


def process(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """What was set aside begins anew, without the e-mails that told of it.

    What waits for its condition's second answer keeps the first, and has no e-mails.
    """
    connection.execute(delete(emails).where(emails.c.order_seq.in_([row.seq for row in rows])))
    _update(connection, orders, rows, state=OrderState.REGISTERED, due_at=Now(), unresolved=0, last_update=Now())


def order_again(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> list[UUID]:
    """New orders that say the same to the same recipients, due now."""
    return [_copy(connection, _whole(connection, orders, row.seq)) for row in rows]


def try_failed_again(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """Of these orders, the e-mails that failed; what was handed over stays as it is."""
    seqs = [row.seq for row in rows]
    _open_again(connection, and_(emails.c.order_seq.in_(seqs), *FAILED_WITH_ADDRESS), seqs)


def try_again(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """A new series of attempts: those before stay in the log."""
    _open_again(connection, emails.c.seq.in_([row.seq for row in rows]), {row.order_seq for row in rows})


def order_again_for(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> list[UUID]:
    """The relay has taken these over; receivers drop a second one of the same Message-ID. So they are new mails."""
    made = []
    for row in rows:
        order, email = _whole(connection, orders, row.order_seq), _whole(connection, emails, row.seq)
        said = content(order, email)  # an address of its own has no name for the keywords
        recipients = json.dumps([{"emailAddress": row.address}], separators=(",", ":"))
        made.append(_copy(connection, order, recipients=recipients, subject=said.subject, body=said.body))
    return made


def make_due(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """The next attempt is now."""
    _update(connection, emails, rows, due_at=Now(), paused_by=None)


def replay(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """A new series of attempts: those before stay in the log."""
    fresh = {"state": DeliveryState.WAITING, "due_at": Now(), "attempts": 0, "last_update": Now()}
    _update(connection, deliveries, rows, **fresh)
    wake(connection, {row.subscription_seq for row in rows})


def push_now(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """The next attempt is now, as soon as the subscription is free."""
    _update(connection, deliveries, rows, due_at=Now())
    wake(connection, {row.subscription_seq for row in rows})


def release_orders(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """Due again when they were to be sent."""
    _update(connection, orders, rows, due_at=orders.c.requested_send_time, paused_by=None)


def send_time(argument: str | None, now: datetime) -> datetime:
    """The time that was asked for, RFC 3339 (UTC where no offset stands), or now; ValueError."""
    if argument == "now":
        return now
    try:
        return typed(argument or "", UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        msg = "A time such as 2026-05-01T12:00:00+02:00, or now."
        raise ValueError(msg) from None


def _open_again(connection: Connection, which: ColumnElement[bool], of: Collection[int]) -> None:
    """E-mails of these orders are tried anew; an order that was completed is open again until they are settled."""
    fresh = {"state": EmailState.NEW, "due_at": Now(), "attempts": 0, "unresolved": 0, "last_update": Now()}
    connection.execute(update(emails).where(which).values(**fresh, expires_at=after(EXPIRY)))
    # Locked first, as by whoever settles an order's last e-mail: the second of the two must see what the first did.
    connection.execute(select(orders.c.seq).where(orders.c.seq.in_(of)).order_by(orders.c.seq).with_for_update())
    done = update(orders).where(orders.c.seq.in_(of), orders.c.state == OrderState.COMPLETED)
    connection.execute(done.values(state=OrderState.PROCESSED, last_update=Now()))


def _whole(connection: Connection, table: Table, seq: int) -> Row[Any]:
    return connection.execute(select(table).where(table.c.seq == seq)).one()


def _copy(connection: Connection, order: Row[Any], **instead: str) -> UUID:
    """A new order that says the same, due now, but for what stands in `instead`; returns its identifier."""
    values = dict(order._mapping) | instead | {"id": new_id(now(connection)), "state": OrderState.REGISTERED}  # noqa: SLF001 SQLAlchemy's documented name
    for name in ("seq", "claim", "unresolved", "attempts", "trace"):
        del values[name]
    values |= dict.fromkeys(("created", "requested_send_time", "last_update", "due_at"), Now())
    connection.execute(insert(orders).values(values))
    made: UUID = values["id"]
    return made


def _update(connection: Connection, table: Any, rows: Sequence[Row[Any]], **values: Any) -> None:
    connection.execute(update(table).where(table.c.seq.in_([row.seq for row in rows])).values(values))
