"""SQLite as a process uses it: a file that readers and one writer use side by side."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sqlalchemy import create_engine, event

from engine.db.faults import Strayed
from engine.db.gate import Gate
from engine.errors import Misconfigured
from engine.runtime.file_locks import take

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from typing import IO

    from sqlalchemy import Connection, Engine
    from sqlalchemy.pool import ConnectionPoolEntry

log = logging.getLogger(__name__)

USE = ".use"  # beside the file: the lock that all its users share, and that a restore has alone
GATE = ".gate"  # likewise: a writer has this lock while it writes
TURN = 10.0  # seconds that a writer waits for it
OPENED = "opened"  # the name under which a connection remembers its file
AWAY = "was deleted, moved or replaced"
MAPPED = 1 << 30  # bytes of the file that are read as memory: a page costs no system call, and no copy
BUSY_MS = 5_000  # somebody else's sqlite3 shell may hold the file; our own processes queue at the gate


def create(url: str, connections: int) -> Engine:
    """An engine whose connections with the option `varsel_writes` are for writers."""
    engine = create_engine(url, pool_size=connections, hide_parameters=True, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


class File:
    """The file of an engine: its gate, and whether it is still the one that a connection has open.

    A deleted or replaced file stays with the processes that have it open, and is lost with them. `forget` is called
    when another file has taken its place, before that one is used. Misconfigured if it cannot be used, or is being
    replaced. `gives_way`: other processes' writers go first.
    """

    def __init__(self, path: Path, engine: Engine, forget: Callable[[], None], *, gives_way: bool) -> None:
        self._path = path
        self._engine = engine
        self._forget = forget
        self.gives_way = gives_way
        self._opened: tuple[int, int] | None = None  # device and number of the file that new connections open
        self._changing = threading.Lock()
        try:
            self._use = self._take()
            self.gate = Gate(self._beside(GATE), TURN, gives_way=gives_way)
        except OSError as error:
            raise unusable(path, error) from None
        event.listen(engine, "do_connect", self._check_path)
        event.listen(engine, "connect", self._remember)

    def check(self, connection: Connection) -> None:
        """Raise Strayed if the path leads to another file than the connection's, or to none: its writes are lost.

        The next connection opens the other file.
        """
        found = self._found()
        if found != connection.info[OPENED]:
            self._stray(found)

    def close(self) -> None:
        """Give both locks back."""
        self.gate.close()
        self._use.close()

    def _check_path(self, _dialect: object, record: ConnectionPoolEntry, *_: object) -> None:
        """Raise Strayed before a connection opens another file than the others have, or makes one."""
        found = record.info[OPENED] = self._found()
        if self._opened not in (None, found):
            self._stray(found)

    def _stray(self, found: tuple[int, int] | None) -> NoReturn:
        log.error("the database's file %s %s", self._path, AWAY)
        if found:
            self._follow(found)
        raise Strayed(f"{self._path} {AWAY}")

    def _found(self) -> tuple[int, int] | None:
        """The file at the path; None: there is none, or it is empty."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return (found.st_dev, found.st_ino) if found.st_size else None

    def _follow(self, found: tuple[int, int]) -> None:
        """Change to the file that is at the path now."""
        with self._changing:
            if self._opened in (None, found):
                return  # somebody else has just done it
            try:
                with self._take() as use:
                    os.dup2(use.fileno(), self._use.fileno(), inheritable=False)
                self.gate.reopen()
            except (Misconfigured, OSError) as error:
                raise Strayed(str(error)) from None
            self._opened = None
            self._engine.dispose()
            self._forget()
            log.warning("there is another file at %s: from now on that is the database", self._path)

    def _take(self) -> IO[str]:
        return take(self._beside(USE), f"{self._path} is being restored: wait until that has ended", shared=True)

    def _beside(self, tail: str) -> Path:
        """A file beside the database's own, to which the path may be a link."""
        return Path(f"{self._path.resolve()}{tail}")

    def _remember(self, _connection: object, record: ConnectionPoolEntry) -> None:
        before, found = record.info[OPENED], self._found()
        if found is None or before not in (None, found):  # it was deleted or replaced while it was opened
            self._stray(found)
        record.info[OPENED] = found
        self._opened = self._opened or found


def unusable(file: Path, error: OSError) -> Misconfigured:
    """Why a file can neither be read nor created."""
    missing = not file.parent.is_dir()
    return Misconfigured(f"{file}: " + (f"there is no folder {file.parent}" if missing else str(error.strerror)))


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins no transaction by itself
    for pragma in (
        f"busy_timeout={BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "journal_size_limit=67108864",
        f"mmap_size={MAPPED}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("varsel_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
