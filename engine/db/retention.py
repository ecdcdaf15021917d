"""How long rows are kept, and their removal in small batches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, literal, select, tuple_

from engine.db.dialects import Now, after
from engine.db.tables import (
    audit_log,
    deliveries,
    emails,
    ended_sessions,
    events,
    history,
    idempotency_keys,
    job_rows,
    jobs,
    orders,
    processes,
    quota_use,
    subscriptions,
    waiting_events,
)
from engine.models import OrderState

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

ROWS = 500  # per transaction, which bounds how long writers wait
KEYS_KEPT = timedelta(hours=48)  # how long an Idempotency-Key is remembered; documented for senders
HISTORY_KEPT = timedelta(days=8)  # the plots show a day; one more week is there for comparison
AUDIT_KEPT = timedelta(days=400)  # at least: a year, and time to look back on it
USE_KEPT = timedelta(days=2)  # of quotas, after the start of the last day in which an order counted
GONE_SHOWN = timedelta(hours=1)  # how long operators see a process that ended without signing off
FINISHED = (OrderState.COMPLETED, OrderState.CANCELLED, OrderState.SEND_CONDITION_NOT_MET, OrderState.SET_ASIDE)


def prune_some(connection: Connection, retention: timedelta) -> bool:
    """Remove what has expired, and the oldest finished orders and events with their rows; whether more may be left.

    An order's time counts from its end: one that waited long can be read as long as any other. Dependent rows go first,
    so that no row removes more than ROWS of another table with it.
    """
    limit = after(-retention)
    connection.execute(delete(history).where(history.c.minute < after(-HISTORY_KEPT)))
    connection.execute(delete(processes).where(processes.c.seen < after(-GONE_SHOWN)))
    connection.execute(delete(ended_sessions).where(ended_sessions.c.forgotten < Now()))  # their cookies are too old
    connection.execute(
        delete(quota_use).where(quota_use.c.day < after(-USE_KEPT), quota_use.c.minute < after(-USE_KEPT))
    )
    ended = (jobs.c.due_at.is_(None), jobs.c.last_update < limit)
    finished = (orders.c.due_at.is_(None), orders.c.last_update < limit, orders.c.state.in_(FINISHED))
    stored = (events.c.registered < limit, ~_has(waiting_events, waiting_events.c.event_seq == events.c.seq))
    gone = subscriptions.c.removed.is_not(None)
    its_orders = select(orders.c.seq).where(*finished).order_by(orders.c.last_update).limit(ROWS)
    its_events = select(events.c.seq).where(*stored).order_by(events.c.registered).limit(ROWS)
    its_subscriptions = select(subscriptions.c.seq).where(gone)
    no_emails = ~_has(emails, emails.c.order_seq == orders.c.seq)
    of_event, of_subscription = deliveries.c.event_seq, deliveries.c.subscription_seq
    removed = [
        _forget_keys(connection),
        _remove(connection, job_rows, job_rows.c.job_seq, job_rows.c.job_seq.in_(select(jobs.c.seq).where(*ended))),
        _remove(connection, emails, emails.c.seq, emails.c.order_seq.in_(its_orders)),
        _remove(connection, orders, orders.c.last_update, *finished, no_emails),
        _remove(connection, deliveries, deliveries.c.seq, of_event.in_(its_events)),
        _remove(connection, events, events.c.registered, *stored, ~_has(deliveries, of_event == events.c.seq)),
        _remove(connection, deliveries, deliveries.c.seq, of_subscription.in_(its_subscriptions)),
        _remove(connection, audit_log, audit_log.c.at, audit_log.c.at < after(-max(retention, AUDIT_KEPT))),
    ]
    empty = (gone, ~_has(deliveries, of_subscription == subscriptions.c.seq))
    _remove(connection, subscriptions, subscriptions.c.seq, *empty)
    connection.execute(delete(jobs).where(*ended, ~_has(job_rows, job_rows.c.job_seq == jobs.c.seq)))
    return max(removed) == ROWS


def _has(table: Table, belongs: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a table has rows that belong to the row of the statement around it."""
    return select(literal(1)).select_from(table).where(belongs).exists()


def _forget_keys(connection: Connection) -> int:
    key = tuple_(idempotency_keys.c.creator, idempotency_keys.c.key)
    old = select(idempotency_keys.c.creator, idempotency_keys.c.key)
    some = old.where(idempotency_keys.c.created < after(-KEYS_KEPT)).limit(ROWS)
    forgotten: int = connection.execute(delete(idempotency_keys).where(key.in_(some))).rowcount
    return forgotten


def _remove(connection: Connection, table: Table, age: ColumnElement[object], *conditions: ColumnElement[bool]) -> int:
    oldest = select(table.c.seq).where(*conditions).order_by(age).limit(ROWS)
    removed: int = connection.execute(delete(table).where(table.c.seq.in_(oldest))).rowcount
    return removed
