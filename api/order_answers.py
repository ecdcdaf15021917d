"""Orders as JSON: the members, names and links (contract 3.3 to 3.7); null members are left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self
from uuid import UUID

from api.answers import Answer, instant
from api.order_parts import RECIPIENTS, EmailTemplate, Recipient, SmsTemplate, Template
from engine.models import EXPIRY_HOURS, HANDED_OVER, LEVELS, EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db import records
    from engine.orders import receipts

ORDER_TEXTS = {
    OrderState.OPEN: "The order waits until it has all its recipients and is closed.",
    OrderState.REGISTERED: "The order is stored and waits for its requested send time.",
    OrderState.PROCESSING: "The order is being processed: its condition is asked, its e-mails are generated.",
    OrderState.PROCESSED: "All e-mails of the order are generated and on their way.",
    OrderState.COMPLETED: "The order is completed: every e-mail has a result.",
    OrderState.SEND_CONDITION_NOT_MET: "The order was not sent: its send condition was not met.",
    OrderState.CANCELLED: "The order was cancelled.",
    OrderState.SET_ASIDE: "The order could not be processed: its e-mails have failed.",
}
EMAIL_TEXTS = {
    EmailState.NEW: "The e-mail is generated and waits to be sent.",
    EmailState.SENDING: "The e-mail is being sent.",
    EmailState.SUCCEEDED: "The mail system has taken the e-mail over.",
    EmailState.DELIVERED: "The e-mail was delivered to the recipient.",
    EmailState.FAILED: "The e-mail was not sent.",
    EmailState.FAILED_RECIPIENT_RESERVED: "The recipient has declined electronic communication.",
    EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED: "No address was found for the recipient.",
    EmailState.FAILED_INVALID_EMAIL_FORMAT: "The mail system does not accept the form of the address.",
    EmailState.FAILED_SUPRESSED_RECIPIENT: "The address is suppressed after earlier failures.",
    EmailState.FAILED_BOUNCED: "The recipient's mailbox does not exist or takes no mail.",
    EmailState.FAILED_FILTERED_SPAM: "The e-mail was refused as spam.",
    EmailState.FAILED_TTL: f"The e-mail was not sent in time: within {EXPIRY_HOURS} hours, or before expiresAt.",
    EmailState.FAILED_QUARANTINED: "An attachment of the e-mail is kept back as harmful.",
    EmailState.FAILED_INVALID_SAS_URL: "An attachment of the e-mail cannot be fetched from its address.",
    EmailState.FAILED_PAYLOAD_TOO_LARGE: "The e-mail with its attachments is too large, here or for the mail system.",
    EmailState.CANCELLED: "The order was withdrawn before the e-mail was sent.",
}
# What v1 shows (contract 3.6). Of an order set aside, the e-mails' states tell that all have failed.
V1_ORDER = {
    OrderState.OPEN: OrderState.REGISTERED,
    OrderState.PROCESSED: OrderState.COMPLETED,
    OrderState.SET_ASIDE: OrderState.COMPLETED,
}
V1_EMAIL = {EmailState.FAILED_TTL: EmailState.FAILED}  # likewise (contract 3.7)


class RecipientLookup(Answer):
    """What the contact directory knew."""

    status: str
    is_reserved: list[str]
    missing_contact: list[str]


class Receipt(Answer):
    """The answer to an order."""

    order_id: UUID
    recipient_lookup: RecipientLookup | None = None

    @classmethod
    def of(cls, receipt: receipts.Receipt) -> Self:
        """From what the engine answers."""
        if receipt.lookup is None:
            return cls(order_id=receipt.order_id)
        lookup = RecipientLookup(
            status=receipt.lookup.status,
            is_reserved=[*receipt.lookup.is_reserved],
            missing_contact=[*receipt.lookup.missing_contact],
        )
        return cls(order_id=receipt.order_id, recipient_lookup=lookup)

    def json_text(self) -> bytes:
        """With spaces where somebody was looked up: a replay repeats the first answer, perhaps of an older version."""
        if self.recipient_lookup is None:
            return super().json_text()
        return json.dumps(self.model_dump(mode="json", by_alias=True)).encode()


class Links(Answer):
    """Where to look next."""

    self: str
    status: str | None = None


class OrderHead(Answer):
    """What every answer about an order begins with."""

    id: UUID
    senders_reference: str | None = None
    requested_send_time: str
    creator: str
    created: str
    notification_channel: str
    ignore_reservation: bool | None = None
    resource_id: str | None = None
    resource_action: str | None = None
    condition_endpoint: str | None = None


class Order(OrderHead):
    """An order as it was posted."""

    recipients: list[Recipient]
    email_template: EmailTemplate
    sms_template: SmsTemplate | None = None
    delivery_guarantee: str
    priority: str
    recipients_follow: bool | None = None
    links: Links

    @classmethod
    def of(cls, row: records.PostedOrder, base: str) -> Self:
        """From the stored row (contract 3.4)."""
        template = EmailTemplate(
            from_address=row.sender,
            subject=row.subject,
            body=row.body,
            content_type=row.content_type,
            template=Template(name=row.template_name, version=row.template_version) if row.template_name else None,
        )
        return cls(
            **vars(_head(row)),
            recipients=RECIPIENTS.validate_json(row.recipients),
            email_template=template,
            sms_template=SmsTemplate.model_validate_json(row.sms) if row.sms else None,
            delivery_guarantee=row.guarantee,
            priority=LEVELS[row.priority],
            recipients_follow=row.streamed or None,
            links=Links(self=f"{base}/orders/{row.id}", status=f"{base}/orders/{row.id}/status"),
        )


class OrderList(Answer):
    """Orders with one reference."""

    count: int
    orders: list[Order]


class ProcessingStatus(Answer):
    """How far an order is."""

    status: str
    description: str
    last_update: str


class ChannelStatus(Answer):
    """How many messages."""

    links: Links
    generated: int
    succeeded: int


class StatusSummary(Answer):
    """Per channel."""

    email: ChannelStatus | None = None


class OrderStatus(OrderHead):
    """An order with its status."""

    processing_status: ProcessingStatus
    notifications_status_summary: StatusSummary | None = None

    @classmethod
    def of(cls, row: records.OrderHead, generated: int, succeeded: int, base: str) -> Self:
        """From the stored row, and the numbers of its e-mails (contract 3.6)."""
        state = OrderState(row.state)
        processing = ProcessingStatus(
            status=V1_ORDER.get(state, state), description=ORDER_TEXTS[state], last_update=instant(row.last_update)
        )
        summary = None
        if generated:
            links = Links(self=f"{base}/orders/{row.id}/notifications/email")
            summary = StatusSummary(email=ChannelStatus(links=links, generated=generated, succeeded=succeeded))
        return cls(**vars(_head(row)), processing_status=processing, notifications_status_summary=summary)


class SendStatus(Answer):
    """What became of one e-mail."""

    status: str
    description: str
    last_update: str


class Email(Answer):
    """One e-mail to one recipient."""

    id: UUID
    succeeded: bool
    recipient: Recipient
    send_status: SendStatus

    @classmethod
    def of(cls, row: records.EmailStatus) -> Self:
        """From the stored row."""
        state = EmailState(row.state)
        recipient = Recipient(
            email_address=row.address,
            organization_number=row.organization_number,
            national_identity_number=row.national_identity_number,
        )
        status = SendStatus(
            status=V1_EMAIL.get(state, state), description=EMAIL_TEXTS[state], last_update=instant(row.last_update)
        )
        return cls(id=row.id, succeeded=state in HANDED_OVER, recipient=recipient, send_status=status)


class EmailSummary(Answer):
    """All e-mails of an order."""

    order_id: UUID
    senders_reference: str | None = None
    generated: int
    succeeded: int
    notifications: list[Email]

    def beginning(self) -> bytes:
        """What stands before the first of very many notifications; behind the last come the counts."""
        head = self.model_dump_json(by_alias=True, exclude_none=True, include={"order_id", "senders_reference"})
        return f'{head[:-1]},"notifications":['.encode()

    @classmethod
    def of(cls, row: records.OrderHead, found: Sequence[records.EmailStatus]) -> Self:
        """From the stored rows (contract 3.7)."""
        notifications = [Email.of(email) for email in found]
        return cls(
            order_id=row.id,
            senders_reference=row.senders_reference,
            generated=len(notifications),
            succeeded=sum(email.succeeded for email in notifications),
            notifications=notifications,
        )


def _head(row: records.OrderHead) -> OrderHead:
    return OrderHead(
        id=row.id,
        senders_reference=row.senders_reference,
        requested_send_time=instant(row.requested_send_time),
        creator=row.creator,
        created=instant(row.created),
        notification_channel=row.channel or "Email",
        ignore_reservation=row.ignore_reservation,
        resource_id=row.resource_id,
        resource_action=row.resource_action,
        condition_endpoint=row.condition_endpoint,
    )
