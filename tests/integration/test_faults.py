"""If a database hangs, is locked, read-only or full, the store raises Unavailable soon, and nothing else."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError

import engine.db.sqlite
import engine.db.store
from engine.db.store import CONNECTIONS, Store, ping
from engine.db.tables import contacts
from engine.errors import Unavailable
from tests.helpers.waiting import wait_for
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

PERSON = {"identity": "16069412345", "name": "Kari", "email": "kari@example.no", "is_reserved": False}
UNAVAILABLE = (
    *("08000", "08006", "25006", "25P03", "40001", "40P01", "42501", "53000", "53100", "53200", "53300", "55P03"),
    *("57014", "57P01", "57P02", "57P03", "58000", "58030", "58P01", "XX001", "XX002"),
)
MISTAKES = ("22P02", "23505", "42601", "42P01", "42703", "0A000", "XX000", "P0001")


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A database server that tests may stop."""
    with Postgres() as running:
        yield running


@pytest.fixture
def remote(server: Postgres) -> Iterator[Store]:
    with closing(Store(server.database())) as store:
        with store.write() as connection:
            contacts.create(connection)
        yield store


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An SQLite file with short time-outs."""
    monkeypatch.setattr(engine.db.sqlite, "TURN", 0.5)
    monkeypatch.setattr(engine.db.sqlite, "BUSY_MS", 500)
    with closing(Store(f"sqlite:///{tmp_path}/varsel.db")) as store:
        with store.write() as connection:
            contacts.create(connection)
        yield store


def add(connection: Connection) -> None:
    connection.execute(contacts.insert().values(PERSON))


def number(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT count(*) FROM contacts")).scalar_one())


def refused(store: Store) -> Unavailable:
    """The error that a write raises."""
    with pytest.raises(Unavailable, match="the database") as raised, store.write() as connection:
        add(connection)
    return raised.value


def test_a_server_that_hangs_is_told_to_all_who_ask_and_found_again(server: Postgres, remote: Store) -> None:
    async def ask() -> list[Any]:
        asked = [remote.reading(ping) for _ in range(5 * CONNECTIONS)] + [remote.writing(add) for _ in range(5)]
        answers = asyncio.gather(*asked, return_exceptions=True)
        assert await asyncio.to_thread(lambda: "free") == "free"  # threads for everything else
        return await answers

    with ThreadPoolExecutor(CONNECTIONS) as pool:  # so that there are idle connections, which look well
        list(pool.map(lambda _: number(remote), range(100)))
    server.hang()
    answers = asyncio.run(ask())
    server.resume()
    assert {type(answer) for answer in answers} == {Unavailable}
    assert number(remote) == 0
    with remote.write() as connection:
        add(connection)
    assert number(remote) == 1
    assert remote.trouble is None


def test_a_server_that_hangs_in_the_middle_of_a_transaction_is_told(server: Postgres, remote: Store) -> None:
    with pytest.raises(Unavailable, match="the database"), remote.write() as connection:  # noqa: PT012 it hangs in the middle
        add(connection)
        server.hang()
        add(connection)
    server.resume()
    assert number(remote) == 0


@pytest.mark.parametrize("way", ["read", "write"])
def test_a_server_that_hangs_where_a_transaction_begins_is_told_without_a_trace(
    way: str, server: Postgres, remote: Store, caplog: pytest.LogCaptureFixture
) -> None:
    number(remote)
    event.listen(remote.engine, "checkout", lambda *_: server.hang(), once=True)  # before it begins
    with pytest.raises(Unavailable, match="does not answer"), getattr(remote, way)() as connection:
        ping(connection)
    server.resume()
    assert number(remote) == 0
    assert not [record for record in caplog.records if record.exc_info]


def test_a_lock_that_somebody_keeps_is_told(remote: Store) -> None:
    with closing(Store(remote.engine.url.render_as_string())) as other, other.write() as connection:
        connection.execute(text("LOCK TABLE contacts"))
        refused(remote)
    with remote.write() as connection:
        add(connection)


def test_what_is_patient_waits_longer_than_a_statement_may_take(remote: Store) -> None:
    with remote.write(patient=True) as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "0"
        assert connection.connection.dbapi_connection.patient  # type: ignore[union-attr]
        one = connection.connection.dbapi_connection
    assert not one.patient  # type: ignore[union-attr]
    with remote.write() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "9s"


def test_a_server_that_only_reads_is_told_to_writers_alone(remote: Store) -> None:
    name = remote.engine.url.database
    with remote.write() as writer:
        writer.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
    remote.engine.dispose()
    assert "read-only transaction" in str(refused(remote).told())
    assert remote.trouble is not None
    assert number(remote) == 0
    with psycopg.connect(remote.engine.url.render_as_string().replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only'.encode())
    refused(remote)  # on a connection from before; it gives up all of these
    with remote.write() as writer:
        add(writer)
    assert remote.trouble is None


def fail_with(store: Store, state: str) -> None:
    with store.write() as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{state}'; END $$"))


@pytest.mark.parametrize("state", UNAVAILABLE)
def test_what_ails_the_server_is_no_mistake_of_the_statement(state: str, remote: Store) -> None:
    with pytest.raises(Unavailable) as raised:
        fail_with(remote, state)
    assert "(so it is). " in str(raised.value.told())
    assert number(remote) == 0


@pytest.mark.parametrize("state", MISTAKES)
def test_a_mistake_in_a_statement_is_not_the_servers_fault(state: str, remote: Store) -> None:
    with pytest.raises(DBAPIError):
        fail_with(remote, state)
    assert remote.trouble is None


def test_somebody_else_who_writes_to_the_file_for_ever_is_told(file: Store, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "varsel.db", isolation_level=None)) as shell:
        shell.execute("BEGIN IMMEDIATE")
        refused(file)
        assert file.trouble is not None
        assert number(file) == 0  # who reads does not wait for who writes
        shell.execute("ROLLBACK")
    with file.write() as connection:
        add(connection)
    assert file.trouble is None


def test_a_gate_that_nobody_opens_is_told_and_not_kept_by_who_gave_up(file: Store, tmp_path: Path) -> None:
    with (tmp_path / "varsel.db.gate").open() as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)  # as a process does that is stopped while it writes
        with ThreadPoolExecutor(5) as pool:
            list(pool.map(lambda _: refused(file), range(5)))
        fcntl.flock(stopped, fcntl.LOCK_UN)

        def free() -> bool:
            try:
                fcntl.flock(stopped, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            fcntl.flock(stopped, fcntl.LOCK_UN)
            return True

        wait_for(free)
    with file.write() as connection:
        add(connection)
    assert number(file) == 1


@pytest.mark.parametrize("pragma", ["query_only = ON", "max_page_count = 1"])
def test_a_file_that_cannot_be_written_is_told(pragma: str, file: Store) -> None:
    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA {pragma}").close()

    def fill(connection: Connection) -> None:
        many = [PERSON | {"identity": f"{n:011}", "name": "K" * 1000} for n in range(100)]
        connection.execute(contacts.insert(), many)

    file.engine.dispose()
    event.listen(file.engine, "connect", limit)
    with pytest.raises(Unavailable, match="the database"):
        asyncio.run(file.writing(fill))
    assert file.trouble is not None
    assert number(file) == 0
    event.remove(file.engine, "connect", limit)
    file.engine.dispose()
    with file.write() as connection:
        fill(connection)
    assert file.trouble is None


def test_an_outcome_is_recorded_when_the_database_takes_it_again(file: Store, tmp_path: Path) -> None:
    with (
        closing(sqlite3.connect(tmp_path / "varsel.db", isolation_level=None)) as shell,
        ThreadPoolExecutor(1) as pool,
    ):
        shell.execute("BEGIN IMMEDIATE")
        recorded = pool.submit(asyncio.run, file.recording(add))
        wait_for(lambda: file.trouble)
        shell.execute("ROLLBACK")
        recorded.result()
    assert number(file) == 1
