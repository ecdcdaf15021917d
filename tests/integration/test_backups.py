"""`varsel backup` and `varsel restore`: what a backup contains, what is refused, and what waits after a restore."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import threading
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import redis
from sqlalchemy import Connection, update

from engine.admin import backups
from engine.db.migrations import Fit, fit, upgrade
from engine.db.store import Store
from engine.db.tables import contacts, emails
from engine.errors import Conflict, Misconfigured
from engine.models import OrderState
from engine.queue.epoch import again, restored
from engine.queue.marks import Memory
from tests.helpers.backups import identities, nothing, person
from tests.helpers.beats import beat
from tests.helpers.command import varsel
from tests.helpers.rows import add_email, add_order, paused_lanes
from tests.helpers.steps import migrate
from tests.helpers.waiting import wait_for
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

ALL = {"orders", "emails", "webhooks"}
HOUR = timedelta(hours=1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database's file that no process uses."""
    with closing(Store(f"sqlite:///{tmp_path}/varsel.db")) as store:
        upgrade(store)
    return tmp_path / "varsel.db"


@pytest.fixture
def url(file: Path) -> str:
    return f"sqlite:///{file}"


def test_a_backup_that_is_taken_while_others_write_is_of_one_moment(
    file: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup has all rows that were written before it, and a later row only with all rows before that one."""
    target, written, seen, ended = tmp_path / "backup.db", [0], [0], threading.Event()

    def write() -> None:
        with closing(Store(url)) as store:
            while not ended.is_set():
                with store.write() as connection:
                    connection.execute(contacts.insert().values(person(written[0])))
                written[0] += 1

    def progress(done: int, _of: int) -> None:
        if done % 10 == 0:
            wait_for(lambda: written[0] > seen[0])
            seen[0] = written[0]

    writing = threading.Thread(target=write)
    writing.start()
    try:
        wait_for(lambda: written[0] > 100)
        before = seen[0] = written[0]
        monkeypatch.setattr(backups, "STEP", 1)  # writers come between any two pages
        backups.backup(file, target, progress)
        after = seen[0]
    finally:
        ended.set()
        writing.join()
    found = identities(target)
    assert found == list(range(len(found)))
    assert before <= len(found) < after
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if "backup" in path.name} == {"backup.db"}


def test_what_stands_in_the_wal_alone_is_in_the_backup(file: Path, url: str, tmp_path: Path) -> None:
    with closing(Store(url)) as store:
        with store.write() as connection:
            connection.execute(contacts.insert().values(person(7)))
        shutil.copy(file, tmp_path / "copied.db")
        shown = varsel("backup", tmp_path / "backup.db", database_url=url)
    assert shown.exit_code == 0, shown.output
    assert identities(tmp_path / "copied.db") == []  # as `cp` makes it
    assert identities(tmp_path / "backup.db") == [7]


def test_a_file_that_is_there_is_not_written_over(url: str, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_text("precious")
    shown = varsel("backup", target, database_url=url)
    assert (shown.exit_code, target.read_text()) == (5, "precious")
    assert f"{target} is there already" in shown.output


@pytest.mark.parametrize("name", ["missing/backup.db", "varsel.db/backup.db"])
def test_a_place_where_nothing_can_be_written_is_told_in_a_line(name: str, url: str, tmp_path: Path) -> None:
    shown = varsel("backup", tmp_path / name, database_url=url)
    assert shown.exit_code == 1
    [line] = shown.output.splitlines()
    assert name in line


def test_a_database_that_is_broken_makes_no_backup(file: Path, tmp_path: Path) -> None:
    with closing(Store(f"sqlite:///{file}")) as store, store.write() as connection:
        connection.execute(contacts.insert(), [person(number) for number in range(1000)])
    with file.open("r+b") as content:
        content.seek(-40_000, 2)
        content.write(b"\xff" * 30_000)
    with pytest.raises(Misconfigured):
        backups.backup(file, tmp_path / "backup.db", nothing)
    assert {path.name for path in tmp_path.iterdir() if "backup" in path.name} == set()


# Restore


@pytest.fixture
def kept(file: Path, tmp_path: Path) -> Path:
    """A backup, and a contact that was added later."""
    backups.backup(file, tmp_path / "backup.db", nothing)
    with closing(Store(f"sqlite:///{file}")) as store, store.write() as connection:
        connection.execute(contacts.insert().values(person(1)))
    return tmp_path / "backup.db"


def test_a_restore_puts_the_backup_in_place_and_keeps_what_was_there(file: Path, url: str, kept: Path) -> None:
    shown = varsel("restore", kept, database_url=url)
    assert shown.exit_code == 0, shown.output
    assert identities(file) == []
    [old] = file.parent.glob("varsel.db.before-*")
    assert identities(old) == [1]
    assert str(old) in shown.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert kept.exists()
    left = {path.name for path in file.parent.iterdir()}
    assert left == {"varsel.db", "varsel.db.gate", "varsel.db.hurry", "varsel.db.use", old.name, "backup.db"}


def test_a_restore_where_nothing_was_makes_the_folder(kept: Path, tmp_path: Path) -> None:
    shown = varsel("restore", kept, data=str(tmp_path / "new"))
    assert shown.exit_code == 0, shown.output
    assert identities(tmp_path / "new" / "varsel.db") == []


def test_a_backup_that_was_copied_with_its_wal_is_restored_whole(file: Path, url: str, tmp_path: Path) -> None:
    with closing(Store(url)) as store:
        with store.write() as connection:
            connection.execute(contacts.insert().values(person(7)))
        for tail in ("", "-wal"):
            shutil.copy(f"{file}{tail}", f"{tmp_path}/copied{tail}")
    backups.restore(tmp_path / "copied", file)
    assert identities(file) == [7]


def test_a_database_in_use_is_not_replaced_and_one_that_is_replaced_is_not_used(
    file: Path, url: str, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(url)):
        shown = varsel("restore", kept, database_url=url)
        assert shown.exit_code == 5
        assert f"{file} is in use" in shown.output
    with closing(sqlite3.connect(file)) as shell:  # a stranger's, which knows no lock of ours
        shell.execute("SELECT count(*) FROM contacts").fetchone()
        with pytest.raises(Conflict, match="open in another program"):
            backups.restore(kept, file)
    assert identities(file) == [1]

    def look(connection: Connection) -> None:
        with pytest.raises(Misconfigured, match="is being restored"):
            Store(url)
        restored(connection)

    monkeypatch.setattr("engine.queue.epoch.restored", look)
    backups.restore(kept, file)
    assert identities(file) == []


@pytest.mark.parametrize(
    "content", [b"", b"no database", b"SQLite format 3\0" + b"\xff" * 5000], ids=["empty", "text", "broken"]
)
def test_what_is_no_backup_is_refused_and_all_stays(content: bytes, file: Path, kept: Path) -> None:
    kept.write_bytes(content)
    with pytest.raises(Misconfigured, match="no database of Varsel's"):
        backups.restore(kept, file)
    assert identities(file) == [1]
    assert not list(file.parent.glob("*before*"))


def test_a_wal_that_was_left_behind_is_not_taken_for_the_backups(
    file: Path, url: str, kept: Path, tmp_path: Path
) -> None:
    with closing(Store(url)) as store:
        with store.write() as connection:
            connection.execute(contacts.insert().values(person(7)))
        shutil.copy(f"{file}-wal", tmp_path / "left")
    file.unlink()
    shutil.copy(tmp_path / "left", f"{file}-wal")
    old = backups.restore(kept, file)
    assert old
    assert f"{old.name}-wal" in {path.name for path in tmp_path.iterdir()}
    with closing(Store(url)):
        assert identities(file) == []


def test_a_database_that_is_broken_is_kept_as_it_is(file: Path, kept: Path) -> None:
    file.write_bytes(b"broken")
    old = backups.restore(kept, file)
    assert old
    assert old.read_bytes() == b"broken"
    assert identities(file) == []


def test_a_backup_of_an_older_schema_is_brought_to_this_one_and_of_a_newer_is_refused(
    file: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "older.db"
    with closing(Store(f"sqlite:///{kept}")) as store, store.write() as connection:
        migrate(connection, "0011")
    backups.restore(kept, file)
    with closing(Store(f"sqlite:///{file}")) as store, store.read() as reading:
        assert fit(reading) is Fit.CURRENT
    with closing(sqlite3.connect(kept)) as connection:
        connection.executescript("UPDATE alembic_version SET version_num = '9999'; DROP TABLE compatibility")
    with pytest.raises(Misconfigured, match="newer Varsel"):
        backups.restore(kept, file)


# What waits


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Any]:
    with Redis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        yield Memory(client)


def test_after_a_restore_lanes_wait_whatever_redis_remembers_and_once(file: Path, url: str, memory: Any) -> None:
    target = file.with_name("backup.db")
    with closing(Store(url)) as store:
        beat(store, memory)
        with store.write() as connection:
            order = add_order(connection, state=OrderState.PROCESSED)
            add_email(connection, order, address="sent@example.no")
            add_email(connection, order, address="later@example.no", due_in=HOUR)
        backups.backup(file, target, nothing)
        with store.write() as connection:
            connection.execute(update(emails).values(due_at=None))
        beat(store, memory)
    backups.restore(target, file)
    with closing(Store(url)) as store:
        assert paused_lanes(store) == ALL
        with store.read() as connection:
            assert again(connection) == {"orders": 0, "emails": 1, "webhooks": 0}
        shown = varsel("restored", "--resume", "--yes", database_url=url)
        assert shown.exit_code == 0, shown.output
        beat(store, memory)
        assert paused_lanes(store) == frozenset()


def test_on_another_machine_all_that_is_due_waits_even_of_a_process_that_never_beat(file: Path, tmp_path: Path) -> None:
    backups.backup(file, tmp_path / "backup.db", nothing)
    (tmp_path / "elsewhere").mkdir()
    backups.restore(tmp_path / "backup.db", tmp_path / "elsewhere" / "varsel.db")
    with closing(Store(f"sqlite:///{tmp_path}/elsewhere/varsel.db")) as store:
        assert paused_lanes(store) == ALL


def test_what_was_restored_by_other_means_can_be_paused(store: Store, database_url: str, memory: Any) -> None:
    beat(store, memory)
    shown = varsel("restored", "--pause", database_url=database_url)
    assert shown.exit_code == 0, shown.output
    assert "0 e-mails" in shown.output
    assert paused_lanes(store) == ALL
