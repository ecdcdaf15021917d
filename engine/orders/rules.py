"""The rules for a posted order's members (contract 4.2 to 4.7), each with its message.

There are two layers, as in the contract: missing members are reported alone; then all broken rules together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid, Refused
from engine.models import Priority
from engine.orders.contacts import ORGANIZATION_DIGITS, PERSON_DIGITS
from engine.orders.new_order import INSTANT_RECIPIENTS, LONGEST_SUBJECT, TOO_FAR, NewOrder, Recipient
from engine.orders.request import read_request
from engine.text import keywords
from engine.text.addresses import bare, read_address
from engine.text.controls import NOT_IN_A_BODY, NOT_IN_A_LINE
from engine.text.urls import LOOPBACK_HOST

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.orders.request import EmailOrderRequest, RecipientRequest
    from engine.outbound import Guard

GRACE = timedelta(minutes=5)  # a send time may lie this far back (contract 4.2)
LONGEST_REFERENCE = 500  # characters: in any script, they fit into a PostgreSQL index entry
LONGEST_URL = 2_000

_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.-]+\.[A-Za-z]{2,}(?::\d{1,5})?(?:[/?#][^\s]*)?", re.IGNORECASE)
_LOOPBACK_URL = re.compile(rf"https?://{LOOPBACK_HOST}(?::\d{{1,5}})?(?:[/?#][^\s]*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """What an installation allows."""

    recipients: int
    guard: Guard
    sender: str  # the From address of every e-mail
    bulk_above: int  # recipients; a larger order is bulk, unless it says its priority


def parse_order(value: Mapping[str, Any], limits: Limits, now: datetime) -> NewOrder:
    """Check a posted order against every rule of the contract; Invalid names each broken rule."""
    request = read_request(value, limits.recipients)
    errors = _missing(request) or _broken_rules(request, limits, now)
    if errors:
        raise Invalid(errors)
    return _order(request, limits)


def _order(request: EmailOrderRequest, limits: Limits) -> NewOrder:
    """The order that a checked request asks for."""
    usual = Priority.BULK if len(request.recipients or ()) > limits.bulk_above else Priority.NORMAL
    return NewOrder(
        subject=request.subject or "",
        body=request.body or "",
        content_type=request.content_type,
        recipients=[_recipient(recipient) for recipient in request.recipients or ()],
        senders_reference=request.senders_reference,
        requested_send_time=request.requested_send_time,
        condition_endpoint=request.condition_endpoint,
        ignore_reservation=request.ignore_reservation,
        resource_id=request.resource_id,
        resource_action=request.resource_action,
        delivery_guarantee=request.delivery_guarantee,
        priority=request.priority or usual,
    )


def _recipient(request: RecipientRequest) -> Recipient:
    entry: Recipient = {}
    if request.email_address:
        entry["emailAddress"] = bare(request.email_address)
    if request.mobile_number:
        entry["mobileNumber"] = request.mobile_number
    if request.organization_number:
        entry["organizationNumber"] = request.organization_number
    if request.national_identity_number:
        entry["nationalIdentityNumber"] = request.national_identity_number
    return entry


def _missing(order: EmailOrderRequest) -> dict[str, list[str]]:
    if order.subject and order.body and order.recipients and order.subject.strip() and order.body.strip():
        return {}
    given = {"Subject": order.subject, "Body": order.body}
    blank = [field for field, text in given.items() if text is None or not text.strip()]
    if order.recipients is None:
        blank.append("Recipients")
    return {field: [f"The {field} field is required."] for field in blank}


class _Broken:
    """Collects the broken rules per field."""

    __slots__ = ("errors",)

    def __init__(self) -> None:
        self.errors: dict[str, list[str]] = {}

    def add(self, field: str, message: str) -> None:
        self.errors.setdefault(field, []).append(message)


def _broken_rules(order: EmailOrderRequest, limits: Limits, now: datetime) -> dict[str, list[str]]:
    broken = _Broken()
    _check_texts(order.subject or "", order.body or "", broken)
    if order.requested_send_time is not None:
        _check_time(order.requested_send_time, now, broken)
    if order.senders_reference or order.resource_id or order.resource_action:
        _check_names(order, broken)
    if order.condition_endpoint is not None:
        _check_endpoint(order.condition_endpoint, limits.guard, broken)
    recipients = order.recipients or ()
    if not recipients:
        broken.add("Recipients", "An order needs at least one recipient.")
    if len(recipients) > limits.recipients:
        broken.add("Recipients", f"An order has at most {limits.recipients} recipients; split it.")
        return broken.errors
    if order.priority is Priority.INSTANT and len(recipients) > INSTANT_RECIPIENTS:
        broken.add("Priority", f"An instant order has at most {INSTANT_RECIPIENTS} recipients; send it as Normal.")
    for place, recipient in enumerate(recipients):
        email = recipient.email_address
        if not email or recipient.organization_number or recipient.national_identity_number or not read_address(email):
            _check_recipient(recipient, f"Recipients[{place}]", broken)
    return broken.errors


def _check_texts(subject: str, body: str, broken: _Broken) -> None:
    if len(subject) > LONGEST_SUBJECT:
        broken.add("Subject", f"A subject has at most {LONGEST_SUBJECT} characters.")
    if NOT_IN_A_LINE.search(subject):
        broken.add("Subject", "A subject must not contain control characters.")
    if keywords.count(subject, body) > keywords.MOST:
        broken.add("Body", f"An order has at most {keywords.MOST:,} keywords.")
    if NOT_IN_A_BODY.search(body):
        broken.add("Body", "A body must not contain control characters, except tabs and line ends.")


def _check_time(when: datetime, now: datetime, broken: _Broken) -> None:
    if when.tzinfo is None:
        broken.add("RequestedSendTime", "The requested send time must have a time zone, such as Z or +01:00.")
        when = when.replace(tzinfo=UTC)
    if when < now - GRACE:
        broken.add("RequestedSendTime", "The requested send time must not be in the past.")
    if when >= TOO_FAR:
        broken.add("RequestedSendTime", f"The requested send time must be before the year {TOO_FAR.year}.")


def _check_names(order: EmailOrderRequest, broken: _Broken) -> None:
    for field, text in (
        ("SendersReference", order.senders_reference),
        ("ResourceId", order.resource_id),
        ("ResourceAction", order.resource_action),
    ):
        if len(text or "") > LONGEST_REFERENCE:
            broken.add(field, f"At most {LONGEST_REFERENCE} characters are allowed.")
        if NOT_IN_A_LINE.search(text or ""):
            broken.add(field, "Control characters are not allowed.")
    if order.resource_action and not ((order.resource_id or "").strip() and order.resource_action.strip()):
        broken.add("ResourceAction", "A resource action needs a resourceId, and must not be blank.")


def _check_endpoint(url: str, guard: Guard, broken: _Broken) -> None:
    field = "ConditionEndpoint"
    fits = len(url) <= LONGEST_URL and url.isprintable()
    if not fits or not (_PUBLIC_URL.fullmatch(url) or (guard.allow_private and _LOOPBACK_URL.fullmatch(url))):
        broken.add(field, "The condition endpoint must be an absolute http or https address of a public host.")
        return
    try:
        guard.check_url(url)
    except Refused as error:
        broken.add(field, f"The condition endpoint is refused: {error}.")


def _check_recipient(recipient: RecipientRequest, place: str, broken: _Broken) -> None:
    email, organization = recipient.email_address, recipient.organization_number
    person = recipient.national_identity_number
    if not (email or organization or person):
        text = "A recipient needs an emailAddress, an organizationNumber or a nationalIdentityNumber."
        broken.add(place, text)
    if email and not read_address(email):
        broken.add(f"{place}.EmailAddress", "This is not a valid e-mail address.")
    if person:
        field = f"{place}.NationalIdentityNumber"
        if not _digits(person, PERSON_DIGITS):
            broken.add(field, "A national identity number has exactly 11 digits.")
        if email or recipient.mobile_number or organization:
            broken.add(place, "A national identity number must stand alone.")
    if organization:
        field = f"{place}.OrganizationNumber"
        if not _digits(organization, ORGANIZATION_DIGITS):
            broken.add(field, "An organisation number has exactly 9 digits.")
        if email or recipient.mobile_number or person:
            broken.add(place, "An organisation number must stand alone.")


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()
