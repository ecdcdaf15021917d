"""The tables, by theme."""

from __future__ import annotations

from engine.db.tables.admin import (
    ALIVE,
    compatibility,
    ended_sessions,
    history,
    installation,
    job_rows,
    jobs,
    pauses,
    processes,
)
from engine.db.tables.columns import EPOCH, MILLISECOND, Instant, metadata, milliseconds
from engine.db.tables.events import (
    DELIVERY_DEAD,
    STOPPED,
    audit_log,
    deliveries,
    delivery_attempts,
    events,
    fan_outs,
    subscription_filters,
    subscriptions,
    waiting_events,
)
from engine.db.tables.orders import (
    EMAIL_FAILED,
    EMAIL_OPEN,
    ORDER_SET_ASIDE,
    contacts,
    email_attempts,
    emails,
    idempotency_keys,
    orders,
)

__all__ = [
    "ALIVE",
    "DELIVERY_DEAD",
    "EMAIL_FAILED",
    "EMAIL_OPEN",
    "EPOCH",
    "MILLISECOND",
    "ORDER_SET_ASIDE",
    "STOPPED",
    "Instant",
    "audit_log",
    "compatibility",
    "contacts",
    "deliveries",
    "delivery_attempts",
    "email_attempts",
    "emails",
    "ended_sessions",
    "events",
    "fan_outs",
    "history",
    "idempotency_keys",
    "installation",
    "job_rows",
    "jobs",
    "metadata",
    "milliseconds",
    "orders",
    "pauses",
    "processes",
    "subscription_filters",
    "subscriptions",
    "waiting_events",
]
