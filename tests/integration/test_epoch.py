"""A database that was restored: its lanes are paused until an operator resumes them."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import redis as redis_client
from sqlalchemy import select, update

from engine.admin import pausing
from engine.admin.overview import overview
from engine.admin.pausing import go_on_restored
from engine.db.tables import MILLISECOND, audit_log, installation, processes
from engine.errors import Conflict
from engine.models import EmailState, OrderState, new_id
from engine.observability import heartbeat
from engine.observability.heartbeat import Heartbeat, Kind
from engine.queue import due
from engine.queue.epoch import LACKS, TOLERATED, Older, again, lacks, restored
from engine.queue.marks import Memory
from tests.helpers.beats import beat
from tests.helpers.rows import add_email, add_order, now, paused_lanes
from tests.helpers.waiting import wait_for
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.db.store import Store

pytestmark = pytest.mark.slow

ALL = {"orders", "emails", "webhooks"}
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture
def redis(server: Redis) -> Iterator[redis_client.Redis]:
    with redis_client.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


def row(store: Store) -> Any:
    with store.read() as connection:
        return connection.execute(select(installation)).one()


def restore(store: Store, ago: timedelta) -> None:
    """Set the mark back to its value in a backup of that time."""
    with store.write() as connection:
        connection.execute(update(installation).values(mark=row_mark(connection) - ago))


def row_mark(connection: Any) -> Any:
    return connection.scalar(select(installation.c.mark))


def test_a_database_that_is_as_new_as_it_was_is_not_paused(store: Store, redis: redis_client.Redis) -> None:
    beat(store, Memory(redis))
    first = row(store)
    beat(store, Memory(redis))
    assert row(store).id == first.id
    assert row(store).mark >= first.mark
    assert paused_lanes(store) == frozenset()
    with store.read() as connection:
        assert again(connection) is None


def test_a_restored_database_is_paused_and_tells_what_it_would_do_again(
    store: Store, redis: redis_client.Redis
) -> None:
    beat(store, Memory(redis))
    with store.write() as connection:
        order = add_order(connection, state=OrderState.PROCESSED)
        add_email(connection, order, address="sent@example.no")
        add_email(connection, order, address="later@example.no", due_in=HOUR)
        waited = {"waits_for": "domain example.no", "rank": 1}  # and may have gone meanwhile
        add_email(connection, order, address="waited@example.no", due_in=HOUR, creator="ttd", **waited)
        pausing.pause(connection, "anna", "lane", "orders", "of her own")
    before = row(store).mark
    restore(store, HOUR)
    beat(store, Memory(redis))
    assert paused_lanes(store) == ALL
    with store.read() as connection:
        assert again(connection) == {"orders": 0, "emails": 2, "webhooks": 0}
        [finding] = [each for each in overview(connection)["findings"] if "older than it was" in each["text"]]
        lines = connection.execute(select(audit_log.c.who, audit_log.c.action)).all()
    assert (finding["level"], finding["since"]) == ("problem", before - HOUR)
    assert ("varsel", "restored.pause") in [tuple(line) for line in lines]
    with store.write() as connection:
        assert due.claim(connection, due.EMAILS, 10, HOUR) == ()

    beat(store, Memory(redis))  # once it is found, it is not found again
    with store.write() as connection:
        pausing.go_on_restored(connection, "ola")
        with pytest.raises(Conflict):
            pausing.go_on_restored(connection, "ola")
    assert paused_lanes(store) == {"orders"}, "what an operator paused is an operator's to resume"
    beat(store, Memory(redis))
    assert paused_lanes(store) == {"orders"}
    with store.write() as connection:
        assert [claimed.address for claimed in due.claim(connection, due.EMAILS, 10, HOUR)] == ["sent@example.no"]
        actions = list(connection.scalars(select(audit_log.c.action).where(audit_log.c.who == "ola")))
    assert actions == ["restored.resume"]


def test_an_older_database_on_a_server_whose_clock_is_behind_is_found_once(
    store: Store, redis: redis_client.Redis
) -> None:
    memory = Memory(redis)
    beat(store, memory)
    memory.keep(row(store).id, row(store).mark + HOUR)  # told by a server whose clock was ahead of this one's
    beat(store, memory)
    assert paused_lanes(store) == ALL
    with store.write() as connection:
        pausing.go_on_restored(connection, "ola")
    beat(store, memory)
    assert paused_lanes(store) == frozenset()
    restore(store, HOUR)
    beat(store, memory)
    assert paused_lanes(store) == ALL, "a second restore is found as the first was"


def test_processes_of_the_time_of_the_backup_are_forgotten(store: Store) -> None:
    with store.write() as connection:
        values = {"id": new_id(now()), "kind": "worker", "host": "gone", "pid": 1, "version": "1", "started": now()}
        connection.execute(processes.insert().values(values | {"seen": now() - HOUR}))
        restored(connection)
        assert overview(connection)["processes"] == []


def test_what_was_in_flight_when_the_database_was_copied_may_have_been_done(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection)
        add_email(connection, order, due_in=-MINUTE, state=EmailState.SENDING, unresolved=1)  # its lease ended since
        add_email(connection, order, due_in=-MINUTE)
        restored(connection)
        connection.execute(update(installation).values(seen=now() - HOUR))
        assert again(connection) == {"orders": 0, "emails": 1, "webhooks": 0}


def test_a_running_process_remembers_even_when_redis_has_forgotten(store: Store, redis: redis_client.Redis) -> None:
    memory = Memory(redis)
    beat(store, memory)
    redis.flushall()
    restore(store, HOUR)
    beat(store, memory)
    assert paused_lanes(store) == ALL


def test_a_redis_that_knows_nothing_or_others_is_no_alarm(store: Store, redis: redis_client.Redis) -> None:
    beat(store, Memory(redis))
    restore(store, HOUR)
    redis.flushall()
    redis.zadd(Memory.KEY, {"0195f4a8-7c1b-7000-8000-1a2b3c4d5e6f": 9_999_999_999_999})
    beat(store, Memory(redis))
    assert paused_lanes(store) == frozenset()


@pytest.mark.parametrize("ago", [MILLISECOND, TOLERATED / 2])
def test_of_a_replica_that_lacks_the_last_seconds_it_is_told_once_and_work_goes_on(
    store: Store, redis: redis_client.Redis, ago: timedelta, caplog: pytest.LogCaptureFixture
) -> None:
    beat(store, Memory(redis))
    seen = row(store).mark
    restore(store, ago)
    beat(store, Memory(redis))
    beat(store, Memory(redis))
    assert paused_lanes(store) == frozenset()
    assert caplog.text.count("the database lacks what was done") == 1
    with store.read() as connection:
        assert lacks(connection) == Older(seen - ago, seen)
        [finding] = [each for each in overview(connection)["findings"] if "a server took over" in each["text"]]
        assert (finding["level"], finding["since"]) == ("warning", seen - ago)
        actions = list(connection.scalars(select(audit_log.c.action).where(audit_log.c.target == "database")))
    assert actions == [LACKS]


def test_nobody_claims_before_the_database_was_compared(store: Store, tmp_path: Path) -> None:
    """While Redis is away, the mark does not move, and nothing counts as settled."""
    beating = Heartbeat(store, Kind("worker"), Memory(redis_client.Redis.from_url(f"unix://{tmp_path}/nobody")))
    beating.start()
    try:
        wait_for(lambda: process_seen(store))
        assert not beating.settled()
        with store.read() as connection:
            assert connection.execute(select(installation)).first() is None
    finally:
        beating.stop()


def process_seen(store: Store) -> bool:
    with store.read() as connection:
        return bool(overview(connection)["processes"])


def test_after_a_fault_claims_wait_for_those_who_have_outcomes_to_write(
    store: Store, redis: redis_client.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.02)
    beating = beat(store, Memory(redis))
    assert beating.settled()
    beating.doubt()
    assert not beating.settled()
    for _ in range(heartbeat.SETTLED_AFTER):
        assert not beating.settled()
        beating._beat(beating._written, None)  # noqa: SLF001 one beat, without waiting for it
    assert beating.settled()


@pytest.mark.dialects
def test_of_two_who_let_a_restored_database_go_on_at_once_one_does(store: Store) -> None:
    with store.write() as connection:
        restored(connection)
    told: list[BaseException] = []

    def second() -> None:
        try:
            with store.write() as connection:
                go_on_restored(connection, "ola")
        except BaseException as error:  # noqa: BLE001 shown below
            told.append(error)

    thread = threading.Thread(target=second)
    with store.write() as connection:
        go_on_restored(connection, "anna")
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert [type(error) for error in told] == [Conflict]
