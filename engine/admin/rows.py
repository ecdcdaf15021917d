"""Rows as operators see them: plain dictionaries, for pages, tables and JSON alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from engine.admin import lookups, recurring
from engine.admin.api_keys import STATE
from engine.admin.filters import created
from engine.admin.results import results
from engine.admin.standing import Standing, Standings, of_deliveries, of_emails, of_orders
from engine.db.dialects import Now
from engine.db.tables import (
    api_keys,
    audit_log,
    deliveries,
    delivery_attempts,
    email_attempts,
    emails,
    events,
    jobs,
    orders,
    recurring_orders,
    senders,
    subscriptions,
    templates,
)
from engine.models import LEVELS, OrderState
from engine.observability.audit import detail_of
from engine.queue.pauses import in_force
from engine.text.keywords import filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table

# Of an order with a template, its name: each recipient has a subject of their own.
_TEMPLATE = select("template " + templates.c.name).where(templates.c.id == orders.c.template_id).scalar_subquery()
_SUBJECT = case((orders.c.template_id.is_not(None), _TEMPLATE), else_=orders.c.subject)

_EMAIL = (
    emails.c.id,
    orders.c.id.label("order_id"),
    orders.c.creator,
    orders.c.senders_reference.label("reference"),
    emails.c.priority,
    emails.c.address,
    emails.c.organization_number,
    emails.c.national_identity_number,
    emails.c.subject,
    _SUBJECT.label("of_order"),
    emails.c.recipient_name,
    emails.c.state,
    emails.c.due_at,
    emails.c.attempts,
    emails.c.expires_at,
    emails.c.last_update,
    emails.c.seq,
)
_ORDER = (
    orders.c.id,
    orders.c.creator,
    orders.c.senders_reference.label("reference"),
    orders.c.created,
    orders.c.requested_send_time,
    orders.c.last_update,
    orders.c.state,
    orders.c.due_at,
    orders.c.attempts,
    orders.c.sender,
    _SUBJECT.label("subject"),
    orders.c.content_type,
    orders.c.guarantee,
    orders.c.priority,
    orders.c.seq,
    orders.c.streamed.label("recipients_follow"),
)
_WITHOUT_EMAILS = (OrderState.OPEN, OrderState.REGISTERED, OrderState.SEND_CONDITION_NOT_MET)
_EVENT = tuple(
    events.c[name]
    for name in ("seq", "id", "source", "type", "subject", "resource", "alternative_subject", "time", "registered")
)
_LEFT_ALONE_UNTIL = case((subscriptions.c.open_until > Now(), subscriptions.c.open_until)).label("open_until")
_DELIVERY = (
    *(deliveries.c[name] for name in ("seq", "subscription_seq", "event_seq", "state", "due_at", "attempts")),
    deliveries.c.created,
    deliveries.c.last_update,
    subscriptions.c.endpoint,
    subscriptions.c.consumer,
    subscriptions.c.paused_reason,
    subscriptions.c.ordered,
    _LEFT_ALONE_UNTIL,
    events.c.id.label("event_id"),
    events.c.type.label("event_type"),
)
_SALTS = {"salt", "old_salt", "old_salt_until"}
_HIDDEN = _SALTS | {"fingerprint", "open_until", "claim", "unresolved", "state", "test_seq"}
BACKLOG = 10_000  # deliveries of a subscription that wait are counted up to here
_SUBSCRIPTION = (*(column for column in subscriptions.c if column.name not in _HIDDEN), _LEFT_ALONE_UNTIL)


def _stands(stands: Standings) -> tuple[ColumnElement[Any], ...]:
    """Where an open row stands, and when its next attempt comes, if that is later."""
    word = stands.word
    return word.label("standing"), case((word == Standing.LATER, stands.next)).label("next_attempt")


def _emails(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    columns = _stands(of_emails(in_force(connection).lanes))
    chosen = select(*_EMAIL, *columns).join(orders, orders.c.seq == emails.c.order_seq)
    found = _of_keys(connection, chosen, emails.c.id, keys)
    last = last_lines(connection, email_attempts, email_attempts.c.email_seq, [row["seq"] for row in found])
    for row in found:
        attempt = last.get(row.pop("seq"))
        row["priority"] = LEVELS[row["priority"]]
        of_order = filled(row.pop("of_order"), row.pop("recipient_name"), row["organization_number"])
        row["subject"] = of_order if row["subject"] is None else row["subject"]
        row["created"] = created(row["id"])
        row["sent"] = attempt.at if attempt and attempt.outcome == "accepted" else None
        row["last_outcome"] = attempt.outcome if attempt else None
        row["last_code"] = attempt.code if attempt else None
        row["last_reply"] = attempt.reply if attempt else None
    return found


def _orders(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    columns = _stands(of_orders(in_force(connection).lanes))
    found = _of_keys(connection, select(*_ORDER, *columns), orders.c.id, keys)
    made = results(connection, [row["seq"] for row in found if row["state"] not in _WITHOUT_EMAILS])
    for row in found:
        row["priority"] = LEVELS[row["priority"]]
        its = made.get(row.pop("seq"))
        row["results"] = its.counts if its else {}
        row["result"] = its.words if its else ""
    return found


def _events(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    return _of_keys(connection, select(*_EVENT), events.c.seq, keys)


def _subscriptions(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, select(*_SUBSCRIPTION), subscriptions.c.seq, keys)
    for row in found:
        row["type_filter"] = json.loads(row["type_filter"]) if row["type_filter"] else None
        row["state"] = _health(row)
        row["backlog"] = _backlog(connection, row["seq"])
    return found


def _health(row: Mapping[str, Any]) -> str:
    """How a subscription is, in a word."""
    if row["paused_reason"]:
        return "paused"
    if not row["validated"]:
        return "not validated"
    return "failing" if row["last_error"] else "ok"


def _backlog(connection: Connection, seq: int) -> int:
    """How many deliveries of a subscription wait, counted up to BACKLOG."""
    waits = select(deliveries.c.seq).where(deliveries.c.subscription_seq == seq, deliveries.c.due_at.is_not(None))
    return connection.scalar(select(func.count()).select_from(waits.limit(BACKLOG).subquery())) or 0


def _deliveries(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    columns = _stands(of_deliveries(in_force(connection).lanes))
    chosen = select(*_DELIVERY, *columns).select_from(deliveries.join(subscriptions).outerjoin(events))
    found = _of_keys(connection, chosen, deliveries.c.seq, keys)
    last = last_lines(connection, delivery_attempts, delivery_attempts.c.delivery_seq, [row["seq"] for row in found])
    for row in found:
        attempt = last.get(row["seq"])
        row["last_outcome"] = attempt.outcome if attempt else None
        row["last_code"] = attempt.status if attempt else None
        row["last_reply"] = attempt.reply if attempt else None
    return found


def _audit(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, select(audit_log), audit_log.c.seq, keys)
    for row in found:
        row["detail"] = detail_of(row["detail"])
    return _with_words(connection, found, [row["detail"].get("filter") for row in found])


def _jobs(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, select(jobs), jobs.c.seq, keys)
    for row in found:
        row["filter"] = json.loads(row["filter"])
        for hidden in ("claim", "unresolved", "attempts", "position", "newest"):
            row.pop(hidden)
    return _with_words(connection, found, [row["filter"] for row in found])


def _with_words(
    connection: Connection, found: list[dict[str, Any]], given: Sequence[Mapping[str, str] | None]
) -> list[dict[str, Any]]:
    """The rows, with the words of the group of failures that `given` names of each: `failed_with`."""
    groups = [(each or {}).get("failure") for each in given]
    said = lookups.said(connection, {group for group in groups if group}) if any(groups) else {}
    for row, group in zip(found, groups, strict=True):
        row["failed_with"] = said.get(group or "")
    return found


def _keys(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    shown = (column for column in api_keys.c if column.name != "hash")
    found = _of_keys(connection, select(*shown, STATE.label("state")), api_keys.c.seq, keys)
    for row in found:
        row["guests"] = row["guests"].split()
    return found


def _senders(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    """No personal data: the addresses are those of offices, and each mail shows them."""
    shown = (column.label("sender") if column.name == "address" else column for column in senders.c)
    found = _of_keys(connection, select(*shown), senders.c.seq, keys)
    for row in found:
        row.pop("compared")
    return found


def _recurring(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    shown = (column for column in recurring_orders.c if column.name not in ("fingerprint", "order_row"))
    chosen = select(*shown, recurring.STATE.label("state"))
    return _of_keys(connection, chosen, recurring_orders.c.id, keys)


ROWS: Mapping[str, Callable[[Connection, Sequence[Any]], list[dict[str, Any]]]] = {
    "orders": _orders,
    "emails": _emails,
    "events": _events,
    "subscriptions": _subscriptions,
    "deliveries": _deliveries,
    "audit": _audit,
    "jobs": _jobs,
    "recurring": _recurring,
    "keys": _keys,
    "senders": _senders,
}


def _of_keys(
    connection: Connection, chosen: Select[Any], key: Column[Any], keys: Sequence[Any]
) -> list[dict[str, Any]]:
    """The rows of these keys, in their order."""
    found = {_key(row, key): dict(row._mapping) for row in connection.execute(chosen.where(key.in_(keys)))}  # noqa: SLF001 SQLAlchemy's documented name
    return [found[value] for value in keys if value in found]


def _key(row: Row[Any], key: Column[Any]) -> UUID | int:
    value: UUID | int = getattr(row, key.name)
    return value


def last_lines(connection: Connection, log: Table, owner: Column[int], seqs: Sequence[int]) -> dict[int, Row[Any]]:
    """Of each owner, the newest line of the log."""
    newest = connection.scalars(select(func.max(log.c.seq)).where(owner.in_(seqs)).group_by(owner)).all()
    lines = connection.execute(select(log).where(log.c.seq.in_(newest)))
    return {getattr(line, owner.name): line for line in lines}
