"""The tables, by theme."""

from __future__ import annotations

from engine.tables.columns import EPOCH, MILLISECOND, Instant, metadata, milliseconds
from engine.tables.events import audit_log, events, subscription_filters, subscriptions, webhook_attempts, webhooks
from engine.tables.orders import attempts_log, contacts, emails, idempotency_keys, orders

__all__ = [
    "EPOCH",
    "MILLISECOND",
    "Instant",
    "attempts_log",
    "audit_log",
    "contacts",
    "emails",
    "events",
    "idempotency_keys",
    "metadata",
    "milliseconds",
    "orders",
    "subscription_filters",
    "subscriptions",
    "webhook_attempts",
    "webhooks",
]
