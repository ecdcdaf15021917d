"""The store, on both databases: transactions, the clock, and what happens when the database does not answer."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Integer, event, literal, select, text
from sqlalchemy.exc import IntegrityError

from engine.db.dialects import Now, after, insert_new
from engine.db.migrations import upgrade
from engine.db.store import CONNECTIONS, Store, ping
from engine.db.tables import EPOCH, contacts, idempotency_keys
from engine.errors import Unavailable
from tests.helpers.processes import start
from tests.helpers.rows import contact_names
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.dialects

PERSON = {"identity": "16069412345", "name": "Kari", "email": "kari@example.no", "is_reserved": False}

# A process that adds 1 to a number 50 times: reads, then writes what it read plus one, in one transaction each.
COUNTER = """
import sys
from sqlalchemy import select, update
from engine.db.store import Store
from engine.db.tables import contacts
store = Store(sys.argv[1])
for _ in range(50):
    with store.write() as connection:
        value = int(connection.scalars(select(contacts.c.name).with_for_update()).one())
        connection.execute(update(contacts).values(name=str(value + 1)))
"""


def add(connection: Connection, /, **values: Any) -> None:
    connection.execute(contacts.insert().values(PERSON | values))


def fail_after_adding(store: Store, error: Exception) -> None:
    with store.write() as connection:
        add(connection)
        raise error


@pytest.mark.parametrize("error", [ValueError("bug"), Unavailable("the relay")])
def test_a_block_that_raises_has_written_nothing(store: Store, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        fail_after_adding(store, error)
    assert raised.value is error
    assert contact_names(store) == []
    with store.write() as connection:  # and the way is free for the next
        add(connection)
    assert contact_names(store) == ["Kari"]


def test_what_is_being_written_is_seen_by_nobody_else(store: Store) -> None:
    with store.write() as connection:
        add(connection)
        assert contact_names(store) == []
    assert contact_names(store) == ["Kari"]


def test_a_mistake_in_a_statement_stays_a_mistake(store: Store) -> None:
    with pytest.raises(IntegrityError), store.write() as connection:
        add(connection, name=None)


def test_writers_of_many_threads_take_turns(store: Store) -> None:
    with store.write() as connection:
        add(connection, name="0")

    def add_one(_: int) -> None:
        with store.write() as connection:
            value = int(connection.scalars(select(contacts.c.name).with_for_update()).one())
            connection.execute(contacts.update().values(name=str(value + 1)))

    with ThreadPoolExecutor(CONNECTIONS + 2) as pool:
        list(pool.map(add_one, range(100)))
    assert contact_names(store) == ["100"]


@pytest.mark.slow
def test_writers_of_many_processes_take_turns(store: Store, database_url: str) -> None:
    with store.write() as connection:
        add(connection, name="0")
    running = [start([sys.executable, "-c", COUNTER, database_url]) for _ in range(3)]
    assert [process.wait(patience()) for process in running] == [0, 0, 0]
    assert contact_names(store) == ["150"]


def test_asynchronous_code_reads_and_writes_in_threads(store: Store) -> None:
    async def work() -> None:
        await asyncio.gather(*(store.writing(add, name=f"{n}") for n in range(20)))
        assert await store.reading(lambda connection, wanted: connection.execute(wanted).all(), select(contacts))

    asyncio.run(work())
    assert sorted(contact_names(store), key=int) == [str(n) for n in range(20)]


def test_a_row_that_is_there_is_left_alone(store: Store) -> None:
    row = {"creator": "ttd", "key": "k", "fingerprint": "f", "answer": "null", "created": EPOCH}
    found = []
    for answer in ("first", "second"):
        with store.write() as connection:
            statement = insert_new(connection.dialect.name, idempotency_keys).returning(idempotency_keys.c.answer)
            values = row | {"answer": answer, "order_id": uuid4()}
            found.append(connection.execute(statement.values(values)).first())
    assert [each is not None for each in found] == [True, False]
    with store.read() as connection:
        assert connection.scalars(select(idempotency_keys.c.answer)).one() == "first"


def test_the_clock_is_the_databases_and_in_milliseconds(store: Store) -> None:
    with store.read() as connection:
        ping(connection)
        before, now, later = datetime.now(UTC), connection.scalars(select(Now())).one(), datetime.now(UTC)
        assert before - timedelta(milliseconds=2) <= now <= later + timedelta(milliseconds=2)
        assert now.microsecond % 1000 == 0
        one, other = connection.execute(select(Now(), after(timedelta(seconds=90)))).one()
        assert other - one == timedelta(seconds=90)
        one, earlier, nothing = connection.execute(
            select(Now(), after(timedelta(hours=-1)), after(literal(None, Integer)))
        ).one()
        assert one - earlier == timedelta(hours=1)
        assert nothing is None


@pytest.mark.parametrize(
    "moment",
    [
        EPOCH,
        datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
        datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC),
    ],
)
def test_an_instant_is_kept_to_the_millisecond(store: Store, moment: datetime) -> None:
    with store.write() as connection:
        row = {"creator": "a", "key": "k", "fingerprint": "", "order_id": uuid4(), "answer": ""}
        connection.execute(idempotency_keys.insert().values(row | {"created": moment + timedelta(microseconds=999)}))
        assert connection.scalars(select(idempotency_keys.c.created)).one() == moment
        assert connection.scalars(select(idempotency_keys.c.key).where(idempotency_keys.c.created == moment)).one()


def terminate_others(connection: Connection) -> None:
    others = "datname = current_database() AND pid <> pg_backend_pid()"
    connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"))


def test_a_server_that_hangs_up_is_told_and_found_again(postgres: Postgres) -> None:
    url = postgres.database()
    store = Store(url)
    upgrade(store)
    other = Store(url)
    with pytest.raises(Unavailable, match="the database"), store.write() as connection:  # noqa: PT012 it ends in the middle
        add(connection)
        with other.read() as killer:
            terminate_others(killer)
        add(connection)
    assert contact_names(store) == []
    with other.read() as killer:  # while the store's connections are idle
        terminate_others(killer)
    with store.write() as connection:
        add(connection)
    assert contact_names(store) == ["Kari"]
    other.close()
    store.close()


def test_waiting_for_a_connection_ends(postgres: Postgres) -> None:
    store = Store(postgres.database())
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            stack.enter_context(store.read())
        with pytest.raises(Unavailable, match="the database"):
            stack.enter_context(store.read())
    with store.read() as connection:
        ping(connection)
    store.close()


@pytest.mark.parametrize("use", ["read", "write"])
def test_a_connection_in_use_outlives_its_store_until_its_block_ends(database_url: str, use: str) -> None:
    store = Store(database_url)
    ended: list[object] = []
    event.listen(store.engine.pool, "close", lambda connection, _record: ended.append(connection))
    with getattr(store, use)() as connection:
        its = connection.connection.driver_connection
        store.close()
        ping(connection)
        assert its not in ended
    assert its in ended


def test_a_database_that_is_not_there_is_told(tmp_path: Path) -> None:
    nowhere = Store(f"postgresql://varsel@/varsel?host={tmp_path}")
    (tmp_path / "varsel.db").mkdir()
    folder = Store(f"sqlite:///{tmp_path}/varsel.db")
    for store in (nowhere, folder):
        with pytest.raises(Unavailable, match="the database"), store.read() as connection:
            ping(connection)
        store.close()
