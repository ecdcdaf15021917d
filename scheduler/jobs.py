"""The clock's jobs. Each is a tick that may come late, twice, or from two schedulers at once."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select

from engine import due
from engine.errors import Unavailable
from engine.events.intake import SPOOLED
from engine.models import OrderState
from engine.store import Store, after
from engine.tables import events, idempotency_keys, orders

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.schedulers.base import BaseScheduler

    from engine.broker import Bell
    from engine.spool import Spool

log = logging.getLogger(__name__)

TICK = timedelta(milliseconds=100)
SPOOL_EVERY = timedelta(seconds=1)
PRUNE_EVERY = timedelta(minutes=1)
PRUNE_ROWS = 500  # per transaction: writers in front of it wait no longer
KEYS_KEPT = timedelta(hours=48)  # how long an Idempotency-Key is remembered; documented for senders
FINISHED = (OrderState.COMPLETED, OrderState.CANCELLED, OrderState.SEND_CONDITION_NOT_MET)


@dataclass(frozen=True, slots=True)
class Clock:
    """What the jobs work with."""

    store: Store
    bell: Bell
    spool: Spool
    scheduler: BaseScheduler
    retention: timedelta


def wake(clock: Clock) -> None:
    """Ring for each lane with due work; for work due before the next tick, ring exactly then."""
    for lane in due.LANES:
        try:
            with clock.store.read() as connection:
                until = due.next_due(connection, lane)
        except Unavailable as error:
            log.warning("%s; the next tick asks again", error)
            return
        if until is None or until > TICK:
            continue
        if until > timedelta(0):
            clock.scheduler.add_job(
                clock.bell.ring,
                "date",
                (lane.name,),
                run_date=datetime.now(UTC) + until,
                id=f"ring {lane.name}",
                replace_existing=True,
            )
        else:
            clock.bell.ring(lane.name)


def wake_spool(clock: Clock) -> None:
    """Ring while events wait that came in when the database did not answer."""
    with suppress(Unavailable):
        if clock.spool.first():
            clock.bell.ring(SPOOLED)


def prune(clock: Clock) -> None:
    """Remove forgotten keys and, when their retention is over, finished orders and events with all that is theirs."""
    try:
        while _prune_some(clock):
            pass
    except Unavailable as error:
        log.warning("%s; pruning goes on at the next tick", error)


def _prune_some(clock: Clock) -> bool:
    with clock.store.write() as connection:
        _forget_keys(connection)
        old = (
            select(orders.c.seq)
            .where(orders.c.created < after(-clock.retention), orders.c.state.in_(FINISHED))
            .order_by(orders.c.created)
            .limit(PRUNE_ROWS)
        )
        removed: int = connection.execute(delete(orders).where(orders.c.seq.in_(old))).rowcount
        stale = select(events.c.seq).where(events.c.registered < after(-clock.retention)).order_by(events.c.registered)
        ended = delete(events).where(events.c.seq.in_(stale.limit(PRUNE_ROWS)))
        removed = max(removed, connection.execute(ended).rowcount)
    return removed == PRUNE_ROWS


def _forget_keys(connection: Connection) -> None:
    connection.execute(delete(idempotency_keys).where(idempotency_keys.c.created < after(-KEYS_KEPT)))


JOBS: list[tuple[Callable[[Clock], None], timedelta]] = [
    (wake, TICK),
    (wake_spool, SPOOL_EVERY),
    (prune, PRUNE_EVERY),
]
