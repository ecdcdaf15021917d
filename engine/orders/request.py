"""A posted e-mail order and the types of its members (contract 3.1); their rules are in rules.py."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError, from_json

from engine.errors import Invalid
from engine.models import ContentType, DeliveryGuarantee, Priority
from engine.orders.new_order import INSTANT_RECIPIENTS, LONGEST_SUBJECT
from engine.text import json_types

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

PARAMETER = "emailNotificationOrderRequest"  # the second key beside a JSON path (contract 4.1)

_LINE_END = re.compile("\r\n|\r|\n")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?)?")


def _enum(kind: type[StrEnum], *, null: bool = False) -> BeforeValidator:
    """A name in any case, or its number (contract 1); null means the first, unless it may be `null`."""
    members = list(kind)
    by_name = {member.lower(): member for member in members}

    def read(value: Any) -> Any:
        if value is None:
            return None if null else members[0]
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
        None, description="required; text or HTML, by contentType; no control characters except tabs and line ends"
    )
    content_type: Annotated[ContentType, _enum(ContentType)] = ContentType.PLAIN


class Addressed(_Request):
    """The other members of orders: recipients, send time, condition."""

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
    priority: Annotated[Priority | None, _enum(Priority, null=True)] = Field(
        None,
        description=f"Instant (to up to {INSTANT_RECIPIENTS} recipients, who wait for it), Normal or Bulk; default: "
        "Bulk for very many recipients, else Normal",
    )


class EmailOrderRequest(Addressed, EmailContent):
    """An e-mail order. Unknown members are ignored; names may be written in any case."""


_ORDER_NAMES = {
    (field.alias or name).lower(): field.alias or name for name, field in EmailOrderRequest.model_fields.items()
}
_RECIPIENT_NAMES = {
    (field.alias or name).lower(): field.alias or name for name, field in RecipientRequest.model_fields.items()
}
_ORDER_NAMES |= {name: name for name in _ORDER_NAMES.values()}
_RECIPIENT_NAMES |= {name: name for name in _RECIPIENT_NAMES.values()}


def parse_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object; Invalid in the contract's shape when it is not one."""
    try:
        value = from_json(body.removeprefix(BOM_UTF8), allow_inf_nan=False)
    except ValueError as error:
        raise malformed(("$", f"The body is not valid JSON: {error}.")) from None
    if not isinstance(value, dict):
        raise malformed(("$", "The body must be a JSON object."))
    return value


def read_request(value: Mapping[str, Any], most_recipients: int) -> EmailOrderRequest:
    """Return what was posted; Invalid when a member has a wrong type. Keeps one recipient beyond `most_recipients`."""
    named = _named(value, _ORDER_NAMES)
    if isinstance(recipients := named.get("recipients"), list):
        named["recipients"] = tuple(
            _named(recipient, _RECIPIENT_NAMES) if isinstance(recipient, dict) else recipient
            for recipient in recipients[: most_recipients + 1]
        )
    if isinstance(subject := named.get("subject"), str):
        named["subject"] = _LINE_END.sub(" ", subject)
    try:
        return EmailOrderRequest.model_validate(named)
    except ValidationError as error:
        raise malformed(*json_types.problems(error)) from None


def _named(value: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Match member names in any case; unknown members are dropped, and of duplicates the last counts."""
    return {name: member for key, member in value.items() if (name := names.get(key) or names.get(key.lower()))}


def malformed(*problems: tuple[str, str]) -> Invalid:
    """The refusal of values of a wrong type, each by its JSON path and a message (contract 4.1)."""
    errors: dict[str, list[str]] = {}
    for path, message in problems:
        errors.setdefault(path, []).append(message)
    return Invalid(errors | {PARAMETER: [f"The {PARAMETER} field is required."]})
