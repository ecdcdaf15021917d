"""Posted orders of the second generation and the types of their members (contract 3.8, 3.9); rules: chain_rules.py.

A member without a default must be there: without it, the body is no such order (contract 4.1).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from engine.models import ContentType
from engine.orders.attachment_request import Attachments
from engine.orders.members import Members, NullableTime, SendTime, Subject, enum
from engine.orders.template_request import TEXTS_OR_TEMPLATE, Filled, Template
from engine.orders.timing_request import Timing

PARAMETER = "notificationOrderRequest"  # the second key beside a JSON path (contract 4.1)
DIGITS = 9  # of a number in a string
INSTANT_PARAMETER = "instantEmailNotificationOrderRequest"
COMPOSED_PARAMETER = "orderRequest"


class Channel(StrEnum):
    """By which channels a recipient who is known by a number is reached."""

    EMAIL = "Email"
    SMS = "Sms"
    EMAIL_PREFERRED = "EmailPreferred"
    SMS_PREFERRED = "SmsPreferred"
    EMAIL_AND_SMS = "EmailAndSms"


class TimePolicy(StrEnum):
    """At what time of day messages are sent."""

    ANYTIME = "Anytime"
    DAYTIME = "Daytime"


def _whole(value: Any) -> Any:
    """Numbers may stand in strings (contract 1)."""
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else value


class InstantEmailSettings(Members):
    """What an instant e-mail says."""

    subject: Subject = Field(description="one line")
    body: str = Field(description="text or HTML, by contentType")
    content_type: Annotated[ContentType, enum(ContentType)] = ContentType.PLAIN
    sender_email_address: str | None = Field(None, description="only the installation's own sender; better left out")
    attachments: Attachments = None
    template: Template = None


class EmailSettings(InstantEmailSettings):
    """What an e-mail says."""

    sending_time_policy: Annotated[TimePolicy, enum(TimePolicy, first=1)] = Field(
        TimePolicy.ANYTIME, description="Daytime: e-mails leave between 09:00 and 17:00 in Norway"
    )


class SmsSettings(Members):
    """What an SMS would say: kept, and not sent."""

    body: str
    sender: str | None = None
    sending_time_policy: Annotated[TimePolicy, enum(TimePolicy, first=1)] = TimePolicy.DAYTIME


class InstantEmailRecipient(Filled):
    """An address, and what is sent there at once."""

    email_address: str = Field(examples=["kari@example.no"])
    email_settings: Annotated[InstantEmailSettings, TEXTS_OR_TEMPLATE]


class EmailRecipient(Filled):
    """An address, and what is sent there."""

    email_address: str = Field(examples=["kari@example.no"])
    email_settings: Annotated[EmailSettings, TEXTS_OR_TEMPLATE]


class NumberRecipient(Filled):
    """Somebody whom the contact directory knows."""

    channel_schema: Annotated[Channel, enum(Channel)] = Field(description="Email, or EmailPreferred with both settings")
    email_settings: Annotated[EmailSettings | None, TEXTS_OR_TEMPLATE] = None
    sms_settings: SmsSettings | None = Field(None, description="kept; this installation sends no SMS")
    resource_id: str | None = Field(None, description="urn:altinn:resource:…, which the order is about")
    resource_action: str | None = Field(None, description="only together with resourceId")


class PersonRecipient(NumberRecipient):
    """A person."""

    national_identity_number: str = Field(description="11 digits")
    ignore_reservation: bool = Field(default=False, description="send also to a person who is reserved")
    use_stale_contact_information: bool = Field(default=False, description="not used")


class OrganizationRecipient(NumberRecipient):
    """An organisation."""

    org_number: str = Field(description="9 digits")


class Recipient(Members):
    """Who gets a message: exactly one of these."""

    recipient_email: EmailRecipient | None = None
    recipient_person: PersonRecipient | None = None
    recipient_organization: OrganizationRecipient | None = None
    recipient_sms: dict[str, Any] | None = Field(None, description="refused: this installation sends no SMS")
    recipient_external_identity: dict[str, Any] | None = Field(None, description="refused: no directory knows these")


class Reminder(Timing):
    """Another message to follow, by a number of days or at a time of its own."""

    recipient: Recipient
    delay_days: Annotated[int | None, BeforeValidator(_whole)] = Field(
        None, description="days of 24 hours after the first order's requestedSendTime, 1 or more"
    )
    requested_send_time: NullableTime = Field(None, description="in place of delayDays; with a zone")
    senders_reference: str | None = Field(None, description="your own name for the reminder")
    condition_endpoint: str | None = Field(None, description="asked before sending: should it still be sent?")


class DialogAssociation(Members):
    """Which dialog of Dialogporten the order belongs to: kept, and told in the log of notifications."""

    dialog_id: str | None = None
    transmission_id: str | None = None


class InstantEmailRequest(Members):
    """An e-mail that somebody waits for. Unknown members are ignored; names may be written in any case."""

    idempotency_id: str = Field(description="your name for the order: the same name never makes a second order")
    senders_reference: str | None = Field(None, description="your own name for the order")
    recipient_email: InstantEmailRecipient


class FirstOrder(Timing):
    """What an order says that may wait, and may have others behind it."""

    idempotency_id: str = Field(description="your name for the order: the same name never makes a second order")
    senders_reference: str | None = Field(None, description="your own name for the order; reminders have their own")
    requested_send_time: SendTime = Field(None, description="not before this time; with a zone; default: at once")
    condition_endpoint: str | None = Field(None, description="asked before sending: should it still be sent?")
    dialogporten_association: DialogAssociation | None = None


class ChainRequest(FirstOrder):
    """A message to one recipient, and its reminders. Unknown members are ignored; names may be written in any case."""

    recipient: Recipient
    reminders: tuple[Reminder, ...] | None = Field(None, description="each is an order of its own")


class ComposedEmailRequest(FirstOrder):
    """An e-mail with attachments. Unknown members are ignored; names may be written in any case."""

    recipient: EmailRecipient
