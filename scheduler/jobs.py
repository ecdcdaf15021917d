"""The clock's jobs. A tick may come late, twice, or from two schedulers at once."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from apscheduler.jobstores.base import JobLookupError

from engine.admin import aftermath, api_keys, counts, failures, kept, pausing
from engine.db.dialects import now
from engine.db.retention import Reached, prune_some
from engine.db.tables import aftermaths, lane_counts
from engine.errors import Unavailable
from engine.events.intake import SPOOLED
from engine.orders import runs
from engine.queue import due, lateness
from engine.queue.flows import some_wait
from engine.queue.pauses import in_force
from engine.queue.signals import INSTANT
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.schedulers.base import BaseScheduler
    from sqlalchemy import Column, Connection

    from engine.db.store import Store
    from engine.orders.runs import Making
    from engine.queue.broker import Notifier
    from engine.queue.spool import Spool

log = logging.getLogger(__name__)
_Found = TypeVar("_Found")

TICK = timedelta(milliseconds=100)  # between looks while something is due, or will be before the next look
SPOOL_EVERY = timedelta(seconds=1)
PRUNE_EVERY = timedelta(minutes=1)
RUN_EVERY = timedelta(seconds=1)
TELL_EVERY = timedelta(minutes=1)
END_EVERY = timedelta(milliseconds=500)
KEEP_EVERY = timedelta(seconds=10)
REST = 20  # a look for everybody rests so many times as long as it took


@dataclass(frozen=True, slots=True)
class Clock:
    """What the jobs work with."""

    store: Store
    notifier: Notifier
    spool: Spool
    scheduler: BaseScheduler
    retention: timedelta
    making: Making


def wake(clock: Clock) -> None:
    """Notify each lane that has due work; if work is due before the next tick, notify exactly then."""
    try:
        with clock.store.read() as connection:
            waits = {
                name: until for name, until in lateness.next_due(connection).items() if until <= lateness.LOOK_EVERY
            }
            if some_wait(connection):
                waits[due.EMAILS.name] = timedelta(0)
            paused = in_force(connection).lanes if waits else frozenset()
    except Unavailable as error:
        log.warning("due work could not be looked up; the next tick tries again: %s", error.told())
        _look_soon(clock)
        return
    if lanes := waits.keys() - paused:
        _look_soon(clock)
    for name in lanes:
        if (until := waits[name]) <= timedelta(0):
            _notify(clock, name)
        elif until <= TICK:
            clock.scheduler.add_job(
                _notify,
                "date",
                (clock, name),
                run_date=datetime.now(UTC) + until,
                id=f"notify {name}",
                replace_existing=True,
            )


def _notify(clock: Clock, lane: str) -> None:
    """Notify a lane; of orders, nobody has looked whether they are instant."""
    clock.notifier.notify(lane)
    if lane == due.ORDERS.name:
        clock.notifier.notify(INSTANT)


def _look_soon(clock: Clock) -> None:
    """Look again at the next tick."""
    _run_in(clock, wake, TICK)


def _run_in(clock: Clock, job: Callable[[Clock], None], delay: timedelta) -> None:
    """Run a job next after a delay."""
    with suppress(JobLookupError):  # the clock has ended meanwhile
        clock.scheduler.modify_job(job.__name__, next_run_time=datetime.now(UTC) + delay)


def wake_spool(clock: Clock) -> None:
    """Notify while the spool has events."""
    with suppress(Unavailable):
        if clock.spool.first():
            clock.notifier.notify(SPOOLED)


def prune(clock: Clock) -> None:
    """Remove rows whose retention is over."""
    try:
        more, reached = True, Reached()
        while more:
            with clock.store.write() as connection:
                more = prune_some(connection, clock.retention, reached)
    except Unavailable as error:
        log.warning("pruning goes on at the next tick: %s", error.told())


def make_runs(clock: Clock) -> None:
    """Make the runs of recurring orders that are due."""
    try:
        with clock.store.read() as connection:
            more = runs.some_due(connection)
        while more:
            with clock.store.write() as connection:
                made, more = runs.make_due(connection, clock.making)
            if made:
                _notify(clock, due.ORDERS.name)
    except Unavailable as error:
        log.warning("runs of recurring orders are made at the next tick: %s", error.told())


def end_pauses(clock: Clock) -> None:
    """End the pauses whose time is over, and wake all lanes: what was paused is due again."""
    try:
        with clock.store.read() as connection:
            over = pausing.some_over(connection)
        if over:
            with clock.store.write() as connection:
                pausing.end_over(connection)
            for lane in due.LANES:
                _notify(clock, lane.name)
    except Unavailable as error:
        log.warning("pauses end at the next tick: %s", error.told())


def tell_expired(clock: Clock) -> None:
    """Say in the audit log which API keys have expired."""
    try:
        with clock.store.write() as connection:
            api_keys.note_expired(connection)
    except Unavailable as error:
        log.warning("keys that expired are told of at the next tick: %s", error.told())


def count(clock: Clock) -> None:
    """Count what is too much for everybody who looks."""
    try:
        _look_for_all(clock, count, lane_counts.c.at, counts.large, counts.keep)
    except Unavailable as error:
        log.warning("large numbers are counted at the next tick: %s", error.told())


def look_up_failed(clock: Clock) -> None:
    """Look up what became of e-mails that failed, where they are too many for everybody who looks."""
    try:
        _look_for_all(clock, look_up_failed, aftermaths.c.at, failures.aftermath_of_many, aftermath.keep)
    except Unavailable as error:
        log.warning("what became of failures is looked up at the next tick: %s", error.told())


def _look_for_all(
    clock: Clock,
    job: Callable[[Clock], None],
    kept_at: Column[datetime],
    look: Callable[[Connection], _Found],
    keep: Callable[[Connection, datetime, _Found], None],
) -> None:
    """Keep what a look finds, unless another clock has just done it; rest so many times as long as it took."""
    began = steady()
    try:
        with clock.store.read() as connection:
            age = kept.age(connection, kept_at)
            if age is not None and age < KEEP_EVERY / 2:
                return
            at, found = now(connection), look(connection)
        if found or age is not None:
            with clock.store.write() as connection:
                keep(connection, at, found)
    finally:
        rest = REST * timedelta(seconds=steady() - began)
        if rest > KEEP_EVERY:
            _run_in(clock, job, rest)


JOBS: list[tuple[Callable[[Clock], None], timedelta]] = [
    (wake, lateness.LOOK_EVERY),
    (wake_spool, SPOOL_EVERY),
    (prune, PRUNE_EVERY),
    (make_runs, RUN_EVERY),
    (end_pauses, END_EVERY),
    (tell_expired, TELL_EVERY),
    (count, KEEP_EVERY),
    (look_up_failed, KEEP_EVERY),
]
