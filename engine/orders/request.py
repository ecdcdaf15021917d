"""A posted e-mail order: its members and its rules (contract 3.1 and 4.2 to 4.7).

Two layers, as in the contract: what is missing altogether is reported alone; then all broken rules together.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, from_json

from engine.errors import Invalid, Refused
from engine.models import ContentType, DeliveryGuarantee
from engine.orders.contacts import ORGANIZATION_DIGITS, PERSON_DIGITS
from engine.queue.pauses import HELD
from engine.text import keywords
from engine.text.addresses import read_address

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

    from engine.outbound import Guard

GRACE = timedelta(minutes=5)  # a send time may lie this far back (contract 4.2)
LONGEST_SUBJECT = 998  # characters: RFC 5322 2.1.1 allows no longer line, and nobody reads so far
LONGEST_REFERENCE = 500  # characters: what a PostgreSQL index entry holds, whatever the script
LONGEST_URL = 2_000
PARAMETER = "emailNotificationOrderRequest"  # the second key beside a JSON path (contract 4.1)

_HEADER_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # all of C0, DEL, C1 with NEL, LS, PS
_BODY_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # C0 without tab and line ends, DEL
_LINE_END = re.compile("\r\n|\r|\n")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?)?")
_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.-]+\.[A-Za-z]{2,}(?::\d{1,5})?(?:[/?#][^\s]*)?", re.IGNORECASE)
_LOOPBACK_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?(?:[/?#][^\s]*)?", re.IGNORECASE)


def _enum(kind: type[StrEnum]) -> BeforeValidator:
    """Names in any case, or their numbers (contract 1); null is the default."""
    members = list(kind)
    by_name = {member.lower(): member for member in members}

    def read(value: Any) -> Any:
        if value is None:
            return members[0]
        if isinstance(value, str) and value.lower() in by_name:
            return by_name[value.lower()]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(members):
            return members[value]
        raise PydanticCustomError("enum", "must be one of " + ", ".join(members))

    return BeforeValidator(read)


def _instant(value: Any) -> Any:
    if isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        try:
            moment = datetime.fromisoformat(value.strip().upper())
            return moment.astimezone(UTC) if match["zone"] else moment
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("time", "must be a time such as 2026-12-24T08:00:00Z or 2026-12-24T09:00:00+01:00")


class _Request(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True, use_enum_values=False
    )


class RecipientRequest(_Request):
    """One recipient: an address, or a number that the contact directory knows."""

    email_address: str | None = Field(None, description="where to send", examples=["kari@example.no"])
    mobile_number: str | None = Field(None, description="not used in e-mail orders")
    organization_number: str | None = Field(None, description="9 digits; must stand alone")
    national_identity_number: str | None = Field(None, description="11 digits; must stand alone")


class EmailContent(_Request):
    """What the e-mails of an order say."""

    subject: str | None = Field(None, description=f"required, up to {LONGEST_SUBJECT} characters in one line")
    body: str | None = Field(
        None, description="required; text or HTML, by contentType; of control characters, tabs and line ends alone"
    )
    content_type: Annotated[ContentType, _enum(ContentType)] = ContentType.PLAIN


class Addressed(_Request):
    """What orders say beside that: to whom, when and whether."""

    recipients: tuple[RecipientRequest, ...] | None = Field((), description="at least one")
    senders_reference: str | None = Field(None, description="your own name for the order")
    requested_send_time: Annotated[datetime | None, BeforeValidator(_instant)] = Field(
        None,
        description="not before this time; with a zone; default: at once",
    )
    condition_endpoint: str | None = Field(None, description="asked before sending: should it still be sent?")
    ignore_reservation: bool | None = Field(None, description="send also to persons who are reserved")
    resource_id: str | None = Field(None, description="the resource that the order is about")
    resource_action: str | None = Field(None, description="only together with resourceId")
    delivery_guarantee: Annotated[DeliveryGuarantee, _enum(DeliveryGuarantee)] = Field(
        DeliveryGuarantee.AT_LEAST_ONCE, description="what to do when an attempt is in doubt: send again, or report"
    )


class EmailOrderRequest(Addressed, EmailContent):
    """An e-mail order. Unknown members are ignored; names may be written in any case."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an installation allows."""

    recipients: int
    guard: Guard
    sender: str  # the From address of every e-mail


