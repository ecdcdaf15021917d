"""The rules of the second generation's orders (contract 4.5), each with its message, and the orders they become."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from engine.errors import Invalid
from engine.models import ContentType, OrderKind, Priority
from engine.orders.attachment_request import MOST
from engine.orders.attachment_rules import check_attachments, enclosed
from engine.orders.chain_request import (
    COMPOSED_PARAMETER,
    INSTANT_PARAMETER,
    PARAMETER,
    ChainRequest,
    Channel,
    ComposedEmailRequest,
    EmailSettings,
    InstantEmailRequest,
    TimePolicy,
)
from engine.orders.chains import NewChain
from engine.orders.checks import (
    Broken,
    check_action,
    check_endpoint,
    check_name,
    check_organization,
    check_person,
    check_sender,
    check_texts,
    check_time,
    zoned,
)
from engine.orders.members import validated
from engine.orders.new_order import TOO_FAR, NewOrder
from engine.orders.template_request import check_filled, check_template, filled
from engine.orders.timing import check_expiries, check_timing, times
from engine.queue.windows import DAYTIME
from engine.resources import RESOURCE
from engine.text.addresses import bare, read_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.orders import new_order
    from engine.orders.chain_request import (
        DialogAssociation,
        EmailRecipient,
        InstantEmailRecipient,
        InstantEmailSettings,
        NumberRecipient,
        Recipient,
        Reminder,
    )
    from engine.orders.rules import Limits
    from engine.orders.timing_request import Timing

MOST_REMINDERS = 100
LATEST = 36_500  # days: a century
NO_SMS = "This installation sends e-mail only: use recipientEmail, or a channelSchema of Email or EmailPreferred."


def parse_chain(value: Mapping[str, Any], limits: Limits, now: datetime) -> NewChain:
    """Check a posted order with its reminders; Invalid names each broken rule by its C# path (contract 4.1)."""
    request = validated(ChainRequest, value, PARAMETER, MOST_REMINDERS)
    broken = Broken()
    _check_names(request, broken)
    _check_dialog(request.dialogporten_association, broken)
    at = request.requested_send_time or now
    _check_when(request, at, limits, now, broken)
    _check_recipient(request.recipient, at, limits, broken)
    reminders = request.reminders or ()
    if len(reminders) > MOST_REMINDERS:
        broken.add("Reminders", f"An order has at most {MOST_REMINDERS} reminders.")
    beginning = (request.requested_send_time or now).replace(tzinfo=UTC)
    for place, reminder in enumerate(reminders[:MOST_REMINDERS]):
        _check_reminder(reminder, limits, now, beginning, f"Reminders[{place}]", broken)
    if broken.errors:
        raise Invalid(broken.errors)
    # Reminders count from the first order's requested time (contract 4.2), which is now if none was given.
    begins = request.requested_send_time or (now if reminders else None)
    made = [_order(request, begins, limits), *(_reminder(reminder, begins or now, limits) for reminder in reminders)]
    timed = [_timed(each, its, now, limits) for each, its in zip(made, [request, *reminders], strict=True)]
    check_expiries(timed)
    return NewChain(request.idempotency_id, timed, *_dialog(request.dialogporten_association))


def parse_composed(value: Mapping[str, Any], limits: Limits, now: datetime) -> NewChain:
    """Check a posted e-mail with attachments; Invalid, likewise."""
    request = validated(ComposedEmailRequest, value, COMPOSED_PARAMETER, MOST)
    broken = Broken()
    _check_names(request, broken)
    _check_dialog(request.dialogporten_association, broken)
    at = request.requested_send_time or now
    _check_when(request, at, limits, now, broken)
    _check_email(request.recipient, at, limits, broken.within("Recipient"), "Settings")
    if broken.errors:
        raise Invalid(broken.errors)
    order = _written(request.recipient, {"emailAddress": bare(request.recipient.email_address)}, limits)
    order = order._replace(
        senders_reference=request.senders_reference,
        requested_send_time=request.requested_send_time,
        condition_endpoint=request.condition_endpoint,
        kind=OrderKind.COMPOSED,
    )
    order = _timed(order, request, now, limits)
    return NewChain(request.idempotency_id, [order], *_dialog(request.dialogporten_association))


