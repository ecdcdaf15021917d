"""Interrupted `varsel backup` and `varsel restore`: existing files stay, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from engine.admin import backups
from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.db.tables import contacts
from engine.errors import Conflict, Misconfigured
from tests.helpers.backups import identities, nothing, person
from tests.helpers.command import varsel

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

LEFT = {"varsel.db", "varsel.db.gate", "varsel.db.hurry", "varsel.db.use", "backup.db"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with a contact that no process uses; backup.db has none."""
    with closing(Store(f"sqlite:///{tmp_path}/varsel.db")) as store:
        upgrade(store)
        backups.backup(tmp_path / "varsel.db", tmp_path / "backup.db", nothing)
        with store.write() as connection:
            connection.execute(contacts.insert().values(person(1)))
    return tmp_path / "varsel.db"


@pytest.fixture
def terminations() -> Iterator[list[int]]:
    """SIGTERM is counted instead of ending this process."""
    counted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: counted.append(number))
    yield counted
    signal.signal(signal.SIGTERM, before)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()], ids=["disk", "Ctrl-C"])
@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_restore_that_fails_late_leaves_what_was_there(
    step: str, error: BaseException, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(step, fail)
    with pytest.raises((Misconfigured, KeyboardInterrupt), match=r"is as it was: Input|^$"):
        backups.restore(file.with_name("backup.db"), file)
    assert identities(file) == [1]
    assert names(file.parent) == LEFT


def test_a_file_that_cannot_be_moved_stays_with_what_is_beside_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_bytes(b"broken")
    Path(f"{file}-shm").write_bytes(b"its index")
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path == file:
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(Misconfigured, match="Input/output error"):
        backups.restore(file.with_name("backup.db"), file)
    assert names(file.parent) == LEFT | {"varsel.db-shm"}


def test_a_backup_that_is_ended_by_sigterm_leaves_nothing(file: Path, terminations: list[int]) -> None:
    target = file.with_name("another.db")
    backups.backup(file, target, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert terminations == [signal.SIGTERM]
    assert names(file.parent) == LEFT


def test_a_file_that_comes_during_the_backup_is_not_replaced(file: Path) -> None:
    target = file.with_name("another.db")
    with pytest.raises(Conflict, match="is there already"):
        backups.backup(file, target, lambda *_: None if target.exists() else target.touch())
    assert target.read_bytes() == b""


def test_a_link_that_leads_nowhere_is_no_place_for_a_backup(file: Path) -> None:
    target = file.with_name("another.db")
    target.symlink_to("nowhere")
    with pytest.raises(Conflict, match="is there already"):
        backups.backup(file, target, nothing)
    assert target.is_symlink()


def test_a_folder_that_can_be_written_and_not_read_takes_a_backup(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = file.parent / "closed"
    folder.mkdir()
    opening = os.open

    def refuse(path: str | Path, flags: int, *mode: int) -> int:
        if path == folder:
            raise PermissionError(13, "Permission denied")
        return opening(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse)
    monkeypatch.setattr(Path, "iterdir", lambda _: refuse(folder, 0))
    backups.backup(file, folder / "backup.db", nothing)
    assert identities(folder / "backup.db") == [1]


def test_a_link_stays_and_what_it_leads_to_is_restored(file: Path) -> None:
    link = file.parent / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(file)
    with closing(Store(f"sqlite:///{link}")), pytest.raises(Conflict, match="is in use"):
        backups.restore(file.with_name("backup.db"), file)
    old = backups.restore(file.with_name("backup.db"), link)
    assert link.is_symlink()
    assert identities(file) == []
    assert old
    assert identities(old) == [1]


@pytest.mark.parametrize("step", ["'a1b2c3d4e5f6'", None], ids=["another's step", "no step"])
def test_another_programs_database_is_refused(step: str | None, file: Path) -> None:
    other = file.with_name("other.db")
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE users (id INTEGER)")
        if step:
            connection.execute(f"INSERT INTO alembic_version VALUES ({step})")
        connection.commit()
    with pytest.raises(Misconfigured, match="no database of Varsel's"):
        backups.restore(other, file)
    assert identities(file) == [1]


def test_a_folder_that_is_missing_is_named(file: Path) -> None:
    missing = file.parent / "missing"
    for words in (("backup", missing / "backup.db"), ("restore", file)):
        shown = varsel(*words, database_url=f"sqlite:///{file if words[0] == 'backup' else missing / 'varsel.db'}")
        assert shown.exit_code == 1
        assert f"there is no folder {missing}\n" in shown.output


@pytest.mark.parametrize("name", ["my%20base.db", "a%3Fb%23c.db", "å.db"])
def test_all_commands_find_the_file_that_an_address_names(name: str, file: Path) -> None:
    url = f"sqlite:///{file.parent}/new/{name}"
    (file.parent / "new").mkdir()
    assert varsel("migrate", database_url=url).exit_code == 0
    made = names(file.parent / "new")
    for words in (("backup", file.parent / "of new.db"), ("restore", file.parent / "of new.db")):
        shown = varsel(*words, database_url=url)
        assert shown.exit_code == 0, shown.output
    assert {name for name in names(file.parent / "new") if ".before-" not in name} == made
    assert "0 e-mails" in varsel("restored", database_url=url).output
    assert "no file" not in varsel("doctor", database_url=url).output


@pytest.mark.parametrize("name", ["d%20x", "what?", "a#b"])
def test_a_data_folder_may_have_any_name(name: str, file: Path) -> None:
    folder = file.parent / name
    shown = varsel("restore", file.with_name("backup.db"), data=str(folder))
    assert shown.exit_code == 0, shown.output
    assert identities(folder / "varsel.db") == []
    assert "0 e-mails" in varsel("restored", data=str(folder)).output