_ORDER_NAMES = {
    (field.alias or name).lower(): field.alias or name for name, field in EmailOrderRequest.model_fields.items()
}
_RECIPIENT_NAMES = {
    (field.alias or name).lower(): field.alias or name for name, field in RecipientRequest.model_fields.items()
}
_ORDER_NAMES |= {name: name for name in _ORDER_NAMES.values()}
_RECIPIENT_NAMES |= {name: name for name in _RECIPIENT_NAMES.values()}


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object; Invalid in the contract's shape when it is none."""
    try:
        value = from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError as error:
        raise _malformed(("$", f"The body is not valid JSON: {error}.")) from None
    if not isinstance(value, dict):
        raise _malformed(("$", "The body must be a JSON object."))
    return value


def parse_order(value: Mapping[str, Any], limits: Limits, now: datetime) -> EmailOrderRequest:
    """Check a posted order against every rule of the contract; Invalid tells each that is broken."""
    named = _named(value, _ORDER_NAMES)
    if isinstance(recipients := named.get("recipients"), list):
        named["recipients"] = tuple(
            _named(recipient, _RECIPIENT_NAMES) if isinstance(recipient, dict) else recipient
            for recipient in recipients[: limits.recipients + 1]
        )
    if isinstance(subject := named.get("subject"), str):
        named["subject"] = _LINE_END.sub(" ", subject)
    try:
        order = EmailOrderRequest.model_validate(named)
    except ValidationError as error:
        raise _malformed(
            *[(_json_path(item["loc"]), f"The JSON value {item['msg']}.") for item in _details(error)]
        ) from None
    errors = _missing(order) or _broken_rules(order, limits, now)
    if errors:
        raise Invalid(errors)
    return order


def _named(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Member names are matched in any case; unknown members are dropped; of doubles the last counts."""
    return {name: member for key, member in value.items() if (name := names.get(key) or names.get(key.lower()))}


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
    for place, recipient in enumerate(recipients):
        email = recipient.email_address
        if not email or recipient.organization_number or recipient.national_identity_number or not read_address(email):
            _check_recipient(recipient, f"Recipients[{place}]", broken)
    return broken.errors


def _check_texts(subject: str, body: str, broken: _Broken) -> None:
    if len(subject) > LONGEST_SUBJECT:
        broken.add("Subject", f"A subject has at most {LONGEST_SUBJECT} characters.")
    if _HEADER_CONTROL.search(subject):
        broken.add("Subject", "A subject must not contain control characters.")
    if keywords.count(subject, body) > keywords.MOST:
        broken.add("Body", f"Keywords may stand {keywords.MOST:,} times in an order at most.")
    if _BODY_CONTROL.search(body):
        broken.add("Body", "Of control characters, only tabs and line ends may stand in a body.")


def _check_time(when: datetime, now: datetime, broken: _Broken) -> None:
    if when.tzinfo is None:
        broken.add("RequestedSendTime", "The requested send time must have a time zone, such as Z or +01:00.")
        when = when.replace(tzinfo=UTC)
    if when < now - GRACE:
        broken.add("RequestedSendTime", "The requested send time must not lie in the past.")
    if when >= HELD:
        broken.add("RequestedSendTime", f"The requested send time must lie before the year {HELD.year}.")


def _check_names(order: EmailOrderRequest, broken: _Broken) -> None:
    for field, text in (
        ("SendersReference", order.senders_reference),
        ("ResourceId", order.resource_id),
        ("ResourceAction", order.resource_action),
    ):
        if len(text or "") > LONGEST_REFERENCE:
            broken.add(field, f"At most {LONGEST_REFERENCE} characters are allowed.")
        if _HEADER_CONTROL.search(text or ""):
            broken.add(field, "Control characters are not allowed.")
    if order.resource_action and not ((order.resource_id or "").strip() and order.resource_action.strip()):
        broken.add("ResourceAction", "A resource action needs a resourceId beside it, and must not be blank.")


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


def _details(error: ValidationError) -> list[Any]:
    return error.errors(include_url=False, include_context=False, include_input=False)


def _json_path(place: tuple[int | str, ...]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)


def _malformed(*problems: tuple[str, str]) -> Invalid:
    errors: dict[str, list[str]] = {}
    for path, message in problems:
        errors.setdefault(path, []).append(message)
    return Invalid(errors | {PARAMETER: [f"The {PARAMETER} field is required."]})
