"""`varsel drill backup` on both databases, and what `varsel drill kill` refuses."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import update

from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.db.tables import metadata, processes
from engine.drills import census
from engine.drills.postgresql import PREFIX, PostgreSQLCopying
from engine.runtime.proc import children
from engine.text.urls import file_of
from tests.helpers.command import command, environment, process, varsel
from tests.helpers.processes import alive, start
from tests.helpers.rows import add_email, add_order, add_subscription, count, now
from tests.helpers.waiting import patience, wait_for
from tests.servers.postgres import name_of, program

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.slow

MOST = 2_000  # rows that are written meanwhile: whoever writes without end leaves a small machine little
KEY = "a key of these tests, 32 characters"


@pytest.fixture(autouse=True)
def _tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(program('pg_dump')).parent}:{os.environ['PATH']}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """For the drill's temporary copies."""
    (made := tmp_path / "copies").mkdir()
    return made


def drilled(*words: object, **settings: Any) -> tuple[int, dict[str, Any], str]:
    """The drill's exit code, its report, and what it said otherwise."""
    done = process("drill", *words, "--json", **settings)
    return done.returncode, json.loads(done.stdout or "{}"), done.stderr


def databases(url: str) -> set[str]:
    """The databases that drills have left on the server."""
    if file_of(url):
        return set()
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{PREFIX}%"])
        return {name for [name] in found}


def test_a_backup_is_whole_while_others_write_and_nothing_of_it_stays(
    store: Store, database: str, database_url: str, folder: Path
) -> None:
    """On SQLite, the webhook key is not there."""
    key = {"webhook_key": KEY} if database == "postgresql" else {}
    with store.write() as connection:
        add_subscription(connection, "https://receiver.example/hook")
        of = add_order(connection)
        for _ in range(3):
            add_email(connection, of)
    over, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        while not over.is_set() and written < MOST:
            with store.write() as connection:
                add_order(connection)
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        wait_for(lambda: written)
        code, report, said = drilled("backup", "--yes", "--folder", folder, database_url=database_url, **key)
    finally:
        over.set()
        writer.join()
    missing = [] if key else ["the webhook key is not here, without which subscribers refuse all events"]
    assert report["differences"] == missing, said
    assert (code, report["whole"]) == (int(bool(missing)), not missing)
    rows = {each["table"]: (each["original"], each["copy"]) for each in report["tables"]}
    assert rows.keys() == metadata.tables.keys() | {"alembic_version"}
    assert rows["emails"] == (3, 3)
    assert 1 < rows["orders"][0] == rows["orders"][1] <= written + 1
    assert report["again"] == {"orders": 0, "emails": 3, "webhooks": 0}
    assert [each["name"] for each in report["steps"]] == ["copy", "restore", "compare", "start"]
    assert report["steps"][0]["bytes"] > 0
    assert [count(store, metadata.tables[name]) for name in ("pauses", "audit_log", "processes")] == [0, 0, 0]
    assert [*folder.iterdir()] == []
    assert databases(database_url) == set()


def test_a_database_that_is_named_is_empty_afterwards_and_must_be_before(postgres: Postgres, folder: Path) -> None:
    url, other = postgres.database(), postgres.database()
    with closing(Store(url)) as store:
        upgrade(store)
    with PostgreSQLCopying(url, other, folder) as copying:
        copying.copy(nothing, nothing)
        assert copying.restore(nothing) == other
        with copying.asking() as ask:
            [[tables]] = ask("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert tables == len(metadata.tables) + 1
    with psycopg.connect(other) as connection:
        assert (
            connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
            == []
        )
    code, _, said = drilled("backup", "--into", name_of(url), database_url=url)
    assert code == 5
    assert "has tables: name an empty one" in said


def test_tables_in_a_schema_of_their_own_are_restored_where_they_were(postgres: Postgres, folder: Path) -> None:
    url, other = postgres.database(), postgres.database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA its_own")
        connection.execute(f"ALTER DATABASE {name_of(url)} SET search_path = its_own".encode())
    with closing(Store(url)) as store:
        upgrade(store)
        with store.write() as connection:
            add_order(connection)
    given = {"database_url": url, "webhook_key": KEY}
    code, report, said = drilled("backup", "--yes", "--folder", folder, **given)
    assert (code, report["whole"]) == (0, True), said
    assert {"table": "orders", "original": 1, "copy": 1} in report["tables"]
    code, _, said = drilled("backup", "--into", name_of(other), "--folder", folder, **given)
    assert code == 1
    assert "give the database of --into the search_path of the original" in said
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute("DROP SCHEMA its_own CASCADE")
        connection.execute(f"ALTER DATABASE {name_of(other)} SET search_path = its_own".encode())
    for _ in range(2):
        code, report, said = drilled("backup", "--into", name_of(other), "--folder", folder, **given)
        assert (code, report["whole"]) == (0, True), said


def test_who_may_not_create_databases_is_told_to_name_one(postgres: Postgres) -> None:
    url = postgres.database()
    with closing(Store(url)) as store:
        upgrade(store)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE lesser LOGIN")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO lesser")
    code, _, said = drilled("backup", "--yes", database_url=url.replace("varsel@", "lesser@"))
    assert code == 1
    assert "lesser may not create databases" in said
    assert "--into" in said


