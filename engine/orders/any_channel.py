"""An order for any channel (contract 3.2), read as an e-mail order: Varsel has no other channel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import Field

from engine.errors import Invalid
from engine.orders.members import malformed
from engine.orders.request import PARAMETER, Addressed, EmailContent
from engine.orders.rules import parse_order
from engine.text import json_types

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from engine.orders.new_order import NewOrder
    from engine.orders.rules import Limits

EMAIL_ALONE = "This installation sends e-mail only: the notificationChannel must be Email."

_CONTENT = ("subject", "body", "contenttype", "attachments", "template")
_OF_TEMPLATE = re.compile(r"(\$\.)?((?:subject|body|contentType|attachments|template)\b.*)", re.IGNORECASE)


class EmailTemplate(EmailContent):
    """The texts of an order's e-mails, and their sender."""

    from_address: str | None = Field(None, description="one of your sender identities; default: the default one")


class OrderRequest(Addressed):
    """An order for any channel. Unknown members are ignored; names may be in any case."""

    notification_channel: str | int = Field(description="Email, or its number 0", examples=["Email"])
    email_template: EmailTemplate


def parse_any_channel(value: Mapping[str, Any], limits: Limits, now: datetime) -> NewOrder:
    """Check a posted order for any channel; Invalid, also for another channel or sender."""
    members = {name.lower(): member for name, member in value.items()}
    _check_channel(members.get("notificationchannel"))
    template = members.get("emailtemplate")
    if template is None:
        raise Invalid({"EmailTemplate": ["The EmailTemplate field is required."]})
    if not isinstance(template, dict):
        raise malformed(PARAMETER, ("$.emailTemplate", json_types.told(json_types.OBJECT)))
    texts = {name.lower(): text for name, text in template.items()}
    content = {name: texts.get(name) for name in _CONTENT} | {"senderemailaddress": texts.get("fromaddress")}
    try:
        return parse_order(members | content, limits, now)
    except Invalid as error:
        raise Invalid({_place(place): told for place, told in error.errors.items()}) from None


def _place(of_email: str) -> str:
    """Where a field of an e-mail order stands in this one."""
    if of_email.endswith("enderEmailAddress"):
        return "$.emailTemplate.fromAddress" if of_email.startswith("$") else "EmailTemplate.FromAddress"
    found = _OF_TEMPLATE.fullmatch(of_email)
    if not found:
        return of_email
    return f"$.emailTemplate.{found[2]}" if found[1] else f"EmailTemplate.{found[2]}"


def _check_channel(channel: Any) -> None:
    if channel is None:
        raise Invalid({"NotificationChannel": ["The NotificationChannel field is required."]})
    if isinstance(channel, bool) or not isinstance(channel, str | int):
        raise malformed(PARAMETER, ("$.notificationChannel", json_types.told("must be a string or a whole number")))
    if channel != 0 and str(channel).lower() != "email":
        raise Invalid({"NotificationChannel": [EMAIL_ALONE]})
