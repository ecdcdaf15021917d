"""How long things are kept, and their removal in small batches."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from engine.ended_sessions import forget
from engine.models import OrderState
from engine.store import after
from engine.tables import (
    audit_log,
    events,
    history,
    idempotency_keys,
    job_rows,
    jobs,
    orders,
    processes,
    waiting_events,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Table

ROWS = 500  # per transaction: writers in front of it wait no longer
KEYS_KEPT = timedelta(hours=48)  # how long an Idempotency-Key is remembered; documented for senders
HISTORY_KEPT = timedelta(days=8)  # the plots show a day; a week more is there to compare with
AUDIT_KEPT = timedelta(days=400)  # at least: a year, and time to look back at it
GONE_SHOWN = timedelta(hours=1)  # for so long operators see a process that ended without a word
FINISHED = (OrderState.COMPLETED, OrderState.CANCELLED, OrderState.SEND_CONDITION_NOT_MET)


def prune_some(connection: Connection, retention: timedelta) -> bool:
    """Remove what is forgotten, and the oldest finished orders and events with what is theirs; whether more may be."""
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created < after(-KEYS_KEPT)))
    limit = after(-retention)
    connection.execute(delete(history).where(history.c.minute < after(-HISTORY_KEPT)))
    connection.execute(delete(processes).where(processes.c.seen < after(-GONE_SHOWN)))
    forget(connection)
    ended = (jobs.c.due_at.is_(None), jobs.c.last_update < limit)
    its = job_rows.c.job_seq.in_(select(jobs.c.seq).where(*ended))
    waits = select(waiting_events.c.event_seq).where(waiting_events.c.event_seq == events.c.seq).exists()
    removed = [
        _remove(connection, job_rows, job_rows.c.job_seq, its),
        _remove(connection, orders, orders.c.created, orders.c.created < limit, orders.c.state.in_(FINISHED)),
        _remove(connection, events, events.c.registered, events.c.registered < limit, ~waits),
        _remove(connection, audit_log, audit_log.c.at, audit_log.c.at < after(-max(retention, AUDIT_KEPT))),
    ]
    left = select(job_rows.c.seq).where(job_rows.c.job_seq == jobs.c.seq).exists()
    connection.execute(delete(jobs).where(*ended, ~left))
    return max(removed) == ROWS


def _remove(connection: Connection, table: Table, age: ColumnElement[object], *conditions: ColumnElement[bool]) -> int:
    oldest = select(table.c.seq).where(*conditions).order_by(age).limit(ROWS)
    removed: int = connection.execute(delete(table).where(table.c.seq.in_(oldest))).rowcount
    return removed
