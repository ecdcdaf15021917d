"""Which e-mails belong to an order, which order begins a chain, and which rows belong to a job, by an index."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import false, func, select

from engine.admin.filters import first_id
from engine.db.frequent import in_index_order
from engine.db.tables import MILLISECOND, emails, job_rows, orders
from engine.events import tallies

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Select

JOB_ROWS = 10_000  # of a job, that are looked at


def first_of_chain(connection: Connection, chain_id: UUID) -> UUID | None:
    """The order that the reminders of a chain follow; None: there is no such chain, or none of its orders any more."""
    its = select(orders.c.id).where(orders.c.chain_id == chain_id).order_by(orders.c.seq)
    return connection.scalar(its.limit(1))


class OfOrder(NamedTuple):
    """Which e-mails belong to an order: `by` an index (with the order of identifiers, unless `few`), and `rest`."""

    by: Sequence[ColumnElement[bool]]
    rest: Sequence[ColumnElement[bool]] = ()
    few: bool = False
    states: Mapping[str, int] | None = None  # how many there are in each state; None: that is not counted


def of_order(connection: Connection, order_id: UUID) -> OfOrder:
    """The e-mails of an order; none, if there is no such order.

    Their identifiers begin with the time of the order, if they follow from it: then they stand together in each index
    of identifiers, among few others. The index on orders would have all of them sorted first.
    """
    its = connection.execute(select(orders.c.seq, orders.c.created).where(orders.c.id == order_id)).first()
    if its is None:
        return OfOrder([false()])
    which = emails.c.order_seq == its.seq
    begin, end = first_id(its.created), first_id(its.created + MILLISECOND)
    some = connection.scalar(in_index_order(select(emails.c.id), emails.c.order_seq, its.seq).limit(1))
    if not some or not begin <= some < end:
        return OfOrder([which], few=True)
    tally = tallies.of_orders(connection, [its.seq]).get(its.seq)
    mine = func.coalesce(emails.c.order_seq, 0) == its.seq
    return OfOrder([emails.c.id >= begin, emails.c.id < end], [mine], states=tally.states if tally else None)


def of_job(job_seq: int) -> Select[int]:
    """The rows that a job changed, the newest JOB_ROWS."""
    rows = select(job_rows.c.row_seq).where(job_rows.c.job_seq == job_seq, job_rows.c.row_seq.is_not(None))
    return rows.order_by(job_rows.c.row_seq.desc()).limit(JOB_ROWS)
