"""A drill's copy of a PostgreSQL database: a dump of one moment, restored into another database by its own tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from engine.db.migrations import revision, upgrade
from engine.db.postgresql import address, written
from engine.db.store import Store
from engine.diagnosis import of_database
from engine.drills import census
from engine.errors import Conflict, Misconfigured
from engine.queue import epoch
from engine.text.urls import check_database, file_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Dialect

    from engine.drills.census import Ask, Census
    from engine.drills.copying import Progress

PREFIX = "varsel_drill_"  # of databases that drills make
SEARCH_PATH = "give the database of --into the search_path of the original"
RIGHTS = "use the owner's address: docs/operating.md, Rights"
# One moment for the census and the dump. The limits are those of the processes' user, which a census may exceed.
_BEGIN = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL max_parallel_workers_per_gather = 0",
)
_OURS = """
SELECT relkind, relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"""
_SCHEMA = "SELECT current_schema()"
_TABLE_BEGINS = ("dumping contents of table", "processing data for table")  # of pg_dump and pg_restore
_INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"


class PostgreSQLCopying:
    """Of the database at this address; see Copying. `into`: the address of an empty database; None: one is made."""

    def __init__(self, url: str, into: str | None, folder: Path) -> None:
        self.dialect: Dialect = PGDialect()  # type: ignore[no-untyped-call]
        self.bytes = 0
        self._url, self._into = url, into
        self._dump = folder / "varsel.dump"
        self._made: str | None = None

    def __enter__(self) -> Self:
        for name in ("pg_dump", "pg_restore"):
            _program(name)
        with _connected(self._url) as connection:
            [(needed,)] = connection.execute("SELECT pg_database_size(current_database())").fetchall()
        free = shutil.disk_usage(self._dump.parent).free
        if needed > free:
            place = f"{self._dump.parent} has {free / 1e6:,.0f} MB"
            raise Conflict(f"{place}, and the dump may need {needed / 1e6:,.0f} MB: name another folder with --folder")
        if self._into is not None:
            self._had_schema = self._demand_empty(self._into)
            return self
        try:
            self._into = self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Drop the database that was made, or empty the one that was named."""
        if self._made:
            with _connected(self._url) as connection:
                connection.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(self._made))
                )
        elif self._into:
            with _connected(self._into) as connection:
                for kind, name in connection.execute(_OURS).fetchall():
                    what = sql.SQL("VIEW" if kind == "v" else "TABLE")
                    connection.execute(sql.SQL("DROP {} IF EXISTS {} CASCADE").format(what, sql.Identifier(name)))
                [(schema,)] = connection.execute(_SCHEMA).fetchall()
                if schema and not self._had_schema:
                    connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))

    def copy(self, counted: Progress, copied: Progress) -> Census:
        with _connected(self._url) as connection:
            for statement in _BEGIN:
                connection.execute(statement)
            [(snapshot,)] = connection.execute("SELECT pg_export_snapshot()").fetchall()
            found = census.take(_asking(connection), self.dialect, counted)
            given = ["--format=custom", f"--file={self._dump}", f"--snapshot={snapshot}", "--lock-wait-timeout=10s"]
            _run(["pg_dump", *given], self._url, len(found.rows), copied)
        self.bytes = self._dump.stat().st_size
        self._tables = len(found.rows)
        return found

    def restore(self, progress: Progress) -> str:
        url = str(self._into)
        given = ["--no-owner", "--no-acl", "--exit-on-error", str(self._dump)]
        _run(["pg_restore", *given], url, self._tables, progress)
        with closing(Store(url)) as store:
            with store.read() as connection:
                if revision(connection) is None:
                    raise Misconfigured(f"the restored tables are in no schema that is looked in: {SEARCH_PATH}")
            upgrade(store)
            with store.write() as connection:
                epoch.restored(connection)
        return url

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        with _connected(str(self._into)) as connection:
            yield _asking(connection)

    def faults(self, ask: Ask) -> list[str]:
        return [f"{name} is not valid" for [name] in ask(_INVALID)]

    def _make(self) -> str:
        name = self._made = PREFIX + uuid4().hex[:12]
        url = at(self._url, name)
        created = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(sql.Identifier(name))
        with _connected(self._url) as connection:
            try:
                connection.execute(created)
            except psycopg.errors.InsufficientPrivilege:
                user = connection.info.user
                told = f"{user} may not create databases: have an empty one made that belongs to {user}"
                raise Misconfigured(f"{told}, and name it with --into") from None
            # As it is here, where the database's own settings say it, which a dump has not.
            kept = sql.SQL("ALTER DATABASE {} SET search_path FROM CURRENT").format(sql.Identifier(name))
            connection.execute(kept)
        return url

    @staticmethod
    def _demand_empty(url: str) -> bool:
        """Whether the schema is there already that the tables come into."""
        with _connected(url) as connection:
            if connection.execute(_OURS).fetchone():
                raise Conflict(f"the database {connection.info.dbname} has tables: name an empty one with --into")
            return connection.execute(_SCHEMA).fetchall() != [(None,)]


def at(url: str, into: str) -> str:
    """The address of a database: another one on the same server, by its name, or any, by its address; Misconfigured."""
    if "://" not in into:
        return written(address(url).set(database=into))
    try:
        check_database(into)
    except ValueError as error:
        raise Misconfigured(f"--into: {error}") from None
    if file_of(into):
        raise Misconfigured("--into: it is for PostgreSQL")
    return into


def _asking(connection: psycopg.Connection[Any]) -> Ask:
    return lambda said: connection.execute(said.encode()).fetchall()


@contextmanager
def _connected(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection outside of transactions; Misconfigured with what is wrong and what to do."""
    try:
        with closing(psycopg.connect(autocommit=True, **{"connect_timeout": 10} | _options(url))) as connection:
            yield connection
    except psycopg.Error as error:
        raise Misconfigured(str(of_database(error))) from None


def _options(url: str) -> dict[str, Any]:
    """What the address says, as libpq has it: read as the processes read it, which libpq would not always do."""
    _, options = PGDialect_psycopg().create_connect_args(address(url))  # type: ignore[no-untyped-call]
    return {name: value for name, value in options.items() if name != "context"}  # which is for psycopg itself


def _program(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise Misconfigured(f"{name} is not on PATH: install PostgreSQL's client programs, of the server's version")
    return found


def _run(words: Sequence[str], url: str, tables: int, progress: Progress) -> None:
    """Run one of PostgreSQL's programs, which says when it begins a table. Misconfigured with its last words."""
    options = _options(url)
    password = options.pop("password", None)  # not where other users of the machine see it
    environment = os.environ | {"LC_ALL": "C"} | ({"PGPASSWORD": str(password)} if password else {})
    name, *given = words
    command = [_program(name), "--verbose", "--no-password", f"--dbname={make_conninfo('', **options)}", *given]
    said, done = "", 0
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace") as process:  # noqa: S603 a program on PATH
        try:
            for line in process.stderr or ():
                said = line if "error:" in line else said
                done += any(mark in line for mark in _TABLE_BEGINS)
                progress(min(done, tables), tables)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise Misconfigured(f"{said.strip() or f'{name} ended with {process.returncode}'}; {RIGHTS}")
