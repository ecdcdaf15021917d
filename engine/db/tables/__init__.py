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
    events,
    fan_outs,
    subscription_filters,
    subscriptions,
    waiting_events,
    webhook_attempts,
    webhooks,
)
from engine.db.tables.orders import (
    EMAIL_FAILED,
    ORDER_SET_ASIDE,
    attempts_log,
    contacts,
    emails,
    idempotency_keys,
    orders,
)

__all__ = [
    "ALIVE",
    "DELIVERY_DEAD",
    "EMAIL_FAILED",
    "EPOCH",
    "MILLISECOND",
    "ORDER_SET_ASIDE",
    "STOPPED",
    "Instant",
    "attempts_log",
    "audit_log",
    "compatibility",
    "contacts",
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
    "webhook_attempts",
    "webhooks",
]
