"""The rows of an order's e-mails, made from its recipients: their addresses and names are found."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import BigInteger, SmallInteger, Text, Uuid

from engine.db.dialects import Now
from engine.db.rows import Rows, run
from engine.db.tables import MILLISECOND, Instant, emails, milliseconds
from engine.models import EXPIRY, EmailState, derived_id
from engine.orders.new_order import json_text, number
from engine.queue.fairness import STEP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.orders.contacts import Contact
    from engine.orders.new_order import Recipient

_RESERVED = EmailState.FAILED_RECIPIENT_RESERVED
_NOT_IDENTIFIED = EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED


_INSERT = Rows(
    id=Uuid(),
    order_seq=BigInteger(),
    expires_at=Instant(),
    state=Text(),
    due_at=Instant(),
    rank=BigInteger(),
    priority=SmallInteger(),
    creator=Text(),
    address=Text(),
    organization_number=Text(),
    national_identity_number=Text(),
    recipient_name=Text(),
    time_zone=Text(),
    given=Text(),
).insert_into(emails, last_update=Now())


class EmailRow(TypedDict):
    """An e-mail that is about to be inserted; values are those of JSON."""

    id: str
    order_seq: int
    expires_at: int
    state: str
    due_at: int | None
    rank: int | None  # where it stands among its creator's; the first of an order: its send time
    priority: int
    creator: str
    address: str
    organization_number: str | None
    national_identity_number: str | None
    recipient_name: str | None
    time_zone: str | None
    given: str | None  # JSON, as in `given`


def generated(  # noqa: PLR0913  # what an e-mail is made of
    order: Order,
    place: int,
    recipient: Recipient,
    known: Mapping[str, Contact],
    *,
    keyed: bool,
    now: datetime | None = None,
) -> Iterator[EmailRow]:
    """The rows of one recipient: one per address, or one that says why there is none. `now`: of an order with a window.

    If the order is `keyed` and the directory knows the recipient, they have the name for the keywords.
    """
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
    for email, state in found:
        row = _row(order, place, recipient, email, state, now)
        if contact and keyed:
            row["recipient_name"] = contact.name
        yield row


def failed(order: Order, recipients: str) -> Iterator[EmailRow]:
    """The rows of an order that cannot be processed, one for each recipient: nothing is sent to them."""
    with suppress(ValueError):  # perhaps the recipients cannot be read
        for place, recipient in enumerate(json.loads(recipients)):
            yield _row(order, place, recipient, recipient.get("emailAddress", ""), EmailState.FAILED)


def insert(connection: Connection, rows: Iterable[EmailRow]) -> None:
    """Store e-mails."""
    run(connection, _INSERT, rows)


def _row(  # noqa: PLR0913, PLR0917  # likewise
    order: Order, place: int, recipient: Recipient, address: str, state: EmailState, now: datetime | None = None
) -> EmailRow:
    """The row of one e-mail.

    Its identifier follows from the order, the recipient's place and the address: if the e-mail is generated again after
    a restore, it has the same Message-ID. If its order has a window, it begins now: the window has let it wait.
    """
    begins = milliseconds(max(order.requested_send_time, now or order.requested_send_time))
    expires = begins + EXPIRY // MILLISECOND if order.expires_at is None else milliseconds(order.expires_at)
    return {
        "id": derived_id(order.created, order.id, place, address).hex,
        "order_seq": order.seq,
        "expires_at": expires,
        "state": state.value,
        "due_at": begins if state is EmailState.NEW else None,
        "rank": begins + STEP * place if state is EmailState.NEW else None,
        "priority": order.priority,
        "creator": order.creator,
        "address": address,
        "organization_number": recipient.get("organizationNumber"),
        "national_identity_number": recipient.get("nationalIdentityNumber"),
        "recipient_name": None,
        "time_zone": recipient.get("timeZone"),
        "given": given(recipient),
    }


def given(recipient: Recipient) -> str | None:
    """What an e-mail has for its order's template; None: the order has none."""
    if "values" not in recipient:
        return None
    return json_text({"values": recipient["values"], "locale": recipient.get("locale")})
