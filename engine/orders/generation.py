"""From an order's recipients to the rows of its e-mails: addresses are found, keywords are filled in."""

from __future__ import annotations

import json
from contextlib import suppress
from html import escape
from typing import TYPE_CHECKING, Any

from engine.models import EXPIRY, ContentType, EmailState, derived_id
from engine.tables import MILLISECOND, milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Row

    from engine.contacts import Contact

NAME, NUMBER = "$recipientName$", "$recipientNumber$"  # keywords (contract 5.7)
_RESERVED = EmailState.FAILED_RECIPIENT_RESERVED
_NOT_IDENTIFIED = EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED


def generated(
    order: Row[Any], place: int, recipient: Mapping[str, str], known: Mapping[str, Contact]
) -> Iterator[dict[str, Any]]:
    """The rows that come of one recipient: one per address, or one that says why there is none."""
    address, its_number = recipient.get("emailAddress"), number(recipient)
    contact = None if address else known.get(its_number or "")
    reserved = contact is not None and contact.is_reserved and order.ignore_reservation is not True
    if address:
        found: tuple[tuple[str, EmailState], ...] = ((address, EmailState.NEW),)
    elif reserved:
        found = (("", _RESERVED),)
    elif contact and contact.emails:
        found = tuple((email, EmailState.NEW) for email in contact.emails)
    else:
        found = (("", _NOT_IDENTIFIED),)
    subject, body = _filled(order, recipient, contact)
    for email, state in found:
        yield _row(order, place, recipient, email, state) | {"subject": subject, "body": body}


def failed(order: Row[Any]) -> Iterator[dict[str, Any]]:
    """The rows of an order that cannot be processed, one for each recipient: nothing is sent to them."""
    with suppress(ValueError):  # it may be its recipients that cannot be read
        for place, recipient in enumerate(json.loads(order.recipients)):
            yield _row(order, place, recipient, recipient.get("emailAddress", ""), EmailState.FAILED)


def number(recipient: Mapping[str, str]) -> str | None:
    """What the directory is asked for; None: the recipient has an address."""
    if recipient.get("emailAddress"):
        return None
    return recipient.get("nationalIdentityNumber") or recipient.get("organizationNumber")


def _row(order: Row[Any], place: int, recipient: Mapping[str, str], address: str, state: EmailState) -> dict[str, Any]:
    """An e-mail that says what its order says.

    Its identifier follows from the order, the recipient's place and the address: e-mails that are generated again, of
    a database that was restored, have the Message-IDs that they had.
    """
    send_time = milliseconds(order.requested_send_time)
    return {
        "id": derived_id(order.created, order.id, place, address).hex,
        "order_seq": order.seq,
        "expires_at": send_time + EXPIRY // MILLISECOND,
        "state": state,
        "due_at": send_time if state is EmailState.NEW else None,
        "address": address,
        "organization_number": recipient.get("organizationNumber"),
        "national_identity_number": recipient.get("nationalIdentityNumber"),
        "subject": None,
        "body": None,
    }


def _filled(order: Row[Any], recipient: Mapping[str, str], contact: Contact | None) -> tuple[str | None, str | None]:
    """Subject and body where a keyword stands in them and the directory knows its value (contract 5.8), else None.

    A text of which nothing is left is None as well: the order's own stands (contract 5.9).
    """
    if contact is None or not any(word in text for word in (NAME, NUMBER) for text in (order.subject, order.body)):
        return None, None
    its_number = recipient.get("organizationNumber", "")  # a person's number never leaks
    name = escape(contact.name) if order.content_type == ContentType.HTML else contact.name
    subject = order.subject.replace(NAME, contact.name).replace(NUMBER, its_number)
    body = order.body.replace(NAME, name).replace(NUMBER, its_number)
    return subject if subject.strip() else None, body if body.strip() else None
