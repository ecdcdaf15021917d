"""Completing orders: an order whose e-mails are all settled has ended, whoever settled the last of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, bindparam, case, exists, func, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from engine.db.dialects import Now
from engine.db.records import OrderName, columns, read
from engine.db.tables import EMAIL_OPEN, emails, orders
from engine.errors import Unavailable
from engine.models import EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection, Select

ORDER_LOCKS = 1 << 62  # and the order's `seq`: numbers that nothing else locks
_KEYS = func.unnest(bindparam("keys", type_=ARRAY(BigInteger)))
_SHARED, _ALONE = select(func.pg_advisory_xact_lock_shared(_KEYS)), select(func.pg_advisory_xact_lock(_KEYS))
_AT_ONCE = select(func.pg_try_advisory_xact_lock(_KEYS))
_OPEN = exists().where(emails.c.order_seq == orders.c.seq, EMAIL_OPEN)
_TRIED = exists().where(emails.c.order_seq == orders.c.seq, emails.c.state != EmailState.CANCELLED)
# An order that was withdrawn before any of its e-mails had another end is cancelled as a whole.
_END = case((orders.c.withdrawn_at.is_(None) | _TRIED, OrderState.COMPLETED), else_=OrderState.CANCELLED)


def lock(connection: Connection, seqs: Collection[int], *, shared: bool) -> Mapping[int, OrderName]:
    """Lock orders, shared or alone; on PostgreSQL by advisory locks, since those who share a row's lock pass who waits.

    Who has them alone has the rows, too: operators lock those. Everybody goes in one order, since two that lock in
    either order would wait for each other: these locks, the orders' rows, then e-mails that no worker has in hand, and
    what counts them (tallies.py).
    """
    names = select(*columns(OrderName, orders.c)).where(orders.c.seq.in_(seqs)).order_by(orders.c.seq)
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARED if shared else _ALONE, {"keys": _keys(seqs)})
    found = connection.execute(names if shared else names.with_for_update(key_share=True))
    return {name.seq: name for name in read(OrderName, found)}


def lock_alone_at_once(connection: Connection, seqs: Collection[int]) -> Mapping[int, OrderName]:
    """The same, alone, by somebody who shares the locks. Unavailable where others share them, who may want the same."""
    if connection.dialect.name == "postgresql" and not all(connection.scalars(_AT_ONCE, {"keys": _keys(seqs)})):
        raise Unavailable("the database", text="others settle e-mails of the same orders")
    return lock(connection, seqs, shared=False)


def rows(seqs: Collection[int]) -> Select[int]:
    """The statement that locks the rows of orders, always in the same order."""
    return select(orders.c.seq).where(orders.c.seq.in_(seqs)).order_by(orders.c.seq).with_for_update(key_share=True)


def complete(connection: Connection, seqs: Collection[int]) -> Mapping[int, OrderState]:
    """End those of the orders, which are locked, that have no open e-mail left; returns how, by their `seq`."""
    done = update(orders).where(orders.c.seq.in_(seqs), orders.c.state == OrderState.PROCESSED, ~_OPEN)
    ended = connection.execute(done.values(state=_END, last_update=Now()).returning(orders.c.seq, orders.c.state))
    return {row.seq: OrderState(row.state) for row in ended}


def _keys(seqs: Collection[int]) -> list[int]:
    return [ORDER_LOCKS + seq for seq in sorted(seqs)]
