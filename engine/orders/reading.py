"""What a creator can read and cancel: its orders, their state, their e-mails. Other creators' orders are not found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select, update

from engine.db.blocks import everywhere
from engine.db.bounded import read_within, weight
from engine.db.dialects import Now, after
from engine.db.records import EmailStatus, OrderHead, OrderName, PostedOrder, columns, first, read
from engine.db.tables import emails, orders, templates
from engine.errors import Conflict, NotFound
from engine.events.status import order_event
from engine.events.storing import persist
from engine.models import HANDED_OVER, OrderState
from engine.orders.chains import no_order

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement

CANCEL_WINDOW = timedelta(minutes=5)  # closer to its send time, an order cannot be cancelled (contract 2.3)
_TEMPLATE = {"template_name": templates.c.name, "template_version": templates.c.version}
_WITH_TEMPLATE = orders.outerjoin(templates, templates.c.id == orders.c.template_id)
_POSTED = select(*columns(PostedOrder, orders.c, _TEMPLATE)).select_from(_WITH_TEMPLATE)
_HEAD = select(*columns(OrderHead, orders.c))
_EMAILS = select(*columns(EmailStatus, emails.c))
_IN_TIME = and_(
    orders.c.state == OrderState.REGISTERED,
    func.coalesce(orders.c.due_at, orders.c.requested_send_time) > after(CANCEL_WINDOW),  # it may be paced
)
PIECE = 10_000  # e-mails of an order that are read at once
LARGEST = 4_000_000  # bytes of orders that are read at once, unless one is larger


def find(connection: Connection, creator: str, order_id: UUID) -> PostedOrder:
    """One order; NotFound when this creator has none with that id."""
    chosen = _POSTED.where(orders.c.id == order_id, orders.c.creator == creator)
    order = first(PostedOrder, connection.execute(chosen))
    if order is None:
        raise NotFound(f"There is no order {order_id}.")
    return order


def find_by_reference(connection: Connection, creator: str, reference: str, after: int = 0) -> Sequence[PostedOrder]:
    """Orders to which the creator gave this reference, oldest first, from the number after `after`; empty: no more.

    There can be any number of them, of any size: about LARGEST bytes come at once.
    """
    mine = (orders.c.creator == creator, orders.c.senders_reference == reference, orders.c.seq > after)
    chosen = _POSTED.where(everywhere(connection, orders), *mine).order_by(orders.c.seq)
    found, _ = read_within(connection, chosen, LARGEST, lambda row: weight(row.body, row.recipients, row.sms))
    return read(PostedOrder, found)


def counts(connection: Connection, order: OrderHead) -> tuple[int, int]:
    """How many e-mails an order has, and how many of them the relay accepted."""
    handed_over = func.count().filter(emails.c.state.in_(HANDED_OVER))
    row = connection.execute(select(func.count(), handed_over).where(emails.c.order_seq == order.seq)).one()
    return row[0], row[1]


def head(connection: Connection, creator: str, order_id: UUID) -> OrderHead:
    """An order without its texts; NotFound."""
    chosen = _HEAD.where(orders.c.id == order_id, orders.c.creator == creator)
    order = first(OrderHead, connection.execute(chosen))
    if order is None:
        raise no_order(connection, creator, order_id)
    return order


def status(connection: Connection, creator: str, order_id: UUID) -> tuple[OrderHead, int, int]:
    """An order with the two counts; NotFound."""
    order = head(connection, creator, order_id)
    return (order, *counts(connection, order))


class Progress(NamedTuple):
    """How far an order's e-mails were read, and where they end; both by `seq`."""

    seq: int
    last: int


def emails_of(
    connection: Connection, order: OrderHead, after: Progress | None = None
) -> tuple[Sequence[EmailStatus], Progress | None]:
    """An order's e-mails, in the order of its recipients: the first PIECE, or those `after` these.

    Also returns where the next call goes on, or None if there are no more.
    """
    its = emails.c.order_seq == order.seq
    after = after or _begin(connection, its)
    chosen = _EMAILS.where(its, emails.c.seq > after.seq, emails.c.seq <= after.last).order_by(emails.c.seq)
    found = read(EmailStatus, connection.execute(chosen.limit(PIECE)))
    whole = len(found) < PIECE or found[-1].seq == after.last
    return found, None if whole else Progress(found[-1].seq, after.last)


def _begin(connection: Connection, its: ColumnElement[bool]) -> Progress:
    """Before an order's first e-mail.

    The count has PostgreSQL read these e-mails alone: it would look for the first and the last number among all.
    """
    ends = select(func.min(emails.c.seq), func.max(emails.c.seq), func.count())
    first, last, _ = connection.execute(ends.where(its)).one()
    return Progress((first or 1) - 1, last or 0)


def cancel(connection: Connection, creator: str, order_id: UUID) -> tuple[OrderHead, int, int]:
    """Cancel an order that is still registered and more than five minutes away; cancelling twice is no error.

    Raises NotFound, or Conflict when it is too late.
    """
    cancelling = (
        update(orders)
        .where(
            orders.c.id == order_id,
            orders.c.creator == creator,
            or_(orders.c.state == OrderState.OPEN, _IN_TIME),
        )
        .values(state=OrderState.CANCELLED, portion=None, due_at=None, rank=None, paused_by=None, last_update=Now())
        .returning(*columns(OrderName, orders.c))
    )
    cancelled = first(OrderName, connection.execute(cancelling))
    found = status(connection, creator, order_id)
    if cancelled:
        persist(connection, [order_event(cancelled, OrderState.CANCELLED, found[0].last_update)])
    if found[0].state in (OrderState.COMPLETED, OrderState.SEND_CONDITION_NOT_MET, OrderState.SET_ASIDE):
        raise Conflict("The order has ended; it cannot be cancelled any more.")
    if found[0].state != OrderState.CANCELLED:
        late = "The order is being processed, or its send time is less than five minutes away"
        raise Conflict(f"{late}; `withdraw` takes back what has not left.")
    return found
