"""A database's file that is deleted, moved or replaced while it is open: nothing more is written to the lost file."""

from __future__ import annotations

import logging
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from engine.admin import backups
from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.db.tables import contacts
from engine.errors import Conflict, Unavailable
from tests.helpers.backups import identities, nothing, person
from tests.helpers.rows import count

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "varsel.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    with closing(Store(f"sqlite:///{file}")) as opened:
        upgrade(opened)
        yield opened


def add(store: Store, number: int) -> None:
    with store.write() as connection:
        connection.execute(contacts.insert().values(person(number)))


def remove(file: Path) -> None:
    """Delete the files, as `rm varsel.db*` does."""
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()


def test_a_file_that_is_gone_is_told_and_made_anew_by_nobody(
    store: Store, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    remove(file)
    with pytest.raises(Unavailable) as raised:
        add(store, 1)
    assert "has lost its file" in str(raised.value.told())
    with pytest.raises(Unavailable):
        count(store, contacts)
    assert store.trouble
    assert not file.exists()
    assert f"{file} was deleted, moved or replaced" in caplog.text


def test_a_file_that_is_put_back_is_used_again(store: Store, file: Path) -> None:
    away = file.with_name("away.db")
    file.rename(away)
    with pytest.raises(Unavailable):
        add(store, 1)
    away.rename(file)
    add(store, 1)
    assert (count(store, contacts), store.trouble) == (1, None)


def test_what_is_written_into_a_file_that_is_deleted_meanwhile_was_not_taken(store: Store, file: Path) -> None:
    with pytest.raises(Unavailable), store.write() as connection:  # noqa: PT012 it goes in the middle
        connection.execute(contacts.insert().values(person(1)))
        remove(file)


def test_a_file_that_comes_in_its_place_is_used_from_then_on_and_is_in_use(
    store: Store, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    add(store, 1)
    backups.backup(file, tmp_path / "of it", nothing)
    with closing(Store(f"sqlite:///{file}")) as reader:
        assert count(reader, contacts) == 1
        add(store, 2)
        remove(file)
        backups.restore(tmp_path / "of it", file)  # nothing tells it of us any more
        for opened in (store, reader):
            with pytest.raises(Unavailable):
                count(opened, contacts)
        assert [count(store, contacts), count(reader, contacts)] == [1, 1]
        add(store, 3)
        add(reader, 4)
        assert caplog.text.count(f"there is another file at {file}") == 2
        with pytest.raises(Conflict, match="is in use"):
            backups.restore(tmp_path / "of it", file)
    assert identities(file) == [1, 3, 4]


def test_a_file_that_is_still_empty_is_not_taken_for_another(store: Store, file: Path, tmp_path: Path) -> None:
    """A copy begins with an empty file: opening it then would create a database."""
    backups.backup(file, tmp_path / "of it", nothing)
    remove(file)
    file.touch()
    for _ in range(2):
        with pytest.raises(Unavailable):
            count(store, contacts)
    assert file.read_bytes() == b""
    shutil.copy(tmp_path / "of it", file)
    with pytest.raises(Unavailable):
        count(store, contacts)
    assert count(store, contacts) == 0


@pytest.mark.parametrize("replaced", [True, False])
def test_a_file_that_is_replaced_or_deleted_while_it_is_opened_takes_nothing(
    replaced: bool,  # noqa: FBT001 both are tried
    store: Store,
    file: Path,
    tmp_path: Path,
) -> None:
    add(store, 1)
    backups.backup(file, tmp_path / "of it", nothing)
    store.engine.dispose()

    def swap(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("SELECT count(*) FROM contacts").close()  # opens the file
        remove(file)
        if replaced:
            shutil.copy(tmp_path / "of it", file)

    event.listen(store.engine, "connect", swap, insert=True, once=True)
    with pytest.raises(Unavailable):
        add(store, 2)
    if replaced:
        add(store, 3)
        assert identities(file) == [1, 3]
    else:
        with pytest.raises(Unavailable):
            add(store, 3)
        assert not file.exists()
