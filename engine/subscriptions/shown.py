"""A subscription, its deliveries and their attempts, as its consumer sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class KeptSubscription:
    """A subscription as its consumer sees it."""

    seq: int
    consumer: str
    created: datetime
    endpoint: str
    template: str | None
    resource_filter: str
    source_filter: str | None
    source_prefix: str | None
    subject_filter: str | None
    alternative_subject_filter: str | None
    party: str | None
    type_filter: str | None  # JSON
    source_start: str | None
    ordered: bool
    validated: bool
    paused_reason: str | None
    last_error: str | None
    open_until: datetime | None
    salt: str


@dataclass(frozen=True, slots=True)
class PushedDelivery:
    """A delivery as its consumer sees it; without an event, that of the validation event."""

    seq: int
    event_seq: int | None
    event_id: str | None
    source: str | None
    type: str | None
    state: str
    attempts: int
    due_at: datetime | None
    created: datetime
    last_update: datetime


@dataclass(frozen=True, slots=True)
class PushAttempt:
    """One attempt at a delivery, and the answer."""

    seq: int
    delivery_seq: int
    at: datetime
    duration_ms: int
    outcome: str
    status: int | None
    reply: str
