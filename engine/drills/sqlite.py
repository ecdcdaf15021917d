"""A drill's copy of an SQLite database: as `varsel backup` and `varsel restore` make it, in a folder of its own."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Self

from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from engine.admin import backups
from engine.drills import census
from engine.errors import Conflict
from engine.text.urls import of_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Dialect

    from engine.drills.census import Ask, Census
    from engine.drills.copying import Progress

COPIES = 3  # of the file in the folder at once, at most: the backup, its draft or its restore, and a WAL


class SQLiteCopying:
    """Of this file; see Copying."""

    def __init__(self, database: Path, folder: Path) -> None:
        self.dialect: Dialect = SQLiteDialect()
        self.bytes = 0
        self._database = database
        self._copy, self._restored = folder / "copy.db", folder / "restored.db"

    def __enter__(self) -> Self:
        needed, free = COPIES * self._database.stat().st_size, shutil.disk_usage(self._copy.parent).free
        if needed > free:
            place = f"{self._copy.parent} has {free / 1e6:,.0f} MB"
            raise Conflict(f"{place}, and copies may need {needed / 1e6:,.0f} MB: name another folder with --folder")
        return self

    def __exit__(self, *_: object) -> None:
        """The folder goes with its owner."""

    def copy(self, counted: Progress, copied: Progress) -> Census:
        found: list[Census] = []

        def count(connection: sqlite3.Connection) -> None:
            found.append(census.take(lambda said: connection.execute(said).fetchall(), self.dialect, counted))

        backups.backup(self._database, self._copy, copied, count)
        self.bytes = self._copy.stat().st_size
        return found[0]

    def restore(self, progress: Progress) -> str:
        backups.restore(self._copy, self._restored)
        progress(1, 1)
        return of_file(self._restored)

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        with closing(sqlite3.connect(self._restored)) as connection:
            yield lambda said: connection.execute(said).fetchall()

    def faults(self, ask: Ask) -> list[str]:
        found = [str(line) for [line] in ask("PRAGMA integrity_check") if line != "ok"]
        orphans = [table for table, *_ in ask("PRAGMA foreign_key_check")]
        return found + [f"{name}: rows whose owners are missing" for name in sorted({*orphans})]
