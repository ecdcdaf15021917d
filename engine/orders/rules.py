"""The rules for a posted order's members (contract 4.2 to 4.7), each with its message.

There are two layers, as in the contract: missing members are reported alone; then all broken rules together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid
from engine.models import ContentType, Priority
from engine.orders.attachment_rules import AZURE, check_attachments, enclosed
from engine.orders.checks import (
    GRACE,
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
from engine.orders.identities import Identities
from engine.orders.new_order import INSTANT_RECIPIENTS, NewOrder, Recipient
from engine.orders.request import read_request
from engine.orders.template_request import check_filled, check_template, filled
from engine.orders.timing import check_timing, check_zone, times
from engine.queue.calendars import Calendars
from engine.text.addresses import bare, read_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from engine.orders.request import EmailOrderRequest, RecipientRequest
    from engine.orders.template_request import TemplateName
    from engine.outbound import Guard

NO_IDENTITIES = Identities()
MOST_ZONES = 50  # of the recipients of an order with a window: each opening is looked for


@dataclass(frozen=True, slots=True)
class Limits:
    """What an installation allows."""

    recipients: int
    guard: Guard
    sender: str  # the From address of every e-mail
    bulk_above: int  # recipients; a larger order is bulk, unless it says its priority
    attachment_bytes: int = 10_485_760  # of one e-mail's attachments together
    attachment_hosts: Sequence[str] = (f"*{AZURE}",)
    calendars: Calendars = field(default_factory=Calendars)
    identities: Identities = NO_IDENTITIES  # the creator's


def parse_order(value: Mapping[str, Any], limits: Limits, now: datetime) -> NewOrder:
    """Check a posted order against every rule of the contract; Invalid names each broken rule."""
    request = read_request(value, limits.recipients)
    errors = _missing(request) or _broken_rules(request, limits, now)
    if errors:
        raise Invalid(errors)
    order = _order(request, limits)
    if request.sending_window is None:
        return order
    sent = times(request, request.requested_send_time or now, limits.calendars, _zones(request))
    return order._replace(**sent.members(request))


def _zones(request: EmailOrderRequest) -> set[str | None]:
    """The zones of an order's recipients; None: the window's own."""
    return {recipient.time_zone for recipient in request.recipients or ()}


def _order(request: EmailOrderRequest, limits: Limits) -> NewOrder:
    """The order that a checked request asks for, but for its window."""
    is_bulk = request.recipients_follow or len(request.recipients or ()) > limits.bulk_above
    usual = Priority.BULK if is_bulk else Priority.NORMAL
    return NewOrder(
        subject=request.subject or "",
        body=request.body or "",
        content_type=request.content_type,
        recipients=[_recipient(recipient, request.template) for recipient in request.recipients or ()],
        senders_reference=request.senders_reference,
        requested_send_time=request.requested_send_time,
        condition_endpoint=request.condition_endpoint,
        ignore_reservation=request.ignore_reservation,
        resource_id=request.resource_id,
        resource_action=request.resource_action,
        delivery_guarantee=request.delivery_guarantee,
        priority=request.priority or usual,
        attachments=enclosed(request.attachments),
        duplicates=request.duplicate_recipients if request.recipients_follow else None,
        expires_at=request.expires_at,
        sender=limits.identities.chosen(request.sender_email_address),
        template=request.template,
    )


def _recipient(request: RecipientRequest, template: TemplateName | None) -> Recipient:
    entry: Recipient = {} if template is None else filled(request, template)
    if request.email_address:
        entry["emailAddress"] = bare(request.email_address)
    if request.mobile_number:
        entry["mobileNumber"] = request.mobile_number
    if request.organization_number:
        entry["organizationNumber"] = request.organization_number
    if request.national_identity_number:
        entry["nationalIdentityNumber"] = request.national_identity_number
    if request.time_zone:
        entry["timeZone"] = request.time_zone
    return entry


def _missing(order: EmailOrderRequest) -> dict[str, list[str]]:
    if order.subject and order.body and order.recipients and order.subject.strip() and order.body.strip():
        return {}
    given = {} if order.template else {"Subject": order.subject, "Body": order.body}
    blank = [field for field, text in given.items() if text is None or not text.strip()]
    if order.recipients is None:
        blank.append("Recipients")
    return {field: [f"The {field} field is required."] for field in blank}


def _broken_rules(order: EmailOrderRequest, limits: Limits, now: datetime) -> dict[str, list[str]]:
    broken = Broken()
    check_texts(order.subject or "", order.body or "", broken)
    check_sender(order.sender_email_address, limits, broken)
    check_template(order.template, order.subject, order.body, broken)
    if order.requested_send_time is not None:
        check_time(order.requested_send_time, now - GRACE, broken)
    if order.senders_reference or order.resource_id or order.resource_action:
        _check_names(order, broken)
    if order.condition_endpoint is not None:
        check_endpoint(order.condition_endpoint, limits.guard, broken)
    if order.attachments:
        is_html = order.content_type is ContentType.HTML or order.template is not None
        check_attachments(order.attachments, zoned(order.requested_send_time or now), limits, broken, html=is_html)
    recipients = order.recipients or ()
    _check_presence(order, broken)
    if len(recipients) > limits.recipients:
        broken.add("Recipients", f"An order has at most {limits.recipients} recipients; split it.")
        return broken.errors
    if order.priority is Priority.INSTANT and len(recipients) > INSTANT_RECIPIENTS:
        broken.add("Priority", f"An instant order has at most {INSTANT_RECIPIENTS} recipients; send it as Normal.")
    _check_timing(order, limits, now, broken)
    _check_recipients(recipients, order.template, broken)
    return broken.errors


def _check_recipients(recipients: Sequence[RecipientRequest], template: TemplateName | None, broken: Broken) -> None:
    for place, recipient in enumerate(recipients):
        email = recipient.email_address
        if not email or recipient.organization_number or recipient.national_identity_number or not read_address(email):
            _check_recipient(recipient, f"Recipients[{place}]", broken)
        if recipient.values or recipient.locale:
            check_filled(recipient, template, broken.within(f"Recipients[{place}]"))


def _check_presence(order: EmailOrderRequest, broken: Broken) -> None:
    """Recipients come with the order; or they follow it, and then nobody waits for it, and it has its files."""
    if not order.recipients_follow:
        if not order.recipients:
            broken.add("Recipients", "An order needs at least one recipient.")
        return
    if order.recipients:
        broken.add("Recipients", "Recipients come with the order, or follow it (recipientsFollow), not both.")
    if order.priority is Priority.INSTANT:
        broken.add("Priority", "An order whose recipients follow is not Instant; send it as Normal or Bulk.")
    if order.template and order.template.locale:
        broken.add("Template.Locale", "Where recipients follow, each says its locale itself; leave this one out.")
    if any(each and each.sas_url is not None for each in order.attachments or ()):
        broken.add("Attachments", "Where recipients follow, attachments come with the order, as content.")


def _check_timing(order: EmailOrderRequest, limits: Limits, now: datetime, broken: Broken) -> None:
    places = _zones(order)
    if order.sending_window is not None and len(places) > MOST_ZONES:
        broken.add("Recipients", f"With a window, recipients are in at most {MOST_ZONES} time zones; split the order.")
        return
    if order.expires_at is not None or order.sending_window is not None:
        check_timing(order, zoned(order.requested_send_time or now), now, limits.calendars, places, broken)
    for place, recipient in enumerate(order.recipients or () if places != {None} else ()):
        if recipient.time_zone is not None:
            check_zone(recipient.time_zone, broken.within(f"Recipients[{place}]"))


def _check_names(order: EmailOrderRequest, broken: Broken) -> None:
    check_name("SendersReference", order.senders_reference, broken)
    check_name("ResourceId", order.resource_id, broken)
    check_name("ResourceAction", order.resource_action, broken)
    check_action(order.resource_action, order.resource_id, broken)


def _check_recipient(recipient: RecipientRequest, place: str, broken: Broken) -> None:
    email, organization = recipient.email_address, recipient.organization_number
    person = recipient.national_identity_number
    if not (email or organization or person):
        text = "A recipient needs an emailAddress, an organizationNumber or a nationalIdentityNumber."
        broken.add(place, text)
    if email and not read_address(email):
        broken.add(f"{place}.EmailAddress", "This is not a valid e-mail address.")
    if person:
        check_person(person, broken.within(place))
        if email or recipient.mobile_number or organization:
            broken.add(place, "A national identity number must stand alone.")
    if organization:
        check_organization(organization, "OrganizationNumber", broken.within(place))
        if email or recipient.mobile_number or person:
            broken.add(place, "An organisation number must stand alone.")
