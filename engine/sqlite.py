"""SQLite as a process uses it: a file that readers and one writer use side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Connection, Engine

USE = ".use"  # beside the file: the lock that all who use it share, and that whoever replaces it has alone
MAPPED = 1 << 30  # bytes of the file that are read as memory: a page costs no system call, and no copy
BUSY_MS = 5_000  # somebody else's sqlite3 shell may hold the file; our own processes queue at the gate


def create(url: str, connections: int) -> Engine:
    """An engine whose connections with the option `varsel_writes` are for writers."""
    engine = create_engine(url, pool_size=connections, hide_parameters=True, connect_args={"check_same_thread": False})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself
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
