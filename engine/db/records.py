"""Rows with types: what a claim or a look-up returns, as frozen records whose fields are columns of the same name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Row

Record = TypeVar("Record")


class Source(Protocol):
    """Columns by name: a table's, or computed ones."""

    def __contains__(self, name: str, /) -> bool: ...
    def __getitem__(self, name: str, /) -> ColumnElement[Any]: ...


def columns(record: type[Any], *sources: Source) -> list[ColumnElement[Any]]:
    """The columns that a record is made of, each from the first of the sources that has it."""
    names = [field.name for field in fields(record)]
    return [next(source[name] for source in sources if name in source) for name in names]


def read(record: type[Record], rows: Iterable[Row[Any]]) -> Sequence[Record]:
    """Records from rows of exactly these columns."""
    make: Callable[..., Record] = record
    return [make(*row) for row in rows]


def first(record: type[Record], rows: Iterable[Row[Any]]) -> Record | None:
    """The first of such records; None: there is none."""
    return next(iter(read(record, rows)), None)


@dataclass(frozen=True, slots=True)
class Timed:
    """When an order may be sent."""

    requested_send_time: datetime
    expires_at: datetime | None
    sending_window: str | None  # JSON
    withdrawn_at: datetime | None
    withdrawn_until: datetime | None


@dataclass(frozen=True, slots=True)
class Order(Timed):
    """An order, without the texts that may be of any size."""

    seq: int
    id: UUID
    creator: str
    senders_reference: str | None
    created: datetime
    due_at: datetime
    claim: int
    unresolved: int
    attempts: int
    condition_endpoint: str | None
    asked: bool  # its condition's endpoint has answered, or failed to
    recipients_size: int  # characters
    priority: int
    ignore_reservation: bool | None
    trace: str | None
    attachments: int  # how many
    streamed: bool  # its recipients are in portions
    portion: int | None  # which one is next; 0: it is open


@dataclass(frozen=True, slots=True)
class OrderName:
    """What status events say of an order."""

    seq: int
    id: UUID
    creator: str
    senders_reference: str | None


@dataclass(frozen=True, slots=True)
class Chain:
    """A receipt of the second generation: which orders a creator's identifier made."""

    id: UUID
    creator: str
    kind: str
    idempotency_id: str
    fingerprint: str
    shipments: str  # JSON
    dialog_id: str | None
    transmission_id: str | None


@dataclass(frozen=True, slots=True)
class Letter(Timed):
    """What an order says to all its recipients."""

    seq: int
    id: UUID
    creator: str
    sender: str
    subject: str
    body: str
    content_type: str
    guarantee: str
    trace: str | None
    attachments: int  # how many
    sender_name: str | None
    reply_to: str | None
    template_id: UUID | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attachment as it is sent."""

    filename: str
    mime_type: str
    content_id: str | None
    content: bytes | None  # None: not fetched


@dataclass(frozen=True, slots=True)
class Email:
    """A message to one address."""

    seq: int
    id: UUID
    order_seq: int
    expires_at: datetime
    due_at: datetime
    claim: int
    unresolved: int
    attempts: int
    priority: int
    waits_for: str | None  # or has waited for
    creator: str
    address: str
    organization_number: str | None
    recipient_name: str | None
    subject: str | None
    body: str | None
    time_zone: str | None
    given: str | None  # JSON: its values and locale, if its order has a template


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription: its endpoint, and how events are pushed to it."""

    seq: int
    due_at: datetime
    claim: int
    unresolved: int
    failures: int  # in a row
    endpoint: str
    consumer: str
    creator: str  # set with a mailto: endpoint, where it is read
    party: str | None
    template: str | None
    salt: str
    old_salt: str | None
    old_salt_until: datetime | None
    ordered: bool
    validated: bool
    paused_reason: str | None
    test_seq: int | None  # the delivery that is pushed although it is paused


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for one subscription; without an `event_seq`, the validation event, whose texts are empty."""

    seq: int
    subscription_seq: int
    event_seq: int | None
    attempts: int
    created: datetime
    id: str
    source: str
    subject: str | None
    resource: str
    text: str


@dataclass(frozen=True, slots=True)
class FanOut:
    """Events of one owner that wait to be queued for many subscriptions."""

    seq: int
    due_at: datetime
    claim: int
    unresolved: int
    attempts: int  # events that are still to be queued one by one, after lost workers
    reached: int


@dataclass(frozen=True, slots=True)
class Job:
    """An operator's action on all that match, as it is claimed."""

    seq: int
    due_at: datetime
    claim: int
    unresolved: int


@dataclass(frozen=True, slots=True)
class OrderHead:
    """An order as its creator sees it, without its texts."""

    seq: int
    id: UUID
    creator: str
    senders_reference: str | None
    created: datetime
    requested_send_time: datetime
    last_update: datetime
    state: str
    condition_endpoint: str | None
    ignore_reservation: bool | None
    resource_id: str | None
    resource_action: str | None
    kind: str
    channel: str | None
    streamed: bool  # its recipients followed it


@dataclass(frozen=True, slots=True)
class PostedOrder(OrderHead):
    """An order as it was posted."""

    sender: str
    subject: str
    body: str
    content_type: str
    guarantee: str
    priority: int
    recipients: str  # JSON
    sms: str | None  # JSON
    sender_name: str | None
    reply_to: str | None
    expires_at: datetime | None
    sending_window: str | None  # JSON
    template_name: str | None
    template_version: int | None  # None: it is the installation's own, or the order has no template


@dataclass(frozen=True, slots=True)
class EmailStatus:
    """What became of a message to one address."""

    seq: int
    id: UUID
    state: str
    last_update: datetime
    address: str
    organization_number: str | None
    national_identity_number: str | None


@dataclass(frozen=True, slots=True)
class SendAttempt:
    """How an attempt at a message ended."""

    email_seq: int
    outcome: str
    code: int | None
    reply: str


@dataclass(frozen=True, slots=True)
class EventName:
    """An event, and its place among all."""

    seq: int
    id: str
    source: str


@dataclass(frozen=True, slots=True)
class StoredEvent(EventName):
    """An event as it is shown to who may see it."""

    resource: str
    subject: str | None
    text: str
