"""Backups of an SQLite database: one moment of it in one file, looked at before it counts.

A copy of the file alone lacks what stands in its WAL, and of a file that is written to it is of no moment. SQLite's
online copy (sqlite.org/backup.html) reads one moment while others write.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engine import epoch
from engine.errors import Conflict, Misconfigured
from engine.file_locks import take
from engine.migrations import upgrade
from engine.sqlite import USE
from engine.store import Store, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEP = 1_000  # pages between two words about how far it is
BESIDE = ("-wal", "-shm", "-journal")  # what SQLite puts beside a database's file
_TAKEN = (5, 6)  # SQLite's result codes: BUSY, LOCKED


def backup(database: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """Copy a database that may be in use into a new file, which only its owner can read.

    `progress` gets how many pages are done, and of how many. Conflict where the file is there, Misconfigured where it
    cannot be written, or the database cannot be read or is not whole.
    """
    with _draft(target) as draft:
        if target.exists():
            raise Conflict(f"{target} is there already; name another file")
        with closing(_open(database)) as reading, closing(_open(draft)) as writing:
            reading.execute("BEGIN")  # else the copy would start anew whenever somebody writes
            reading.execute("SELECT count(*) FROM sqlite_master").fetchone()  # this is the moment
            reading.backup(writing, pages=STEP, progress=lambda _, left, of: progress(of - left, of))
        _examine(draft)
        _put(draft, target)


def restore(source: Path, database: Path) -> Path | None:
    """Put a backup in the database's place, brought to this program's schema; returns where what was there is kept.

    What the backup would do again waits, whatever Redis remembers: its lanes are paused. Conflict while somebody uses
    the database; Misconfigured where the backup cannot be used.
    """
    taken = f"{database} is in use: end `varsel up`, or every web, worker and scheduler, and commands that look at it"
    try:
        lock = take(Path(f"{database}{USE}"), taken)
    except Misconfigured as error:
        raise Conflict(str(error)) from None
    except OSError as error:
        raise Misconfigured(f"{database}: {error.strerror}") from None
    with lock, _draft(database) as draft:
        for tail in ("", "-wal"):
            if not tail or Path(f"{source}{tail}").exists():
                shutil.copyfile(f"{source}{tail}", f"{draft}{tail}")
        _examine(draft)
        with closing(Store(f"sqlite:///{draft}")) as store:
            upgrade(store)
            with store.write() as connection:
                moment = now(connection)
                epoch.restored(connection)
        kept = _keep(database, f"{moment:%Y%m%dT%H%M%S.%f}")
        _put(draft, database)
    return kept


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A new file beside the target, for its owner alone; what is left of it in the end goes."""
    try:
        number, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise Misconfigured(f"{target}: {error.strerror}") from None
    os.close(number)
    draft = Path(name)
    try:
        yield draft
    except (sqlite3.Error, OSError) as error:
        raise Misconfigured(f"{target}: {getattr(error, 'strerror', None) or error}") from None
    finally:
        for left in target.parent.iterdir():
            if left.name.startswith(draft.name):
                left.unlink()


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None, timeout=5)


def _examine(draft: Path) -> None:
    """Fold the draft into one file; Misconfigured where it is not whole, or none of Varsel's."""
    with closing(_open(draft)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            [(found,)] = connection.execute("PRAGMA integrity_check(1)").fetchall()
            known = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
        except sqlite3.DatabaseError as error:
            found, known = str(error), None
    if found != "ok" or not known:
        raise Misconfigured(f"this is no database of Varsel's that is whole: {found}")


def _keep(database: Path, stamp: str) -> Path | None:
    """Move what is there out of the way (None: nothing is); Conflict where another program has it open."""
    if database.exists():
        _fold(database)
    kept = database.with_name(f"{database.name}.before-{stamp}")
    moved = False
    for tail in (*BESIDE, ""):  # a WAL that stayed would be taken for the new database's
        with suppress(FileNotFoundError):
            Path(f"{database}{tail}").rename(f"{kept}{tail}")
            moved = True
    return kept if moved else None


def _fold(database: Path) -> None:
    """Put what stands in the WAL into the file; a broken one stays as it is. Conflict where somebody has it open."""
    with closing(_open(database)) as connection:
        try:
            connection.execute("PRAGMA journal_mode=DELETE").fetchone()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode & 0xFF in _TAKEN:
                raise Conflict(f"{database} is open in another program: end that first") from None


def _put(draft: Path, target: Path) -> None:
    """Give the draft its name, for good."""
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
