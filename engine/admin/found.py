"""Rows as the search box shows them: as in their lists, with what became of them and the last answer."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, func, select

from engine.admin import reasons
from engine.admin.row_statements import but, by
from engine.admin.rows import ROWS, last_lines
from engine.admin.words import of_reason
from engine.db.frequent import in_index_order
from engine.db.tables import deliveries, delivery_attempts, email_attempts, emails, orders
from engine.models import DeliveryState
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Column, Connection, Table

COUNTED = 200  # rows of another kind that are looked at for one
_TEXTS = ("recipients", "body", "sms")  # of an order, of any size
_ORDERS = by(orders.c.id, select(*but(orders, *_TEXTS)))
_MAILS = (
    select(emails.c.seq, emails.c.state)
    .where(emails.c.order_seq == bindparam("order", type_=BigInteger()))
    .limit(COUNTED + 1)
)
_PUSHES = (
    select(deliveries.c.seq, deliveries.c.state)
    .where(deliveries.c.event_seq == bindparam("event", type_=BigInteger()))
    .limit(COUNTED + 1)
)
_SUBSCRIPTION = bindparam("subscription", type_=BigInteger())
_ITS_PUSH = deliveries.c.subscription_seq == _SUBSCRIPTION
_ITS_NEWEST = (deliveries.c.subscription_seq, _SUBSCRIPTION, deliveries.c.seq)
_NEWEST_PUSHES = in_index_order(select(deliveries.c.seq), *_ITS_NEWEST, newest_first=True).limit(COUNTED).subquery()
_TRIED = select(func.max(deliveries.c.seq)).where(
    _ITS_PUSH, deliveries.c.attempts > 0, deliveries.c.seq.in_(select(_NEWEST_PUSHES.c.seq))
)


def _orders(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    """Orders with their e-mails by state, and the last answer to one: to one that failed, if any did."""
    found = ROWS["orders"](connection, keys)
    rows = {row.id: row for row in connection.execute(_ORDERS, {"keys": keys})}
    told: list[int | None] = []
    for row in found:
        mails = connection.execute(_MAILS, {"order": rows[row["id"]].seq}).all()
        _count(row, [mail.state for mail in mails])
        failed = [mail.seq for mail in mails if mail.state.startswith("Failed")]
        told += failed[:1] or [mails[-1].seq if mails else None]
        row["why"] = reasons.of_order(connection, row, rows[row["id"]])
    _answer(connection, found, told, email_attempts, email_attempts.c.email_seq)
    return found


def _emails(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = ROWS["emails"](connection, keys)
    for row in found:
        row["why"] = None if row["last_outcome"] else reasons.of_state(row["state"])
    return found


def _events(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    """Events with their deliveries by state, and the newest answer of a receiver."""
    found = ROWS["events"](connection, keys)
    told: list[int | None] = []
    for row in found:
        pushed = connection.execute(_PUSHES, {"event": row["seq"]}).all()
        _count(row, [each.state for each in pushed])
        dead = [each.seq for each in pushed if each.state == DeliveryState.DEAD]
        told += dead[:1] or [pushed[-1].seq if pushed else None]
    _answer(connection, found, told, delivery_attempts, delivery_attempts.c.delivery_seq)
    for row in found:
        untried = None if row["last_outcome"] else _("Not tried yet.")
        row["why"] = untried if row["counts"] else _("No subscription matched.")
    return found


def _subscriptions(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    """Subscriptions with the answer to the newest of their deliveries that was tried."""
    found = ROWS["subscriptions"](connection, keys)
    told: list[int | None] = []
    for row in found:
        told.append(connection.scalar(_TRIED, {"subscription": row["seq"]}))
        row["why"] = _("Paused: %(reason)s", reason=of_reason(row["paused_reason"])) if row["paused_reason"] else None
    _answer(connection, found, told, delivery_attempts, delivery_attempts.c.delivery_seq)
    return found


def _deliveries(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    return [row | {"why": None} for row in ROWS["deliveries"](connection, keys)]


FOUND: Mapping[str, Callable[[Connection, Sequence[Any]], list[dict[str, Any]]]] = {
    "orders": _orders,
    "emails": _emails,
    "events": _events,
    "subscriptions": _subscriptions,
    "deliveries": _deliveries,
}


def _count(row: dict[str, Any], states: Sequence[str]) -> None:
    """How many rows of another kind are in which state; `counted_all` False: these are the first of them."""
    row["counts"] = dict(Counter(states[:COUNTED]))
    row["counted_all"] = len(states) <= COUNTED


def _answer(
    connection: Connection,
    found: Sequence[dict[str, Any]],
    told: Sequence[int | None],
    log: Table,
    owner: Column[int],
) -> None:
    """The newest attempt at what stands for each row, such as an order's e-mail; None: nothing does."""
    last = last_lines(connection, log, owner, [seq for seq in told if seq is not None])
    for row, seq in zip(found, told, strict=True):
        attempt = None if seq is None else last.get(seq)
        row["last_outcome"] = attempt.outcome if attempt else None
        row["last_code"] = (attempt.code if log is email_attempts else attempt.status) if attempt else None
        row["last_reply"] = attempt.reply if attempt else None
