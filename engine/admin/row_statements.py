"""The statements that read rows by their keys, each built once: that takes longer than to run it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, bindparam, case, func, select

from engine.admin import recurring
from engine.admin.api_keys import STATE
from engine.admin.standing import Standing, Standings, of_deliveries, of_emails, of_orders
from engine.db.dialects import Now
from engine.db.tables import (
    api_keys,
    audit_log,
    deliveries,
    emails,
    events,
    jobs,
    orders,
    recurring_orders,
    senders,
    subscriptions,
    templates,
)

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Select, Table

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


def _stands(stands: Standings) -> tuple[ColumnElement[Any], ...]:
    """Where an open row stands, and when its next attempt comes, if that is later."""
    word = stands.word
    return word.label("standing"), case((word == Standing.LATER, stands.next)).label("next_attempt")


def by(key: Column[Any], chosen: Select[Any]) -> Select[Any]:
    """Those of what is chosen whose key is one of `keys`."""
    return chosen.where(key.in_(bindparam("keys", expanding=True)))


def but(table: Table, *hidden: str) -> list[Column[Any]]:
    """The columns of a table, but for these."""
    return [column for column in table.c if column.name not in hidden]


@cache
def emails_of(paused_lanes: frozenset[str]) -> Select[Any]:
    """E-mails, with where they stand."""
    chosen = select(*_EMAIL, *_stands(of_emails(paused_lanes))).join(orders, orders.c.seq == emails.c.order_seq)
    return by(emails.c.id, chosen)


@cache
def orders_of(paused_lanes: frozenset[str]) -> Select[Any]:
    """Orders, likewise."""
    return by(orders.c.id, select(*_ORDER, *_stands(of_orders(paused_lanes))))


@cache
def deliveries_of(paused_lanes: frozenset[str]) -> Select[Any]:
    """Deliveries, likewise."""
    chosen = select(*_DELIVERY, *_stands(of_deliveries(paused_lanes)))
    return by(deliveries.c.seq, chosen.select_from(deliveries.join(subscriptions).outerjoin(events)))


EVENTS = by(events.c.seq, select(*_EVENT))
SUBSCRIPTIONS = by(subscriptions.c.seq, select(*but(subscriptions, *_HIDDEN), _LEFT_ALONE_UNTIL))
_WAIT = select(deliveries.c.seq).where(
    deliveries.c.subscription_seq == bindparam("subscription", type_=BigInteger()), deliveries.c.due_at.is_not(None)
)
WAITING = select(func.count()).select_from(_WAIT.limit(BACKLOG).subquery())
AUDIT = by(audit_log.c.seq, select(audit_log))
JOBS = by(jobs.c.seq, select(*but(jobs, "claim", "unresolved", "attempts", "position", "newest")))
KEYS = by(api_keys.c.seq, select(*but(api_keys, "hash"), STATE.label("state")))
_SENDER = (column.label("sender") if column.name == "address" else column for column in but(senders, "compared"))
SENDERS = by(senders.c.seq, select(*_SENDER))
RECURRING = by(
    recurring_orders.c.id, select(*but(recurring_orders, "fingerprint", "order_row"), recurring.STATE.label("state"))
)


@cache
def last_lines_of(log: Table, owner: Column[int]) -> tuple[Select[int], Select[Any]]:
    """The number of the newest line of each of the `owners`, and the lines of the numbers `seqs`."""
    newest = select(func.max(log.c.seq)).where(owner.in_(bindparam("owners", expanding=True))).group_by(owner)
    return newest, select(log).where(log.c.seq.in_(bindparam("seqs", expanding=True)))
