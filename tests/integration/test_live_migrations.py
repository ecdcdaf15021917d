"""Steps of the schema on a PostgreSQL that is in use, and what `varsel migrate --dry-run` says of them."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text

from engine.db.migrations import Fit, fit, missing, module, revision, revisions, upgrade
from engine.db.migrations.indexes import BUILT
from engine.db.store import Store
from engine.db.tables import emails, metadata
from tests.helpers.command import command, environment, varsel
from tests.helpers.old_database import fill
from tests.helpers.processes import start
from tests.helpers.rows import add_email, add_order
from tests.helpers.steps import migrate
from tests.helpers.waiting import patience, wait_for
from tests.servers.postgres import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.dialects

BEFORE = "0039"  # the next step makes indexes on orders and e-mails
BUILDING = f"SELECT 1 FROM pg_index WHERE NOT indisvalid AND indexrelid::regclass::text LIKE '%{BUILT}'"
BUILDERS = "FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'"


@pytest.fixture
def url(postgres: Postgres) -> str:
    """A database that lacks a step, with an e-mail."""
    made = postgres.database()
    with closing(Store(made)) as store, store.write() as connection:
        migrate(connection, BEFORE)
        add_email(connection, add_order(connection))
    return made


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(Store(url)) as store:
        yield store


@pytest.fixture
def reader(url: str) -> Iterator[psycopg.Connection]:
    """Somebody who has read the e-mails in a transaction that does not end."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT FROM emails")
        yield connection


def assert_current(store: Store) -> None:
    with store.read() as connection:
        assert fit(connection) is Fit.CURRENT
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert connection.scalars(text("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")).all() == []


def test_nobody_waits_behind_a_step_that_waits_for_a_reader(
    store: Store, reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.db.migrations.live.PAUSE", 0.1)
    with ThreadPoolExecutor() as pool:
        migrating = pool.submit(upgrade, store)
        wait_for(lambda: migrating.done() or "waits for a lock" in caplog.text)
        for _ in range(3):
            with store.write() as connection:
                add_email(connection, add_order(connection))
            with store.read() as connection:
                assert connection.scalar(select(emails.c.seq).limit(1))
        assert not migrating.done()
        reader.commit()
        assert migrating.result() is Fit.BEHIND
    assert f"of process {reader.info.backend_pid} " in caplog.text
    assert_current(store)


def test_a_build_that_its_users_lock_timeout_ends_is_tried_again(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.db.migrations.live.PAUSE", 0.1)
    with psycopg.connect(url) as holder, closing(Store(f"{url}&options=-clock_timeout%3D10ms")) as store:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT FROM emails")
        with ThreadPoolExecutor() as pool:
            migrating = pool.submit(upgrade, store)
            wait_for(lambda: migrating.done() or "waits for a lock" in caplog.text)
            assert not migrating.done()
            holder.commit()
            assert migrating.result() is Fit.BEHIND
        assert_current(store)


def test_a_step_that_gets_no_lock_gives_up_and_names_who_has_it(
    url: str, store: Store, reader: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.db.migrations.live.PATIENCE", timedelta(0))
    shown = varsel("migrate", database_url=url)
    assert shown.exit_code == 1
    whose = f"(the oldest transaction is of process {reader.info.backend_pid} "
    assert f"step 0040 did not get the locks that it needs {whose}" in shown.stderr
    with store.read() as connection:
        assert revision(connection) == BEFORE
    reader.commit()
    assert upgrade(store) is Fit.BEHIND
    assert_current(store)


def test_a_step_that_is_killed_while_it_builds_an_index_is_made_once_more(url: str, store: Store) -> None:
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as watching:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT FROM emails")  # the build waits until nobody can see what was before it
        migrating = start(command("migrate"), env=environment(database_url=url), stderr=subprocess.DEVNULL)
        wait_for(lambda: migrating.poll() is not None or watching.execute(BUILDING).fetchone())
        migrating.send_signal(signal.SIGKILL)
        migrating.wait(patience())
        assert watching.execute(f"SELECT pg_terminate_backend(pid) {BUILDERS}").fetchall() == [(True,)]
        wait_for(lambda: not watching.execute(f"SELECT 1 {BUILDERS}").fetchone())
        assert watching.execute(BUILDING).fetchone()
    assert upgrade(store) is Fit.BEHIND
    assert_current(store)


def test_many_may_migrate_a_database_in_use_at_once(url: str) -> None:
    stores = [Store(url) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(upgrade, stores))
    assert sorted(each.value for each in found) == ["behind", "current", "current", "current"]
    assert_current(stores[0])
    for store in stores:
        store.close()


# The dry run


def dry_run(url: str) -> str:
    shown = varsel("migrate", "--dry-run", database_url=url)
    assert (shown.exit_code, shown.stderr) == (0, "")
    return shown.stdout


def execute(url: str, script: str) -> None:
    """Run SQL as an administrator does."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            connection.executescript(script)
    else:
        shell = [program("psql"), "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--dbname", url]
        done = subprocess.run(shell, input=script, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.mark.filterwarnings("ignore:.*expression-based index")
@pytest.mark.parametrize("begin", ["nothing", "the older release"])
def test_a_dry_run_changes_nothing_and_prints_what_makes_the_schema(begin: str, empty_url: str) -> None:
    with closing(Store(empty_url)) as store:
        if begin != "nothing":
            with store.write() as connection:
                fill(connection, "http://127.0.0.1:1")
        with store.read() as connection:
            before = revision(connection)
        script = dry_run(empty_url)
        with store.read() as connection:
            assert revision(connection) == before
        for step in missing(before):
            assert f"-- {step}: " in script
        in_use = begin != "nothing" and empty_url.startswith("postgresql")
        assert ("CREATE INDEX CONCURRENTLY ix_emails_open_new" in script) is in_use
        assert ("SET LOCAL lock_timeout" in script) is in_use
        execute(empty_url, script)
        with store.read() as connection:
            assert fit(connection) is Fit.CURRENT
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    shown = varsel("migrate", "--dry-run", database_url=empty_url)
    assert (shown.exit_code, shown.stdout, shown.stderr) == (0, "", "nothing to do\n")


def test_each_step_says_what_it_costs() -> None:
    oldest = "0014"  # of the older release: who has less than that began before there were releases
    without = [step for step in revisions() if step > oldest and not getattr(module(step), "COST", "")]
    assert without == []
