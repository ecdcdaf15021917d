"""Keywords (contract 5.7) in an order's texts: each recipient gets their own name and number there.

An e-mail's row has only the name, not the filled-in texts: otherwise each recipient would have a copy of the body.
"""

from __future__ import annotations

from html import escape
from typing import Protocol

from engine.models import Content, ContentType

NAME, NUMBER = "$recipientName$", "$recipientNumber$"
MOST = 1_000  # keywords in an order's texts: a name may be long


def count(*texts: str) -> int:
    """How many keywords texts have."""
    return sum([text.count(NAME) + text.count(NUMBER) for text in texts])


def filled(text: str, name: str | None, organization_number: str | None) -> str:
    """A text of an order's for a recipient (None: without a name); a person's number never leaks (contract 5.8).

    If that would make the text blank, the order's own text is returned (contract 5.9).
    """
    if name is None:
        return text
    said = text.replace(NAME, name).replace(NUMBER, organization_number or "")
    return said if said.strip() else text


class Texts(Protocol):
    """What an order says."""

    @property
    def sender(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def body(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def sender_name(self) -> str | None: ...
    @property
    def reply_to(self) -> str | None: ...


class Recipient(Protocol):
    """What an e-mail has of its own; the texts are those of older versions."""

    @property
    def recipient_name(self) -> str | None: ...
    @property
    def organization_number(self) -> str | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def body(self) -> str | None: ...


def content(order: Texts, email: Recipient) -> Content:
    """What an e-mail says, from its row and its order's; those of older versions have texts of their own."""
    kind, name, number = ContentType(order.content_type), email.recipient_name, email.organization_number
    in_body = escape(name) if name and kind is ContentType.HTML else name
    return Content(
        order.sender,
        filled(order.subject, name, number) if email.subject is None else email.subject,
        filled(order.body, in_body, number) if email.body is None else email.body,
        kind,
        order.sender_name,
        order.reply_to,
    )
