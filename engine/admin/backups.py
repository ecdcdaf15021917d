"""Backups of an SQLite database: one moment of it in one file, which is checked before it counts.

A copy of the file alone lacks what is in its WAL, and mixes several moments while others write. SQLite's online backup
(sqlite.org/backup.html) reads one moment while others write.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine.db.dialects import now
from engine.db.gate import HURRY
from engine.db.migrations import upgrade
from engine.db.sqlite import GATE, USE, unusable
from engine.db.store import Store
from engine.errors import Conflict, Misconfigured
from engine.queue import epoch
from engine.runtime.file_locks import take
from engine.runtime.stop import ending
from engine.text.urls import of_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEP = 1_000  # pages between two reports of progress
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite puts beside a database's file
_TAKEN = (5, 6)  # SQLite's result codes: BUSY, LOCKED
_OURS = "SELECT count(*) FROM sqlite_master WHERE name IN ('orders', 'emails', 'contacts')"
_TABLES = 3  # of these, which every schema of ours has


def backup(
    database: Path,
    target: Path,
    progress: Callable[[int, int], None],
    look: Callable[[sqlite3.Connection], None] = lambda _: None,
) -> None:
    """Copy a database that may be in use into a new file, which only its owner can read.

    `progress` gets how many pages are done, and of how many; `look`, a connection that sees what is copied. Conflict
    where the file is there, Misconfigured where it cannot be written, or the database cannot be read or is not whole.
    """
    with _draft(target, "was not made") as draft:
        if os.path.lexists(target):
            raise _there(target)
        with closing(_open(database)) as reading, closing(_open(draft)) as writing:
            reading.execute("BEGIN")  # else the copy would start anew whenever somebody writes
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()  # this is the moment
            look(reading)
            reading.backup(writing, pages=STEP, progress=lambda _, left, of: progress(of - left, of))
        _examine(draft)
        _sync(draft)
        try:
            target.touch(0o600, exist_ok=False)  # does not replace a file that came meanwhile
        except FileExistsError:
            raise _there(target) from None
        _put(draft, target)


def restore(source: Path, database: Path) -> Path | None:
    """Put a backup in the database's place, migrated to this schema; returns where the previous database is kept.

    Its lanes are paused, since what is due in it may have been done already. If the path is a link, its target is
    replaced. Conflict while somebody uses the database; Misconfigured if the backup cannot be used.
    """
    database = database.resolve()
    taken = f"{database} is in use: end `varsel up`, or every web, worker and scheduler, and commands that look at it"
    try:
        lock = take(Path(f"{database}{USE}"), taken)
    except Misconfigured as error:
        raise Conflict(str(error)) from None
    except OSError as error:
        raise unusable(database, error) from None
    with lock, _draft(database, "is as it was") as draft:
        for tail in ("", "-wal"):
            if not tail or Path(f"{source}{tail}").exists():
                shutil.copyfile(f"{source}{tail}", f"{draft}{tail}")
        _examine(draft)
        with closing(Store(of_file(draft))) as store:
            upgrade(store)
            with store.write() as connection:
                moment = now(connection)
                epoch.restored(connection)
        _fold(draft)
        _sync(draft)
        with _aside(database, f"{moment:%Y%m%dT%H%M%S.%f}") as kept:
            _put(draft, database)
    return kept


@contextmanager
def _draft(target: Path, otherwise: str) -> Iterator[Path]:
    """A new file beside the target, for its owner alone; what is left of it is removed, also at SIGTERM.

    `otherwise`: what an error message says of the target.
    """
    with ending():
        try:
            number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        except OSError as error:
            raise unusable(target, error) from None
        os.close(number)
        try:
            yield Path(name)
        except (sqlite3.Error, OSError) as error:
            raise Misconfigured(f"{target} {otherwise}: {_said(error)}") from None
        finally:
            for tail in ("", *BESIDE, USE, GATE, HURRY):
                Path(f"{name}{tail}").unlink(missing_ok=True)


def _said(error: sqlite3.Error | OSError) -> str:
    """What is wrong, and with which file where that is told."""
    if not isinstance(error, OSError):
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror or error)


def _there(target: Path) -> Conflict:
    return Conflict(f"{target} is there already; name another file")


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None, timeout=5)


def _examine(draft: Path) -> None:
    """Fold the draft into one file; Misconfigured if it is damaged, or not a database of Varsel's."""
    with closing(_open(draft)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            [(found,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
            steps = connection.execute("SELECT count(version_num) FROM alembic_version").fetchone()
            if found == "ok" and (steps, connection.execute(_OURS).fetchone()) != ((1,), (_TABLES,)):
                found = "it lacks tables"
        except sqlite3.DatabaseError as error:
            found = str(error)
    if found != "ok":
        raise Misconfigured(f"this is no database of Varsel's, or a damaged one: {found}")


@contextmanager
def _aside(database: Path, stamp: str) -> Iterator[Path | None]:
    """Move what is there out of the way (None: nothing is), and back if the block puts nothing in its place.

    Conflict where another program has it open.
    """
    there = database.exists()
    if there:
        _fold(database)
    kept = database.with_name(f"{database.name}.before-{stamp}")
    try:
        # A WAL that stayed behind would be taken for that of the new database.
        moved = [_rename(f"{database}{tail}", f"{kept}{tail}") for tail in (*BESIDE, "")]
        yield kept if any(moved) else None
    finally:
        if not database.exists() or (there and not kept.exists()):
            for tail in ("", *BESIDE):
                _rename(f"{kept}{tail}", f"{database}{tail}")


def _rename(old: str, new: str) -> bool:
    """Whether there was something to rename."""
    with suppress(FileNotFoundError):
        Path(old).rename(new)
        return True
    return False


def _fold(database: Path) -> None:
    """Move what is in the WAL into the file; a damaged one stays as it is. Conflict if somebody has it open."""
    with closing(_open(database)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in _TAKEN:
                raise Conflict(f"{database} is open in another program: end that first") from None


def _sync(draft: Path) -> None:
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _put(draft: Path, target: Path) -> None:
    """Give the draft its name, durably."""
    draft.replace(target)
    try:
        folder = os.open(target.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError:  # the folder may be writable, but not readable
        os.sync()
