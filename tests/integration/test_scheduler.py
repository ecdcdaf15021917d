"""How often the clock looks: each second, and ten times as often while something is due or soon will be."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy import insert

from engine.db.store import Store
from engine.db.tables import pauses
from engine.orders.runs import Making
from engine.queue import due, lateness
from engine.queue.broker import connect
from engine.queue.pauses import LANE
from engine.settings import Settings
from engine.templating.catalogue import find
from engine.templating.own import Own
from scheduler.jobs import Clock, wake
from scheduler.steps import Every
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import wait_for
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = timedelta(days=1)  # the time to its next look, unless it brings that forward
LATER = timedelta(hours=1)


@contextmanager
def clock(store: Store, folder: Path) -> Iterator[Clock]:
    """A clock that looks only when the test asks for it."""
    scheduler = BackgroundScheduler(timezone="UTC")
    scheduler.start(paused=True)
    with Redis(folder) as server:
        queue = connect(Settings(redis_url=server.url))
        made = Clock(store, queue.notifier, queue.spool, scheduler, DAY, Making(partial(find, Own(None))))
        scheduler.add_job(wake, Every(DAY), (made,), id=wake.__name__)
        yield made
        scheduler.shutdown()


def looks_soon(clock: Clock) -> bool:
    wake(clock)
    at: datetime = clock.scheduler.get_job(wake.__name__).next_run_time
    return at < datetime.now(UTC) + LATER


def messages(clock: Clock) -> int:
    return int(clock.spool._client.llen("dramatiq:varsel"))  # noqa: SLF001 the same Redis


@pytest.mark.parametrize("due_in", [None, lateness.LOOK_EVERY * 10])
def test_the_clock_takes_its_time_while_nothing_is_due_soon(
    store: Store, tmp_path: Path, due_in: timedelta | None
) -> None:
    with clock(store, tmp_path) as quiet:
        with store.write() as connection:
            add_order(connection, due_in=due_in)
        assert not looks_soon(quiet)
        assert messages(quiet) == 0


def test_the_clock_looks_again_soon_when_something_will_be_due(store: Store, tmp_path: Path) -> None:
    with clock(store, tmp_path) as busy:
        with store.write() as connection:
            add_order(connection, due_in=lateness.LOOK_EVERY * 0.9)
        assert looks_soon(busy)


def test_what_is_due_is_told_and_looked_for_again_soon(store: Store, tmp_path: Path) -> None:
    with clock(store, tmp_path) as busy:
        with store.write() as connection:
            add_order(connection, due_in=timedelta(0))
        assert looks_soon(busy)
        wait_for(lambda: messages(busy) == 2)  # for orders, and for those who send instant ones


def test_while_e_mails_wait_for_a_pace_workers_look_often(store: Store, tmp_path: Path) -> None:
    with clock(store, tmp_path) as busy:
        with store.write() as connection:
            of = add_order(connection, due_in=None)
            add_email(connection, of, due_in=LATER, waits_for="domain example.no", rank=1)
        assert looks_soon(busy)
        wait_for(lambda: messages(busy) == 1)


def test_what_is_due_in_a_paused_lane_keeps_the_clock_from_no_rest(store: Store, tmp_path: Path) -> None:
    with clock(store, tmp_path) as quiet:
        with store.write() as connection:
            add_order(connection, due_in=timedelta(0))
            lane = {"kind": LANE, "value": due.ORDERS.name, "at": now(), "who": "kari", "reason": ""}
            connection.execute(insert(pauses).values(lane))
        assert not looks_soon(quiet)


def test_a_database_that_is_away_is_asked_again_soon(tmp_path: Path) -> None:
    with closing(Store("postgresql+psycopg://127.0.0.1:9/nothing")) as store, clock(store, tmp_path) as busy:
        assert looks_soon(busy)
