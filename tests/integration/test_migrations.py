"""The migrations and the tables say the same, on both databases."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from engine.db.migrations import COMPLAINTS, Fit, admit, alembic_config, fit, revisions, upgrade
from engine.db.store import Store
from engine.db.tables import compatibility, metadata, pauses
from engine.errors import Misconfigured, Unavailable
from engine.models import OrderState
from engine.queue.pauses import in_force
from tests.helpers import processing
from tests.helpers.command import process, varsel
from tests.helpers.rows import add_email, add_order
from tests.helpers.steps import migrate
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.dialects


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # Alembic cannot compare these on SQLite
def test_a_migrated_database_has_exactly_the_tables(store: Store) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert fit(connection) is Fit.CURRENT


@pytest.mark.filterwarnings("ignore:.*expression-based index")
def test_what_belongs_to_a_table_is_called_after_it(store: Store) -> None:
    with store.read() as connection:
        there = inspect(connection)
        for name, table in metadata.tables.items():
            called = {str(index["name"]) for index in there.get_indexes(name)}
            if connection.dialect.name == "postgresql":  # SQLite keeps the names that constraints began with
                called |= {str(there.get_pk_constraint(name)["name"] or f"pk_{name}")}
                called |= {str(key["name"]) for key in there.get_foreign_keys(name)}
                if "seq" in table.c:
                    assert f"{name}_seq_seq" in there.get_sequence_names()
            assert [each for each in called if not each.partition("_")[2].startswith(name)] == []


def test_many_may_migrate_at_once(empty_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    stores = [Store(empty_url) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(upgrade, stores))
    with stores[0].read() as connection:
        assert fit(connection) is Fit.CURRENT
    for store in stores:
        store.close()
    assert "Traceback" not in capfd.readouterr().err


def test_an_empty_database_is_behind(empty_url: str) -> None:
    store = Store(empty_url)
    with store.read() as connection:
        assert fit(connection) is Fit.BEHIND
    store.close()


def become_newer(store: Store, oldest: str) -> None:
    """Migrate as a newer program would: something is added, and programs from `oldest` on can work on it."""
    with store.write() as connection:
        connection.execute(text("ALTER TABLE emails ADD COLUMN news TEXT NOT NULL DEFAULT 'none'"))
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        connection.execute(compatibility.update().values(oldest=oldest))


def test_a_schema_that_was_only_added_to_lets_an_older_program_work(store: Store, database_url: str) -> None:
    become_newer(store, oldest="0008")
    other = Store(database_url, admit)
    with other.write() as connection:
        assert fit(connection) is Fit.AHEAD
        add_email(connection, add_order(connection))
    assert upgrade(other) is Fit.AHEAD
    other.close()


def test_a_schema_that_is_too_new_admits_no_older_program(store: Store, database_url: str) -> None:
    become_newer(store, oldest="9000")
    other = Store(database_url, admit)
    for _ in range(2):
        with pytest.raises(Unavailable, match="a newer Varsel"), other.read():
            pass
    with pytest.raises(Misconfigured, match="a newer Varsel"):
        upgrade(store)
    with store.read() as connection:
        assert fit(connection) is Fit.TOO_NEW
    become_current = text("UPDATE alembic_version SET version_num = :newest")
    with store.write() as connection:
        connection.execute(become_current, {"newest": revisions()[0]})
    with other.read() as connection:
        assert fit(connection) is Fit.CURRENT
    other.close()


def test_a_process_that_runs_notices_that_the_schema_became_too_new_and_ends_what_it_has_begun(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.db.store.ADMITTED", 0.0)
    other = Store(database_url, admit)
    with other.write() as connection:
        order = add_order(connection)
    become_newer(store, oldest="9000")
    with pytest.raises(Unavailable, match="a newer Varsel"), other.read():
        pass
    with pytest.raises(Unavailable, match="a newer Varsel"), other.write():
        pass
    asyncio.run(other.recording(lambda connection: add_email(connection, order)))
    other.close()


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "creator", "zz", "--reason", "a test", "--yes"),
        ("lanes",),
        ("orders", "list"),
        ("restored",),
        ("restored", "--pause"),
    ],
    ids=" ".join,
)
def test_a_command_refuses_a_schema_that_is_too_new_in_the_words_of_the_processes(
    words: tuple[str, ...], store: Store, database_url: str
) -> None:
    become_newer(store, oldest="9000")
    shown = varsel(*words, database_url=database_url)
    assert (shown.exit_code, shown.stdout) == (1, "")
    assert shown.stderr == f"Error: {COMPLAINTS[Fit.TOO_NEW]}\n"
    with store.read() as connection:
        assert connection.execute(select(pauses)).all() == []


def test_a_command_works_on_a_schema_that_was_only_added_to(store: Store, database_url: str) -> None:
    become_newer(store, oldest="0008")
    shown = varsel("pause", "creator", "zz", "--reason", "a test", "--yes", database_url=database_url)
    assert (shown.exit_code, shown.stderr) == (0, "")


def test_the_steps_are_known_by_their_files() -> None:
    assert revisions() == [step.revision for step in ScriptDirectory.from_config(alembic_config()).walk_revisions()]


@pytest.mark.parametrize("name", ["migrate", "worker", "scheduler"])
def test_a_process_says_in_one_line_that_the_schema_is_too_new(
    name: str, store: Store, database_url: str, tmp_path: Path
) -> None:
    become_newer(store, oldest="9000")
    own = {"database_url": database_url, "redis_url": f"unix://{tmp_path}/redis.sock"}
    ended = process(name, **own, smtp_url="smtp://127.0.0.1:1", webhook_key="a key of these tests, 32 characters")
    assert (ended.returncode, ended.stdout) == (1, "")
    [line] = ended.stderr.splitlines()
    assert str(COMPLAINTS[Fit.TOO_NEW]) in line


def test_migrate_says_in_one_line_that_there_is_nothing_to_do(store: Store, database_url: str) -> None:
    become_newer(store, oldest="0008")
    ended = process("migrate", database_url=database_url)
    assert ended.returncode == 0
    [line] = ended.stderr.splitlines()
    assert "nothing to do" in line


def test_migrate_says_what_it_did(empty_url: str) -> None:
    first, second = (process("migrate", database_url=empty_url) for _ in range(2))
    assert [first.stderr, second.stderr] == ["the schema is up to date now\n", "nothing to do\n"]
    assert (first.returncode, second.returncode) == (0, 0)


def test_domains_that_were_paused_before_there_was_one_form_get_it(empty_url: str) -> None:
    store = Store(empty_url)
    line = "INSERT INTO pauses (kind, value, at, who, reason) VALUES (:kind, :value, 0, 'anna', '')"
    before = [
        ("domain", "blåbær.no"),
        ("domain", "xn--blbr-roah.no"),
        ("domain", "rødgrød.example"),
        ("domain", "☃.no"),
        ("domain", "slow.example"),
        ("creator", "blåbær.no"),
    ]
    with store.write() as connection:
        migrate(connection, "0012")
        for kind, value in before:
            connection.execute(text(line), {"kind": kind, "value": value})
        migrate(connection, "head")
        found = in_force(connection)
    store.close()

    assert found.domains == {"xn--blbr-roah.no", "xn--rdgrd-vuad.example", "☃.no", "slow.example"}
    assert found.creators == {"blåbær.no"}


def test_orders_that_were_set_aside_before_there_was_a_state_for_that_get_it(empty_url: str) -> None:
    store = Store(empty_url)
    with store.write() as connection:
        migrate(connection, "0010")
        seq = add_order(connection, state=OrderState.PROCESSING)
        waiting = add_order(connection, due_in=LONG)
    upgrade(store)
    processing.batch(store)
    order = processing.the_order(store, seq)
    assert (order.state, order.due_at) == (OrderState.SET_ASIDE, None)
    assert processing.told(store, order.id) == ["order.completed", "email.failed"]
    assert processing.the_order(store, waiting).state == OrderState.REGISTERED
    store.close()
