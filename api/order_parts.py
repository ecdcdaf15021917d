"""What an order says, and to whom, as its sender posted it."""

from __future__ import annotations

from pydantic import TypeAdapter

from api.answers import Answer


class Recipient(Answer):
    """A recipient as posted."""

    email_address: str | None = None
    mobile_number: str | None = None
    organization_number: str | None = None
    national_identity_number: str | None = None
    values: dict[str, object] | None = None
    locale: str | None = None
    time_zone: str | None = None


RECIPIENTS = TypeAdapter(list[Recipient])


class Template(Answer):
    """The template that the messages are made of; without a version, it is the installation's own."""

    name: str
    version: int | None = None


class EmailTemplate(Answer):
    """What the messages say."""

    from_address: str
    subject: str
    body: str
    content_type: str
    template: Template | None = None


class SmsTemplate(Answer):
    """What an SMS would say: kept, and not sent."""

    sender_number: str
    body: str
