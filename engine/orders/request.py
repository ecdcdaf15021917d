"""A posted e-mail order and the types of its members (contract 3.1); their rules are in rules.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from engine.models import LONGEST_SUBJECT, ContentType, DeliveryGuarantee, Duplicates, Priority
from engine.orders.attachment_request import MOST, Attachments
from engine.orders.members import Members, SendTime, Subject, enum, validated
from engine.orders.new_order import INSTANT_RECIPIENTS
from engine.orders.template_request import Filled, Template
from engine.orders.timing_request import Timing

if TYPE_CHECKING:
    from collections.abc import Mapping

PARAMETER = "emailNotificationOrderRequest"  # the second key beside a JSON path (contract 4.1)


class RecipientRequest(Filled):
    """One recipient: an address, or a number that the contact directory knows."""

    email_address: str | None = Field(None, description="where to send", examples=["kari@example.no"])
    mobile_number: str | None = Field(None, description="not used in e-mail orders")
    organization_number: str | None = Field(None, description="9 digits; must stand alone")
    national_identity_number: str | None = Field(None, description="11 digits; must stand alone")
    time_zone: str | None = Field(None, description="the IANA time zone in which the order's sendingWindow is read")


class EmailContent(Members):
    """What the e-mails of an order say."""

    subject: Subject | None = Field(None, description=f"required, up to {LONGEST_SUBJECT} characters in one line")
    body: str | None = Field(
        None, description="required; text or HTML, by contentType; no control characters except tabs and line ends"
    )
    content_type: Annotated[ContentType, enum(ContentType)] = ContentType.PLAIN
    attachments: Attachments = None
    template: Template = None


class Addressed(Timing):
    """The other members of orders: recipients, send time, condition."""

    recipients: tuple[RecipientRequest, ...] | None = Field((), description="at least one")
    senders_reference: str | None = Field(None, description="your own name for the order")
    requested_send_time: SendTime = Field(
        None,
        description="not before this time; with a zone; default: at once",
    )
    condition_endpoint: str | None = Field(None, description="asked before sending: should it still be sent?")
    ignore_reservation: bool | None = Field(None, description="send also to persons who are reserved")
    resource_id: str | None = Field(None, description="the resource that the order is about")
    resource_action: str | None = Field(None, description="only together with resourceId")
    delivery_guarantee: Annotated[DeliveryGuarantee, enum(DeliveryGuarantee)] = Field(
        DeliveryGuarantee.AT_LEAST_ONCE, description="what to do when an attempt is in doubt: send again, or report"
    )
    priority: Annotated[Priority | None, enum(Priority, null=True)] = Field(
        None,
        description=f"Instant (to up to {INSTANT_RECIPIENTS} recipients, who wait for it), Normal or Bulk; default: "
        "Bulk for very many recipients, else Normal",
    )
    recipients_follow: bool | None = Field(
        None, description="the order is open: recipients are sent to /orders/{id}/recipients until it is closed"
    )
    duplicate_recipients: Annotated[Duplicates, enum(Duplicates)] = Field(
        Duplicates.DROP, description="of recipients that follow: Drop or Keep those who came before"
    )


class EmailOrderRequest(Addressed, EmailContent):
    """An e-mail order. Unknown members are ignored; names may be written in any case."""

    sender_email_address: str | None = Field(
        None, description="one of your sender identities; default: the default one, or the installation's sender"
    )


def read_request(value: Mapping[str, Any], most_recipients: int) -> EmailOrderRequest:
    """Return what was posted; Invalid when a member has a wrong type. Of arrays, one element beyond is kept."""
    return validated(EmailOrderRequest, value, PARAMETER, max(most_recipients, MOST))
