"""The columns of tables: title, and the name of the value in a row of engine/admin/rows.py or details.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMNS: Mapping[str, Mapping[str, str]] = {
    "orders": {
        "order": "id",
        "state": "state",
        "send time": "requested_send_time",
        "creator": "creator",
        "reference": "reference",
        "subject": "subject",
    },
    "emails": {
        "e-mail": "id",
        "recipient": "address",
        "state": "state",
        "next attempt": "due_at",
        "tries": "attempts",
        "code": "last_code",
        "last answer": "last_reply",
        "creator": "creator",
        "subject": "subject",
    },
    "events": {
        "event": "seq",
        "registered": "registered",
        "type": "type",
        "subject": "subject",
        "resource": "resource",
        "source": "source",
        "id": "id",
    },
    "subscriptions": {
        "subscription": "seq",
        "consumer": "consumer",
        "endpoint": "endpoint",
        "resource": "resource_filter",
        "validated": "validated",
        "paused": "paused",
        "last error": "last_error",
    },
    "deliveries": {
        "delivery": "seq",
        "state": "state",
        "subscription": "subscription_seq",
        "event": "event_seq",
        "type": "event_type",
        "next attempt": "due_at",
        "tries": "attempts",
        "code": "last_code",
        "last answer": "last_reply",
        "endpoint": "endpoint",
    },
    "jobs": {
        "job": "seq",
        "state": "state",
        "noun": "noun",
        "action": "action",
        "done": "done",
        "total": "total",
        "who": "who",
        "created": "created",
        "filter": "filter",
    },
    "audit": {"at": "at", "who": "who", "action": "action", "target": "target", "detail": "detail"},
    "lanes": {
        "lane": "name",
        "waits": "waiting",
        "due": "due",
        "in flight": "in_flight",
        "retrying": "retrying",
        "held": "held",
        "dead": "dead",
        "oldest due": "oldest_due",
        "paused": "paused",
    },
    "processes": {
        "process": "kind",
        "host": "host",
        "pid": "pid",
        "version": "version",
        "started": "started",
        "alive": "alive",
        "trouble": "trouble",
    },
    "throughput": {"last hour": "name", "done": "accepted", "again": "deferred", "failed": "failed"},
    "timeline": {
        "at": "at",
        "outcome": "outcome",
        "phase": "phase",
        "code": "code",
        "ms": "duration_ms",
        "relay": "relay",
        "reply": "reply",
    },
    "history": {"at": "at", "who": "who", "action": "action", "detail": "detail"},
}
