"""A new order, posted or made from an event: its members, and the row that it becomes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypedDict

from pydantic_core import PydanticSerializationError, to_json
from sqlalchemy import BigInteger, Boolean, SmallInteger, Text, Uuid, and_, case, func, type_coerce, update

from engine.db.dialects import Now
from engine.db.rows import Rows, run
from engine.db.tables import Instant, milliseconds, orders
from engine.models import LEVELS, TEST, ContentType, DeliveryGuarantee, OrderKind, OrderState, Priority, is_test
from engine.observability import tracing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.models import Duplicates
    from engine.orders.attachments import NewAttachment
    from engine.orders.identities import Identity
    from engine.queue.windows import Window

INSTANT_RECIPIENTS = 100  # of an instant order; more would make others wait, who are in a hurry, too
TOO_FAR = datetime(9999, 1, 1, tzinfo=UTC)  # send times lie before: later times are computed from them

_GIVEN = Rows(
    id=Uuid(),
    creator=Text(),
    senders_reference=Text(),
    send_time=Instant(),
    state=Text(),
    sender=Text(),
    subject=Text(),
    body=Text(),
    content_type=Text(),
    guarantee=Text(),
    recipients=Text(),
    priority=SmallInteger(),
    condition_endpoint=Text(),
    ignore_reservation=Boolean(),
    resource_id=Text(),
    resource_action=Text(),
    trace=Text(),
    kind=Text(),
    chain_id=Uuid(),
    channel=Text(),
    sms=Text(),
    expires_at=Instant(),
    sending_window=Text(),
    due_at=Instant(),
    sender_name=Text(),
    reply_to=Text(),
    template_id=Uuid(),
)
_SEND_TIME = func.coalesce(_GIVEN["send_time"], Now())
_DUE = func.coalesce(_GIVEN["due_at"], _SEND_TIME)
# What is due now, and has no condition, is ready.
_RANK = case((and_(Now() >= _DUE, _GIVEN["condition_endpoint"].is_(None)), type_coerce(_DUE, BigInteger)))
_INSERT = _GIVEN.insert_into(
    orders, created=Now(), last_update=Now(), requested_send_time=_SEND_TIME, due_at=_DUE, rank=_RANK
)

_LATER = Rows(id=Uuid(), due_at=Instant())
_DELAY = update(orders).where(orders.c.id == _LATER["id"]).values(due_at=_LATER["due_at"], rank=None)


Value = str | int | float | bool | None


class Recipient(TypedDict, total=False):
    """One recipient as its order stores it: only the members that were given."""

    emailAddress: str
    mobileNumber: str
    organizationNumber: str
    nationalIdentityNumber: str
    timeZone: str
    values: Mapping[str, object]  # for the order's template
    locale: str  # of its texts


class OrderRow(TypedDict):
    """An order as `insert` takes it: values are those of JSON."""

    id: str
    creator: str
    senders_reference: str | None
    send_time: int | None  # None: at once
    state: str
    sender: str
    subject: str
    body: str
    content_type: str
    guarantee: str
    recipients: str
    priority: int
    condition_endpoint: str | None
    ignore_reservation: bool | None
    resource_id: str | None
    resource_action: str | None
    trace: str | None
    kind: str
    chain_id: str | None
    channel: str | None
    sms: str | None
    expires_at: int | None
    sending_window: str | None  # JSON
    due_at: int | None  # None: at its send time
    sender_name: str | None
    reply_to: str | None
    template_id: str | None


class TemplateChoice(Protocol):
    """Which template an order names; version None: the newest."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int | None: ...


class NewOrder(NamedTuple):
    """An order's members, checked."""

    subject: str
    body: str
    content_type: ContentType
    recipients: Sequence[Recipient]
    senders_reference: str | None = None
    requested_send_time: datetime | None = None
    condition_endpoint: str | None = None
    ignore_reservation: bool | None = None
    resource_id: str | None = None
    resource_action: str | None = None
    delivery_guarantee: DeliveryGuarantee = DeliveryGuarantee.AT_LEAST_ONCE
    priority: Priority = Priority.NORMAL
    kind: OrderKind = OrderKind.NOTIFICATION
    channel: str | None = None  # None: Email
    sms: str | None = None  # JSON, as the answer to its sender has it
    attachments: Sequence[NewAttachment] = ()
    duplicates: Duplicates | None = None  # of recipients that follow; None: they came with it
    expires_at: datetime | None = None
    sending_window: Window | None = None
    due_at: datetime | None = None  # None: at its send time
    sender: Identity | None = None  # None: the installation's
    template: TemplateChoice | None = None  # in place of subject and body

    @property
    def instant(self) -> bool:
        """Whether it can be sent at once, before all others: it waits for nothing."""
        waits = (
            self.requested_send_time
            or self.condition_endpoint
            or self.attachments
            or self.duplicates
            or self.sending_window
        )
        return self.priority is Priority.INSTANT and not waits

    def row(self, order_id: UUID, creator: str, sender: str, chain_id: UUID | None = None) -> OrderRow:
        """The order under this identifier; `sender` is the installation's From address."""
        reference, send_time = self.senders_reference, self.requested_send_time
        return {
            "id": order_id.hex,
            "creator": creator,
            "senders_reference": reference if reference and reference.strip() else None,
            "send_time": None if send_time is None else milliseconds(send_time),
            "state": OrderState.REGISTERED.value,
            "sender": self.sender.address if self.sender else sender,
            "subject": self.subject,
            "body": self.body,
            "content_type": self.content_type.value,
            "guarantee": self.delivery_guarantee.value,
            "recipients": json_text(self.recipients),
            "priority": LEVELS.index(TEST) if is_test(creator) else self.priority.level,
            "condition_endpoint": self.condition_endpoint,
            "ignore_reservation": self.ignore_reservation,
            "resource_id": self.resource_id,
            "resource_action": self.resource_action,
            "trace": tracing.current(),
            "kind": self.kind.value,
            "chain_id": chain_id.hex if chain_id else None,
            "channel": self.channel,
            "sms": self.sms,
            "expires_at": None if self.expires_at is None else milliseconds(self.expires_at),
            "sending_window": None if self.sending_window is None else self.sending_window.text(),
            "due_at": None if self.due_at is None else milliseconds(self.due_at),
            "sender_name": self.sender.name if self.sender else None,
            "reply_to": self.sender.reply_to if self.sender else None,
            "template_id": None,  # until it is known which version that is
        }


def json_text(value: object) -> str:
    """JSON of stored values. What UTF-8 cannot hold, as lone surrogates of an event, stays escaped."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:
        return json.dumps(value, separators=(",", ":"))


def insert(connection: Connection, rows: Sequence[OrderRow]) -> None:
    """Store orders."""
    run(connection, _INSERT, rows)


def delay(connection: Connection, due: Mapping[str, datetime]) -> None:
    """Make orders that this transaction has stored due later than at their send time; by their rows' identifiers."""
    run(connection, _DELAY, [{"id": order_id, "due_at": milliseconds(at)} for order_id, at in due.items()])


def number(recipient: Recipient) -> str | None:
    """The number to look up in the directory; None: the recipient has an address."""
    if recipient.get("emailAddress"):
        return None
    return recipient.get("nationalIdentityNumber") or recipient.get("organizationNumber")
