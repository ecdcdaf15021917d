"""How a posted order names a template, and the rules for that; values of recipients are checked in filling.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field

from engine.orders.members import Members
from engine.templating.content import LOCALE, NAME

if TYPE_CHECKING:
    from engine.orders.checks import Broken
    from engine.orders.new_order import Recipient

_TEXTS = ("subject", "body")


class TemplateName(Members):
    """Which template an order's e-mails are made of."""

    name: str = Field(description="yours, or one of the installation's: see GET /templates", examples=["notice"])
    version: int | None = Field(None, description="default: the newest; the order keeps it")
    locale: str | None = Field(None, description="such as nb-NO, for recipients who have none; default: the template's")


class Filled(Members):
    """What a recipient has of their own in an order with a template."""

    values: dict[str, Any] | None = Field(None, description="for the order's template", examples=[{"name": "Kari"}])
    locale: str | None = Field(None, description="of the template's texts, such as nb-NO; default: the order's")


def _without_texts(value: Any) -> Any:
    """Settings that name a template have no texts, though these must be there otherwise."""
    if isinstance(value, dict) and isinstance(value.get("template"), dict):
        return dict.fromkeys(_TEXTS, "") | value
    return value


TEXTS_OR_TEMPLATE = BeforeValidator(_without_texts)
Template = Annotated[TemplateName | None, Field(description="in place of subject, body and contentType")]


def check_template(name: TemplateName | None, subject: str | None, body: str | None, broken: Broken) -> None:
    """An order's template, beside which there are no texts."""
    if name is None:
        return
    within = broken.within("Template")
    if not NAME.fullmatch(name.name):
        within.add("Name", "The name of a template has a-z, 0-9, _ and -, at most 64.")
    if name.version is not None and not 1 <= name.version < 2**31:
        within.add("Version", "Versions are numbers from 1.")
    if name.locale is not None and not LOCALE.fullmatch(name.locale):
        within.add("Locale", "A locale is a language with its subtags, such as nb or en-GB.")
    if subject or body:
        broken.add("Template", "An order with a template has no subject and no body.")


def check_filled(recipient: Filled, template: TemplateName | None, broken: Broken) -> None:
    """What a recipient has for a template."""
    if template is None and (recipient.values or recipient.locale):
        broken.add("Values", "Values and a locale need a template in the order.")
    if recipient.locale is not None and not LOCALE.fullmatch(recipient.locale):
        broken.add("Locale", "A locale is a language with its subtags, such as nb or en-GB.")


def filled(recipient: Filled, template: TemplateName) -> Recipient:
    """What is stored of it."""
    entry: Recipient = {"values": recipient.values or {}}
    if locale := recipient.locale or template.locale:
        entry["locale"] = locale
    return entry
