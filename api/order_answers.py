"""Orders as JSON: the members, names and links (contract 3.3 to 3.7); null members are left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from engine.models import EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row

    from engine.orders import intake

ORDER_TEXTS = {
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
    EmailState.FAILED_TTL: "The e-mail could not be delivered within 48 hours.",
    EmailState.FAILED_PAYLOAD_TOO_LARGE: "The e-mail is larger than the mail system accepts.",
}
# What v1 shows (contract 3.6); that all e-mails have failed, their own states tell.
V1_ORDER = {OrderState.PROCESSED: OrderState.COMPLETED, OrderState.SET_ASIDE: OrderState.COMPLETED}
V1_EMAIL = {EmailState.FAILED_TTL: EmailState.FAILED}  # likewise (contract 3.7)


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class RecipientLookup(_Answer):
    """What the contact directory knew."""

    status: str
    is_reserved: list[str]
    missing_contact: list[str]


class Receipt(_Answer):
    """The answer to an order."""

    order_id: UUID
    recipient_lookup: RecipientLookup | None = None


class Recipient(_Answer):
    """A recipient as posted."""

    email_address: str | None = None
    mobile_number: str | None = None
    organization_number: str | None = None
    national_identity_number: str | None = None


class EmailTemplate(_Answer):
    """What the messages say."""

    from_address: str
    subject: str
    body: str
    content_type: str


class Links(_Answer):
    """Where to look next."""

    self: str
    status: str | None = None


class OrderHead(_Answer):
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
    delivery_guarantee: str
    links: Links


class OrderList(_Answer):
    """Orders with one reference."""

    count: int
    orders: list[Order]


class ProcessingStatus(_Answer):
    """How far an order is."""

    status: str
    description: str
    last_update: str


class ChannelStatus(_Answer):
    """How many messages."""

    links: Links
    generated: int
    succeeded: int


class StatusSummary(_Answer):
    """Per channel."""

    email: ChannelStatus | None = None


class OrderStatus(OrderHead):
    """An order with its status."""

    processing_status: ProcessingStatus
    notifications_status_summary: StatusSummary | None = None


class SendStatus(_Answer):
    """What became of one e-mail."""

    status: str
    description: str
    last_update: str


class Email(_Answer):
    """One e-mail to one recipient."""

    id: UUID
    succeeded: bool
    recipient: Recipient
    send_status: SendStatus


class EmailSummary(_Answer):
    """All e-mails of an order."""

    order_id: UUID
    senders_reference: str | None = None
    generated: int
    succeeded: int
    notifications: list[Email]


def receipt_json(receipt: intake.Receipt) -> str:
    """The body of a 202; written by hand, since it is the busiest answer of all."""
    if receipt.lookup is None:
        return f'{{"orderId":"{receipt.order_id}"}}'
    lookup = {
        "status": receipt.lookup.status,
        "isReserved": receipt.lookup.is_reserved,
        "missingContact": receipt.lookup.missing_contact,
    }
    return json.dumps({"orderId": str(receipt.order_id), "recipientLookup": lookup})


def order(row: Row[Any], base: str) -> dict[str, Any]:
    """An order as it was posted (contract 3.4)."""
    return _head(row) | {
        "recipients": json.loads(row.recipients),
        "emailTemplate": {
            "fromAddress": row.sender,
            "subject": row.subject,
            "body": row.body,
            "contentType": row.content_type,
        },
        "deliveryGuarantee": row.guarantee,
        "links": {"self": f"{base}/orders/{row.id}", "status": f"{base}/orders/{row.id}/status"},
    }


def status(row: Row[Any], generated: int, succeeded: int, base: str) -> dict[str, Any]:
    """An order's status (contract 3.6)."""
    state = OrderState(row.state)
    answer = _head(row) | {
        "processingStatus": {
            "status": V1_ORDER.get(state, state),
            "description": ORDER_TEXTS[state],
            "lastUpdate": instant(row.last_update),
        }
    }
    if generated:
        links = {"self": f"{base}/orders/{row.id}/notifications/email"}
        email = {"links": links, "generated": generated, "succeeded": succeeded}
        answer["notificationsStatusSummary"] = {"email": email}
    return answer


def emails(row: Row[Any], found: Sequence[Row[Any]]) -> dict[str, Any]:
    """An order's e-mails (contract 3.7)."""
    notifications = [_email(email) for email in found]
    return _present(
        {
            "orderId": str(row.id),
            "sendersReference": row.senders_reference,
            "generated": len(notifications),
            "succeeded": sum(entry["succeeded"] for entry in notifications),
            "notifications": notifications,
        }
    )


def json_text(content: dict[str, Any]) -> bytes:
    """The text of an answer: large ones are made of it in a reader's thread, beside the event loop."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def instant(moment: datetime) -> str:
    """ISO 8601 in UTC; a fraction only where there is one."""
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds").removesuffix(".000")
    return f"{text.rstrip('0') if '.' in text else text}Z"


def _email(row: Row[Any]) -> dict[str, Any]:
    state = EmailState(row.state)
    recipient = {
        "emailAddress": row.address,
        "organizationNumber": row.organization_number,
        "nationalIdentityNumber": row.national_identity_number,
    }
    return {
        "id": str(row.id),
        "succeeded": state in (EmailState.SUCCEEDED, EmailState.DELIVERED),
        "recipient": _present(recipient),
        "sendStatus": {
            "status": V1_EMAIL.get(state, state),
            "description": EMAIL_TEXTS[state],
            "lastUpdate": instant(row.last_update),
        },
    }


def _head(row: Row[Any]) -> dict[str, Any]:
    return _present(
        {
            "id": str(row.id),
            "sendersReference": row.senders_reference,
            "requestedSendTime": instant(row.requested_send_time),
            "creator": row.creator,
            "created": instant(row.created),
            "notificationChannel": "Email",
            "ignoreReservation": row.ignore_reservation,
            "resourceId": row.resource_id,
            "resourceAction": row.resource_action,
            "conditionEndpoint": row.condition_endpoint,
        }
    )


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