def parse_instant(value: Mapping[str, Any], limits: Limits, now: datetime) -> NewChain:
    """Check a posted instant e-mail; Invalid, likewise."""
    request = validated(InstantEmailRequest, value, INSTANT_PARAMETER, MOST)
    broken = Broken()
    _check_names(request, broken)
    _check_email(request.recipient_email, now, limits, broken.within("RecipientEmail"), "EmailSettings")
    if broken.errors:
        raise Invalid(broken.errors)
    order = _written(request.recipient_email, {"emailAddress": bare(request.recipient_email.email_address)}, limits)
    reference, kind = request.senders_reference, OrderKind.INSTANT
    order = order._replace(senders_reference=reference, kind=kind, priority=Priority.INSTANT)
    return NewChain(request.idempotency_id, [order])


def is_name(text: object) -> bool:
    """Whether it can be the identifier of a chain."""
    broken = Broken()
    if isinstance(text, str):
        check_name("IdempotencyId", text, broken)
    return isinstance(text, str) and not broken.errors


def _check_names(request: ChainRequest | InstantEmailRequest | ComposedEmailRequest, broken: Broken) -> None:
    if not request.idempotency_id.strip():
        broken.add("IdempotencyId", "The idempotencyId must not be blank.")
    check_name("IdempotencyId", request.idempotency_id, broken)
    check_name("SendersReference", request.senders_reference, broken)


def _check_dialog(association: DialogAssociation | None, broken: Broken) -> None:
    within = broken.within("DialogportenAssociation")
    for field, name in zip(("DialogId", "TransmissionId"), _dialog(association), strict=True):
        check_name(field, name, within)


def _dialog(association: DialogAssociation | None) -> tuple[str | None, str | None]:
    return (association.dialog_id, association.transmission_id) if association else (None, None)


def _check_when(
    order: ChainRequest | Reminder | ComposedEmailRequest, at: datetime, limits: Limits, now: datetime, broken: Broken
) -> None:
    check_timing(order, zoned(at), now, limits.calendars, [None], broken)
    if order.requested_send_time is not None:
        check_time(order.requested_send_time, now, broken)
    if order.condition_endpoint is not None:
        check_endpoint(order.condition_endpoint, limits.guard, broken)


def _check_reminder(  # noqa: PLR0913, PLR0917 what its rules compare it with
    reminder: Reminder, limits: Limits, now: datetime, beginning: datetime, place: str, broken: Broken
) -> None:
    within = broken.within(place)
    at = reminder.requested_send_time or beginning
    if (reminder.delay_days is None) == (reminder.requested_send_time is None):
        broken.add(place, "A reminder has either delayDays or requestedSendTime.")
    if reminder.delay_days is not None and not 1 <= reminder.delay_days <= LATEST:
        within.add("DelayDays", f"delayDays is a number from 1 to {LATEST}.")
    elif reminder.delay_days is not None and reminder.delay_days >= (TOO_FAR - beginning).days:
        within.add("DelayDays", f"The reminder must be sent before the year {TOO_FAR.year}.")
    elif reminder.delay_days is not None:
        at = beginning + timedelta(days=reminder.delay_days)
    check_name("SendersReference", reminder.senders_reference, within)
    _check_when(reminder, at, limits, now, within)
    _check_recipient(reminder.recipient, at, limits, within)


def _check_recipient(recipient: Recipient, at: datetime, limits: Limits, broken: Broken) -> None:
    given = [name for name in type(recipient).model_fields if getattr(recipient, name) is not None]
    if len(given) != 1:
        broken.add("Recipient", "Give exactly one of recipientEmail, recipientPerson and recipientOrganization.")
        return
    within = broken.within("Recipient")
    if recipient.recipient_sms is not None:
        within.add("RecipientSms", NO_SMS)
    if recipient.recipient_external_identity is not None:
        within.add("RecipientExternalIdentity", "No directory here knows external identities: use recipientEmail.")
    if recipient.recipient_email:
        _check_email(recipient.recipient_email, at, limits, within.within("RecipientEmail"), "Settings")
    if person := recipient.recipient_person:
        inside = within.within("RecipientPerson")
        check_person(person.national_identity_number, inside)
        _check_number(person, at, limits, inside)
    if organization := recipient.recipient_organization:
        inside = within.within("RecipientOrganization")
        check_organization(organization.org_number, "OrgNumber", inside)
        _check_number(organization, at, limits, inside)


def _check_email(
    recipient: EmailRecipient | InstantEmailRecipient, at: datetime, limits: Limits, broken: Broken, settings: str
) -> None:
    if not read_address(recipient.email_address):
        broken.add("EmailAddress", "This is not a valid e-mail address.")
    _check_settings(recipient.email_settings, at, limits, broken.within(settings))
    check_filled(recipient, recipient.email_settings.template, broken)


