"""Why an action does not apply to a row, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, case, exists, or_, select, true

from engine.admin.resources import DELIVERIES, EMAILS, ORDERS
from engine.db.dialects import Now
from engine.db.tables import DELIVERY_DEAD, EMAIL_FAILED, ORDER_SET_ASIDE, attachments, deliveries, emails, orders
from engine.errors import Conflict, NotFound
from engine.models import HANDED_OVER, DeliveryState, EmailState, OrderState
from engine.text.language import N_, _, translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection

    from engine.admin.resources import Resource

LACKS_FILES = exists().where(attachments.c.order_seq == emails.c.order_seq, attachments.c.content.is_(None))
# An order's attachments were given up: their addresses are not kept.
GAVE_UP_FILES = exists().where(
    attachments.c.order_seq == orders.c.seq, attachments.c.content.is_(None), attachments.c.address.is_(None)
)
EXPIRED = orders.c.expires_at <= Now()  # NULL: it does not expire
_ITS = orders.alias("its_order")
OF_EXPIRED = exists().where(_ITS.c.seq == emails.c.order_seq, _ITS.c.expires_at <= Now())
OF_SET_ASIDE = exists().where(orders.c.seq == emails.c.order_seq, ORDER_SET_ASIDE)
_FAILED = select(emails.c.seq).where(emails.c.order_seq == orders.c.seq, EMAIL_FAILED)
_UNKNOWN = _FAILED.where(emails.c.state == EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, emails.c.address == "")
_SENT = emails.c.state.in_(HANDED_OVER)

# What follows "this one …": the first that is true.
_IS: Mapping[str, Sequence[tuple[ColumnElement[bool], str]]] = {
    ORDERS.name: (
        (ORDER_SET_ASIDE, N_("was set aside: it can be retried")),
        (GAVE_UP_FILES, N_("has attachments that could not be fetched: post a new order")),
        (and_(orders.c.due_at.is_(None), EXPIRED), N_("has expired: its sender lets nothing leave any more")),
        (orders.c.state == OrderState.CANCELLED, N_("was cancelled")),
        (orders.c.state == OrderState.OPEN, N_("is open: its sender has not closed it yet")),
        (orders.c.state == OrderState.SEND_CONDITION_NOT_MET, N_("was not sent, since its condition was not met")),
        (orders.c.state == OrderState.PROCESSED, N_("is still on its way: not all of its e-mails are settled")),
        (orders.c.unresolved > 0, N_("is still on its way: a worker works on it")),
        (orders.c.state == OrderState.PROCESSING, N_("is still on its way: its processing has begun")),
        (orders.c.state == OrderState.REGISTERED, N_("waits for its send time")),
        (
            _UNKNOWN.exists(),
            N_("is settled, and some had no known address: import their contacts, and post a new order for them"),
        ),
        (
            and_(_FAILED.where(emails.c.address == "").exists(), ~_FAILED.where(emails.c.address != "").exists()),
            N_("is settled, and those who did not get it have declined electronic communication"),
        ),
        (~_FAILED.exists(), N_("is settled, and everybody has it")),
        (true(), N_("is settled")),
    ),
    EMAILS.name: (
        (OF_SET_ASIDE, N_("belongs to an order that was set aside: retry that")),
        (
            and_(emails.c.due_at.is_(None), OF_EXPIRED),
            N_("belongs to an order that has expired: its sender lets nothing leave any more"),
        ),
        (_SENT, N_("was sent: the relay has taken it over")),
        (
            emails.c.state == EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED,
            N_("has no address: when one is known, post a new order for its recipient"),
        ),
        (
            emails.c.state == EmailState.FAILED_RECIPIENT_RESERVED,
            N_("is to somebody who has declined electronic communication"),
        ),
        (and_(EMAIL_FAILED, LACKS_FILES), N_("has attachments that could not be fetched: post a new order")),
        (EMAIL_FAILED, N_("has failed: it can be retried")),
        (emails.c.state == EmailState.SENDING, N_("is on its way: a worker works on it")),
        (emails.c.paused_by.is_not(None), N_("is paused")),
        (true(), N_("waits to be sent, by itself")),
    ),
    DELIVERIES.name: (
        (deliveries.c.state == DeliveryState.DELIVERED, N_("was delivered")),
        (or_(DELIVERY_DEAD, deliveries.c.state == DeliveryState.UNAUTHORIZED), N_("was given up: it can be replayed")),
        (true(), N_("waits to be pushed, by itself")),
    ),
}


def refusal(connection: Connection, resource: Resource, key: UUID | int, rule: str) -> NotFound | Conflict:
    """Why an action does not apply to the row with this key; `rule` says to which rows it does."""
    reasons = _IS[resource.name]
    told = case(*((condition, text) for condition, text in reasons))
    found = connection.scalar(select(told).select_from(resource.table).where(resource.key == key))
    if found is None:
        return NotFound(
            _("There is no such row among the %(resource)s: %(key)s.", resource=translated(resource.name), key=key)
        )
    return Conflict(_("%(rule)s; this one %(is)s.", **{"rule": _(rule), "is": _(found)}))
