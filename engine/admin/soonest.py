"""The rows of orders or e-mails that come next: a bounded number, of which each is looked at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import case, func, select

from engine.admin.standing import EXPIRES_ITSELF, Standings, of_emails, of_orders
from engine.db.tables import emails, orders
from engine.queue import due

if TYPE_CHECKING:
    from sqlalchemy import BindParameter, ColumnElement, Subquery

_BOTH = ("seq", "state", "due_at", "paused_by", "unresolved", "attempts", "last_update")
_ORDERS = (*(orders.c[name] for name in _BOTH), orders.c.creator)
_OF_ORDER = select(orders.c.creator).where(orders.c.seq == emails.c.order_seq).scalar_subquery()
_EMAILS = (
    *(emails.c[name] for name in (*_BOTH, "address", "expires_at", "rank", "waits_for")),
    case((emails.c.attempts == 0, EXPIRES_ITSELF)).label("expires_itself"),
    func.coalesce(emails.c.creator, _OF_ORDER).label("creator"),  # e-mails have a copy when they are ready
)


class Looked(NamedTuple):
    """Rows with the columns of their lane that standings and pauses depend on, and where they stand."""

    rows: Subquery
    stands: Standings


def soonest(lane: due.Lane[due.Claimed], most: int | BindParameter[int], *which: ColumnElement[bool]) -> Looked:
    """The rows of a lane that come next; of these, those of `which`, which says something of their due time.

    To say more than once that there is one lets PostgreSQL expect few rows: it would read and sort all of them.
    """
    due_at = lane.table.c.due_at
    return _first(lane, most, due_at, *(which or (due_at.is_not(None),)))


def paused_first(lane: due.Lane[due.Claimed], most: int, *which: ColumnElement[bool]) -> Looked:
    """Likewise, the oldest rows that a pause of a creator or domain stops."""
    return _first(lane, most, lane.table.c.seq, lane.table.c.paused_by.is_not(None), *which)


def _first(
    lane: due.Lane[due.Claimed],
    most: int | BindParameter[int],
    order: ColumnElement[object],
    *which: ColumnElement[bool],
) -> Looked:
    its = _ORDERS if lane is due.ORDERS else _EMAILS
    rows = select(*its).where(*which).order_by(order).limit(most).subquery("looked_at")
    if lane is due.ORDERS:
        return Looked(rows, of_orders(its=rows))
    return Looked(rows, of_emails(its=rows, expires_itself=rows.c.expires_itself))