def _check_number(recipient: NumberRecipient, at: datetime, limits: Limits, broken: Broken) -> None:
    if recipient.channel_schema not in (Channel.EMAIL, Channel.EMAIL_PREFERRED):
        broken.add("ChannelSchema", NO_SMS)
    elif recipient.email_settings is None:
        broken.add("EmailSettings", "This channel needs emailSettings.")
    elif recipient.channel_schema is Channel.EMAIL_PREFERRED and recipient.sms_settings is None:
        broken.add("SmsSettings", "EmailPreferred needs smsSettings, too; they are kept.")
    if recipient.email_settings:
        _check_settings(recipient.email_settings, at, limits, broken.within("EmailSettings"))
        check_filled(recipient, recipient.email_settings.template, broken)
    if recipient.sms_settings and not recipient.sms_settings.body.strip():
        broken.within("SmsSettings").add("Body", "The body must not be blank.")
    check_name("ResourceId", recipient.resource_id, broken)
    check_name("ResourceAction", recipient.resource_action, broken)
    resource = recipient.resource_id
    if resource is not None and (not resource.startswith(RESOURCE) or resource == RESOURCE):
        broken.add("ResourceId", f"A resourceId begins with {RESOURCE}.")
    check_action(recipient.resource_action, resource, broken)


def _check_settings(settings: InstantEmailSettings, at: datetime, limits: Limits, broken: Broken) -> None:
    check_template(settings.template, settings.subject, settings.body, broken)
    for field, text in (("Subject", settings.subject), ("Body", settings.body)):
        if not text.strip() and settings.template is None:
            broken.add(field, f"The {field.lower()} must not be blank.")
    check_texts(settings.subject, settings.body, broken)
    is_html = settings.content_type is ContentType.HTML or settings.template is not None
    check_attachments(settings.attachments, zoned(at), limits, broken, html=is_html)
    check_sender(settings.sender_email_address, limits, broken)


def _order(order: ChainRequest | Reminder, at: datetime | None, limits: Limits) -> NewOrder:
    """The order to one recipient, whose rules were checked."""
    made = _to(order.recipient, limits)
    return made._replace(
        senders_reference=order.senders_reference, requested_send_time=at, condition_endpoint=order.condition_endpoint
    )


def _timed(order: NewOrder, request: Timing, now: datetime, limits: Limits) -> NewOrder:
    """The order with its own window, or else the one of its policy; and with its expiry."""
    at = order.requested_send_time or now
    return order._replace(**times(request, at, limits.calendars, [None], order.sending_window).members(request))


def _reminder(reminder: Reminder, begins: datetime, limits: Limits) -> NewOrder:
    at = reminder.requested_send_time or begins + timedelta(days=reminder.delay_days or 0)
    return _order(reminder, at, limits)._replace(kind=OrderKind.REMINDER)


def _to(recipient: Recipient, limits: Limits) -> NewOrder:
    if email := recipient.recipient_email:
        return _written(email, {"emailAddress": bare(email.email_address)}, limits)
    if person := recipient.recipient_person:
        made = _numbered(person, {"nationalIdentityNumber": person.national_identity_number}, limits)
        return made._replace(ignore_reservation=person.ignore_reservation or None)
    assert recipient.recipient_organization  # noqa: S101 the only one left
    organization = recipient.recipient_organization
    return _numbered(organization, {"organizationNumber": organization.org_number}, limits)


def _numbered(recipient: NumberRecipient, entry: new_order.Recipient, limits: Limits) -> NewOrder:
    sms = recipient.sms_settings
    return _written(recipient, entry, limits)._replace(
        resource_id=recipient.resource_id,
        resource_action=recipient.resource_action,
        channel=None if recipient.channel_schema is Channel.EMAIL else recipient.channel_schema.value,
        sms=to_json({"body": sms.body, "senderNumber": sms.sender or ""}).decode() if sms else None,
    )


def _written(
    recipient: EmailRecipient | InstantEmailRecipient | NumberRecipient, entry: new_order.Recipient, limits: Limits
) -> NewOrder:
    settings = recipient.email_settings
    assert settings  # noqa: S101 it was checked
    entries = [entry if settings.template is None else entry | filled(recipient, settings.template)]
    daytime = isinstance(settings, EmailSettings) and settings.sending_time_policy is TimePolicy.DAYTIME
    return NewOrder(
        settings.subject,
        settings.body,
        settings.content_type,
        entries,
        attachments=enclosed(settings.attachments),
        sender=limits.identities.chosen(settings.sender_email_address),
        sending_window=DAYTIME if daytime else None,
        template=settings.template,
    )
