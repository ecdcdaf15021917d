"""Forecasts: what would follow of an upload that is not stored: when it would be sent, and what it would say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from engine.db.dialects import now
from engine.db.tables import emails, history
from engine.observability.history import ACCEPTED
from engine.orders.contacts import ContactTable
from engine.orders.new_order import number
from engine.orders.reading import find
from engine.queue import windows
from engine.text import keywords

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.records import PostedOrder
    from engine.models import Content
    from engine.orders.new_order import Recipient
    from engine.queue.calendars import Calendars

TELLING = 60  # e-mails that the relay took in the best minute, from which on that tells how fast this installation is
MINUTE = timedelta(minutes=1)

_BEST = select(func.max(history.c.count)).where(history.c.series == ACCEPTED)
_AHEAD = select(func.count()).where(emails.c.rank.is_not(None))


@dataclass(frozen=True, slots=True)
class Sample:
    """What the first recipient would get, and where."""

    to: str
    content: Content


class Opening(NamedTuple):
    """From when on e-mails go to so many recipients, whose zone that is."""

    zone: str
    at: datetime
    recipients: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """When e-mails would be sent, when the last would have left (None: unknown), and a sample."""

    openings: Sequence[Opening]
    last: datetime | None
    sample: Sample | None


@dataclass(frozen=True, slots=True)
class _Own:
    """What an e-mail has of its own."""

    recipient_name: str | None
    organization_number: str | None
    subject: str | None = None
    body: str | None = None


def forecast(  # noqa: PLR0913, PLR0917 what it is worked out from
    connection: Connection,
    creator: str,
    order_id: UUID,
    zones: Mapping[str | None, int],
    recipient: Recipient | None,
    calendars: Calendars,
) -> Forecast:
    """Of an open order to so many in each zone (None: they have none), the first of whom is `recipient`.

    The best minute of the last days says how fast e-mails leave, and what is ready now leaves before.
    """
    order = find(connection, creator, order_id)
    openings = _openings(order, max(order.requested_send_time, now(connection)), zones, calendars)
    best = connection.scalar(_BEST) or 0
    last = None
    if best >= TELLING:
        count = sum(zones.values()) + connection.execute(_AHEAD).scalar_one()
        last = max(opening.at for opening in openings) + count / best * MINUTE
    sample = None
    if recipient:
        known_by = number(recipient)
        contact = ContactTable().look_up(connection, {known_by}).get(known_by) if known_by else None
        own = _Own(contact.name if contact else None, recipient.get("organizationNumber"))
        to = recipient.get("emailAddress") or (contact.emails[0] if contact and contact.emails else "")
        sample = Sample(to, keywords.content(order, own))
    return Forecast(openings, last, sample)


def _openings(
    order: PostedOrder, first: datetime, zones: Mapping[str | None, int], calendars: Calendars
) -> Sequence[Opening]:
    """When e-mails begin to go, by zone if the order has a window."""
    if not order.sending_window:
        return [Opening("UTC", first, sum(zones.values()))]
    window = windows.read(order.sending_window)
    found = (
        Opening(zone or window.zone, calendars.hours(window, zone).opening(first) or first, count)
        for zone, count in (zones or {None: 0}).items()
    )
    return sorted(found, key=lambda opening: (opening.at, opening.zone))