def test_what_is_wrong_with_the_named_database_is_said_as_everywhere(postgres: Postgres) -> None:
    url = postgres.database()
    with closing(Store(url)) as store:
        upgrade(store)
    code, _, said = drilled("backup", "--into", "missing", database_url=url)
    assert code == 1
    assert 'database "missing" does not exist' in said
    assert "createdb" in said


@pytest.mark.dialects
def test_numbers_that_would_be_given_twice_are_found(store: Store) -> None:
    with store.write() as connection:
        add_subscription(connection, "https://receiver.example/hook")
    rows = {"subscriptions": census.Rows(1, 1)}
    begins_anew = {"sqlite": "UPDATE sqlite_sequence SET seq = 0"}
    spent = begins_anew.get(store.dialect.name, "ALTER SEQUENCE subscriptions_seq_seq RESTART")
    with store.engine.connect() as connection:

        def ask(said: str) -> Any:
            return connection.exec_driver_sql(said).fetchall()

        assert census.spent(ask, store.dialect, rows) == []
        connection.exec_driver_sql(spent)
        assert census.spent(ask, store.dialect, rows) == ["subscriptions"]


def test_a_drill_that_is_killed_leaves_no_process_behind(tmp_path: Path, folder: Path) -> None:
    url = f"sqlite:///{tmp_path}/varsel.db"
    with closing(Store(url)) as store:
        upgrade(store)
    words = command("drill", "backup", "--folder", folder)
    drill = start(words, env=environment(database_url=url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def web() -> int | None:
        its = {each: Path(f"/proc/{each}/cmdline").read_bytes() for each in children(drill.pid)}
        return next((each for each, words in its.items() if b"\0web\0" in words), None)

    found = wait_for(web) or 0
    drill.kill()
    drill.wait(patience())
    wait_for(lambda: not alive(found))


@pytest.mark.parametrize("name", ["an other", "100%41", 'q"uo?host=x#/@'])
def test_a_database_is_copied_whatever_its_name(postgres: Postgres, name: str, folder: Path) -> None:
    quoted = name.replace('"', '""')
    postgres.tell(f'CREATE DATABASE "{quoted}" TEMPLATE template0')
    url = postgres.address(quote(name))
    with closing(Store(url)) as store:
        upgrade(store)
    code, report, said = drilled("backup", "--yes", "--folder", folder, database_url=url, webhook_key=KEY)
    assert (code, report["whole"]) == (0, True), said
    assert databases(url) == set()


# What `kill` refuses


def beat(store: Store, host: str = "", **told: str) -> None:
    """A heartbeat of this process, or of one elsewhere, which tells these settings."""
    who = {"id": uuid4(), "kind": "worker", "host": host or socket.gethostname(), "pid": os.getpid()}
    what = {"version": "0", "started": now(), "seen": now(), "skew_ms": 0, "settings": json.dumps(told)}
    with store.write() as connection:
        connection.execute(processes.insert().values(who | what))


def test_kill_touches_only_varsel_up_with_its_inbox(store: Store, database_url: str, tmp_path: Path) -> None:
    def refused() -> str:
        done = varsel("drill", "kill", "worker", "--yes", data=str(tmp_path), database_url=database_url)
        assert done.exit_code == 5, done.output
        return done.output

    assert "start `varsel up`" in refused()
    beat(store, smtp_url="smtp://relay.example.no:25")
    assert "not all processes are those of `varsel up`" in refused()
    with (tmp_path / "varsel.lock").open("w"), socket.socket() as listening:
        assert "its relay is not the development inbox" in refused()
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        here = f"smtp://127.0.0.1:{listening.getsockname()[1]}"
        for told in ({"smtp_url": here}, {"smtp_url": f"{here},smtp://relay.example.no:25", "inbox": str(tmp_path)}):
            tell(store, **told)
            assert "its relay is not the development inbox" in refused()
        with store.write() as connection:
            connection.execute(
                update(processes).values(settings=json.dumps({"smtp_url": here, "inbox": str(tmp_path)}))
            )
        assert "nobody known receives mail" in refused()
        beat(store, host="elsewhere")
        assert "run on elsewhere, too" in refused()


def tell(store: Store, **told: str) -> None:
    """Let the processes tell other settings."""
    with store.write() as connection:
        connection.execute(update(processes).values(settings=json.dumps(told)))


def nothing(_done: int, _of: int) -> None:
    pass
