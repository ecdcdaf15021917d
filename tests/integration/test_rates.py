"""Rates are read from samples: of minutes, and of hours where minutes are gone; on both databases."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event, func, insert, select

from engine.admin.rates import SPANS, rates
from engine.db.hours import HOUR, roll_up
from engine.db.retention import HOURS_KEPT, prune_some
from engine.db.tables import history, history_hours
from engine.observability import heartbeat
from engine.observability import history as samples
from engine.observability.heartbeat import Heartbeat, Kind
from engine.observability.metrics import DUE_LAG
from tests.helpers.rows import now

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.store import Store

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
KEPT = timedelta(days=90)


def add(connection: Connection, at: datetime, series: str, count: int) -> None:
    minute = at.replace(second=0, microsecond=0)
    connection.execute(insert(history).values(minute=minute, series=series, count=count))


@pytest.mark.parametrize("name", SPANS)
def test_each_step_has_its_sum_and_each_span_the_one_before(store: Store, name: str) -> None:
    span = SPANS[name]
    with store.write() as connection:
        until = rates(connection, span).first  # of a span that has ended, so that the clock changes nothing
        first = until - span.length
        for at, count in ((first, 1), (first + span.step, 2), (until - MINUTE, 4), (until, 8), (first - MINUTE, 16)):
            add(connection, at, "orders", count)
        add(connection, first - span.length - MINUTE, "orders", 32)
        add(connection, first, "of an older version", 64)
        found = rates(connection, span, until)
        roll_up(connection)
        rolled = rates(connection, span, until)
    assert (found.first, found.until, found.is_newest) == (first, until, False)
    assert (found.counts["orders"][0], found.counts["orders"][1], found.counts["orders"][-1]) == (1, 2, 4)
    assert sum(found.counts["orders"]) == 7
    assert found.before["orders"] == 16
    assert set(found.delays["delay.p50"]) == {None}
    assert (rolled.counts, rolled.before) == (found.counts, found.before)


def test_the_newest_span_ends_with_this_step(store: Store) -> None:
    with store.write() as connection:
        add(connection, now(), "orders", 3)
        for span in SPANS.values():
            found = rates(connection, span)
            assert found.is_newest
            assert sum(found.counts["orders"][-2:]) == 3  # its minute may have ended meanwhile
            assert rates(connection, span, now() + DAY).is_newest


def test_nothing_but_samples_is_read(store: Store) -> None:
    asked: list[str] = []
    with store.read() as connection:
        event.listen(connection, "before_cursor_execute", lambda _c, _u, statement, *_: asked.append(statement))
        for span in SPANS.values():
            rates(connection, span)
    tables = {table for statement in asked for table in re.findall(r"FROM ([a-z]\w+)", statement)}
    assert tables - {"statement_timestamp"} == {"history", "history_hours"}


def test_hours_stay_when_their_minutes_go(store: Store) -> None:
    hour = now().replace(minute=0, second=0, microsecond=0)
    with store.write() as connection:
        for back in (timedelta(days=20), 2 * HOUR):
            for minute in range(3):
                add(connection, hour - back + minute * MINUTE, "orders", 5)
        add(connection, now(), "orders", 1)
        prune_some(connection, KEPT)
        prune_some(connection, KEPT)  # nothing is counted twice
        assert connection.execute(select(history_hours.c.hour, history_hours.c["count"])).all() == [
            (hour - timedelta(days=20), 15),
            (hour - 2 * HOUR, 15),
        ]
        assert connection.scalar(select(func.count()).select_from(history)) == 4
        assert sum(rates(connection, SPANS["month"]).counts["orders"]) == 31
        assert sum(rates(connection, SPANS["week"]).counts["orders"]) == 16


def test_hours_go_after_a_year_and_time_to_look_back_on_it(store: Store) -> None:
    with store.write() as connection:
        for ago in (HOURS_KEPT - DAY, HOURS_KEPT + DAY):
            connection.execute(insert(history_hours).values(hour=now() - ago, series="orders", count=1))
        prune_some(connection, KEPT)
        assert connection.scalar(select(func.count()).select_from(history_hours)) == 1


def test_delays_of_all_but_bulk_are_sampled_and_become_quantiles(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.02)
    beating = Heartbeat(store, Kind("worker"))
    beating.start()
    for priority, seconds, count in (("normal", 0.3, 97), ("instant", 100.0, 3), ("bulk", 5_000.0, 50)):
        for _ in range(count):
            DUE_LAG.labels(priority).observe(seconds)
    beating.stop()
    with store.read() as connection:
        found = rates(connection, SPANS["hour"])
    assert set(samples.DELAYS) < set(samples.sample())
    p50, p99 = found.whole["delay.p50"], found.whole["delay.p99"]
    assert p50 is not None
    assert p99 is not None
    assert 0.2 < p50 < 0.5
    assert 60 < p99 <= 120
