"""Forecasts: what would follow of an upload that is not stored: when it would be sent, and what it would say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.dialects import now
from engine.db.tables import emails, history
from engine.observability.history import ACCEPTED
from engine.orders.contacts import ContactTable
from engine.orders.new_order import number
from engine.orders.reading import find
from engine.text import keywords

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.models import Content
    from engine.orders.new_order import Recipient

TELLING = 60  # e-mails that the relay took in the best minute, from which on that tells how fast this installation is
MINUTE = timedelta(minutes=1)

_BEST = select(func.max(history.c.count)).where(history.c.series == ACCEPTED)
_AHEAD = select(func.count()).where(emails.c.rank.is_not(None))


@dataclass(frozen=True, slots=True)
class Sample:
    """What the first recipient would get, and where."""

    to: str
    content: Content


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the first e-mails would be sent, when the last would have left (None: unknown), and a sample."""

    first: datetime
    last: datetime | None
    sample: Sample | None


@dataclass(frozen=True, slots=True)
class _Own:
    """What an e-mail has of its own."""

    recipient_name: str | None
    organization_number: str | None
    subject: str | None = None
    body: str | None = None


def forecast(connection: Connection, creator: str, order_id: UUID, count: int, recipient: Recipient | None) -> Forecast:
    """Of an open order to so many, the first of whom is `recipient`.

    The best minute of the last days says how fast e-mails leave, and what is ready now leaves before.
    """
    order = find(connection, creator, order_id)
    first = max(order.requested_send_time, now(connection))
    best = connection.scalar(_BEST) or 0
    last = first + (count + connection.execute(_AHEAD).scalar_one()) / best * MINUTE if best >= TELLING else None
    sample = None
    if recipient:
        known_by = number(recipient)
        contact = ContactTable().look_up(connection, {known_by}).get(known_by) if known_by else None
        own = _Own(contact.name if contact else None, recipient.get("organizationNumber"))
        to = recipient.get("emailAddress") or (contact.emails[0] if contact and contact.emails else "")
        sample = Sample(to, keywords.content(order, own))
    return Forecast(first, last, sample)
