"""How long rows are kept, and their removal in small batches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, and_, delete, literal, select, tuple_, update

from engine.db.dialects import Now, after
from engine.db.hours import roll_up
from engine.db.tables import (
    EPOCH,
    attachments,
    attempt_sums,
    audit_log,
    deliveries,
    emails,
    ended_sessions,
    events,
    history,
    history_hours,
    idempotency_keys,
    job_rows,
    jobs,
    orders,
    portions,
    processes,
    quota_use,
    subscriptions,
    templates,
    waiting_events,
    wordings,
)
from engine.models import OrderState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, ColumnElement, Table

ROWS = 500  # per transaction, which bounds how long writers wait
FILES = 10  # likewise, of attachments, and of portions of recipients
KEYS_KEPT = timedelta(hours=48)  # how long an Idempotency-Key is remembered; documented for senders
HISTORY_KEPT = timedelta(days=8)  # by the minute: a week, and time to look back on it
HOURS_KEPT = timedelta(days=400)  # by the hour: likewise, a year
SUMS_KEPT = timedelta(days=1)  # of what failed: the overview shows an hour
AUDIT_KEPT = timedelta(days=400)  # at least: a year, and time to look back on it
USE_KEPT = timedelta(days=2)  # of quotas, after the start of the last day in which an order counted
GONE_SHOWN = timedelta(hours=1)  # how long operators see a process that ended without signing off
NEVER_SENT = (OrderState.CANCELLED, OrderState.SEND_CONDITION_NOT_MET)
FINISHED = (OrderState.COMPLETED, OrderState.CANCELLED, OrderState.SEND_CONDITION_NOT_MET, OrderState.SET_ASIDE)


@dataclass(slots=True)
class Reached:
    """Before these times, no order and no event is left that can be removed.

    What is removed stays in PostgreSQL's indexes until they are vacuumed: a batch must not walk over all those before.
    """

    orders: datetime = EPOCH
    events: datetime = EPOCH


def prune_some(connection: Connection, retention: timedelta, reached: Reached | None = None) -> bool:
    """Remove what has expired, and the oldest finished orders and events with their rows; whether more may be left.

    An order's time counts from its end: one that waited long can be read as long as any other. Dependent rows go first,
    so that no row removes more than ROWS of another table with it. `reached`: by the batches before this one.
    """
    limit = after(-retention)
    roll_up(connection)
    connection.execute(delete(history).where(history.c.minute < after(-HISTORY_KEPT)))
    connection.execute(delete(history_hours).where(history_hours.c.hour < after(-HOURS_KEPT)))
    connection.execute(delete(attempt_sums).where(attempt_sums.c.at < after(-SUMS_KEPT)))
    connection.execute(delete(wordings).where(wordings.c.seen < limit))
    connection.execute(delete(processes).where(processes.c.seen < after(-GONE_SHOWN)))
    connection.execute(delete(ended_sessions).where(ended_sessions.c.forgotten < Now()))  # their cookies are too old
    connection.execute(
        delete(quota_use).where(quota_use.c.day < after(-USE_KEPT), quota_use.c.minute < after(-USE_KEPT))
    )
    ended = (jobs.c.due_at.is_(None), jobs.c.last_update < limit)
    gone = subscriptions.c.removed.is_not(None)
    its_subscriptions = select(subscriptions.c.seq).where(gone)
    of_subscription = deliveries.c.subscription_seq
    removed = [
        _forget_keys(connection),
        _forget_recipients(connection),
        _remove(connection, job_rows, job_rows.c.job_seq.in_(select(jobs.c.seq).where(*ended))),
        *_remove_orders(connection, limit, reached or Reached()),
        *_remove_events(connection, limit, reached or Reached()),
        _remove(connection, deliveries, of_subscription.in_(its_subscriptions)),
        _remove(connection, audit_log, audit_log.c.at < after(-max(retention, AUDIT_KEPT))),
    ]
    unnamed = ~_has(orders, orders.c.template_id == templates.c.id)
    connection.execute(delete(templates).where(templates.c.removed < limit, unnamed))
    empty = (gone, ~_has(deliveries, of_subscription == subscriptions.c.seq))
    _remove(connection, subscriptions, *empty)
    connection.execute(delete(jobs).where(*ended, ~_has(job_rows, job_rows.c.job_seq == jobs.c.seq)))
    return max(removed) == ROWS


def _remove_orders(connection: Connection, limit: ColumnElement[datetime], reached: Reached) -> Sequence[int]:
    """Remove the oldest finished orders with their attachments and e-mails; returns how many of each."""
    ended = orders.c.last_update
    finished = (orders.c.due_at.is_(None), ended.between(reached.orders, limit), orders.c.state.in_(FINISHED))
    first = select(orders.c.seq, ended).where(*finished).order_by(ended).limit(ROWS)
    oldest = connection.execute(first.with_for_update(skip_locked=True)).all()  # whoever opens one again has it
    reached.orders = oldest[0].last_update if oldest else reached.orders
    empty, more = _remove_files(connection, [row.seq for row in oldest])
    return [more, *_remove_with(connection, orders, emails.c.order_seq, empty)]


def _forget_recipients(connection: Connection) -> int:
    """Empty some portions of orders that will never be sent; returns ROWS if others may have some left.

    The portions themselves stay with their orders: they tell how many recipients were not reached.
    """
    never = and_(orders.c.seq == portions.c.order_seq, orders.c.state.in_(NEVER_SENT))
    its = select(portions.c.order_seq, portions.c.number).where(portions.c.recipients != "", _has(orders, never))
    gone = update(portions).where(tuple_(portions.c.order_seq, portions.c.number).in_(its.limit(FILES)))
    gone = gone.values(recipients="", digests=b"")
    return ROWS if connection.execute(gone).rowcount == FILES else 0


def _remove_files(connection: Connection, order_seqs: Sequence[int]) -> tuple[Sequence[int], int]:
    """Remove some attachments of orders; returns the orders that have none, and ROWS if others have some left.

    They may be large: what is removed of them at once, other writers wait for.
    """
    of_orders = attachments.c.order_seq.in_(order_seqs)
    some = select(attachments.c.seq).where(of_orders).order_by(attachments.c.order_seq).limit(FILES)
    if connection.execute(delete(attachments).where(attachments.c.seq.in_(some))).rowcount < FILES:
        return order_seqs, 0
    left = set(connection.scalars(select(attachments.c.order_seq).where(of_orders)))
    return [seq for seq in order_seqs if seq not in left], ROWS


def _remove_events(connection: Connection, limit: ColumnElement[datetime], reached: Reached) -> Sequence[int]:
    """Remove the oldest events with their deliveries; returns how many of both."""
    stored = events.c.registered
    over = (stored.between(reached.events, limit), ~_has(waiting_events, waiting_events.c.event_seq == events.c.seq))
    oldest = connection.execute(select(events.c.seq, stored).where(*over).order_by(stored).limit(ROWS)).all()
    reached.events = oldest[0].registered if oldest else reached.events
    return _remove_with(connection, events, deliveries.c.event_seq, [row.seq for row in oldest])


def _remove_with(connection: Connection, table: Table, owner: Column[int], seqs: Sequence[int]) -> Sequence[int]:
    """Remove rows of one table and before them those that they own. If these are too many, some of both stay."""
    owned = owner.table
    some = select(owned.c.seq).where(owner.in_(seqs)).limit(ROWS)
    gone = connection.scalars(delete(owned).where(owned.c.seq.in_(some)).returning(owner)).all()
    alone = set(gone) if len(gone) == ROWS else seqs  # looking at all of them for each batch would take the longest
    left = connection.execute(delete(table).where(table.c.seq.in_(alone), ~_has(owned, owner == table.c.seq)))
    return len(gone), left.rowcount


def _has(table: Table, belongs: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a table has rows that belong to the row of the statement around it."""
    return select(literal(1)).select_from(table).where(belongs).exists()


def _forget_keys(connection: Connection) -> int:
    key = tuple_(idempotency_keys.c.creator, idempotency_keys.c.key)
    old = select(idempotency_keys.c.creator, idempotency_keys.c.key)
    some = old.where(idempotency_keys.c.created < after(-KEYS_KEPT)).limit(ROWS)
    forgotten: int = connection.execute(delete(idempotency_keys).where(key.in_(some))).rowcount
    return forgotten


def _remove(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    some = select(table.c.seq).where(*conditions).limit(ROWS)
    removed: int = connection.execute(delete(table).where(table.c.seq.in_(some))).rowcount
    return removed
