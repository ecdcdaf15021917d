"""The database as processes use it: whether it answers, its schema, its clock, and whether commits are on disk."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, select, text
from sqlalchemy.exc import DBAPIError

from engine.admin.overview import overview
from engine.admin.words import of_processes
from engine.db.dialects import Now
from engine.db.migrations import COMPLAINTS, Fit, complaint, fit, revision, revisions
from engine.db.readers import SLOTS
from engine.db.store import CONNECTIONS, Store
from engine.db.tables import metadata
from engine.diagnosis import ONLY_READS, SCHEMA_AHEAD
from engine.doctor import rights
from engine.doctor.findings import Finding, Level, ok, problem, skewed, warning, wrong
from engine.errors import Misconfigured, Unavailable
from engine.text.urls import file_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from engine.doctor.findings import Place

MOST = CONNECTIONS + SLOTS  # connections of a `web` process; the others have no readers
OLDEST = 15  # PostgreSQL's major version
NETWORK = ("nfs", "cifs", "smb", "9p", "ceph", "glusterfs", "fuse.sshfs", "lustre", "afs", "fuse.s3fs")
MOUNTS = Path("/proc/mounts")
_ONLY_READS = text("SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool")
_SCHEMA = text("SELECT quote_ident(current_schema())")
FEW = 5  # missing parts of the schema that are named
LOG = "Look at its log."


def database(place: Place) -> Iterator[Finding]:
    """Whether the database answers, and is what Varsel needs."""
    name, url = "database", place.database_url
    file = file_of(url)
    if file and not file.exists():
        advice = "`varsel up` and `varsel migrate` make it; or name the folder with --data, or set VARSEL_DATABASE_URL."
        yield problem(name, f"there is no file {file}", advice)
        return
    with closing(Store(url)) as store:
        try:
            with store.read() as connection:
                yield from _sqlite(connection) if file else _postgresql(connection)
                missing = () if file else rights.lacking(connection)
                if not file:
                    yield from rights.findings(missing, connection.scalar(_SCHEMA) or "public")
                    yield from rights.hidden_rows(connection)
                if not rights.hide_the_schema(missing):
                    yield _schema(connection)
        except Unavailable as error:
            yield wrong(name, error.diagnosis) if error.diagnosis else problem(name, str(error), LOG)
            return
    if file:
        yield location(file)


def processes(place: Place) -> Iterator[Finding]:
    """Which processes run, and what is wrong with them and the lanes; nothing without a schema."""
    name, url = "processes", place.database_url
    if (file := file_of(url)) and not file.exists():
        return
    try:
        store = Store(url)
    except Misconfigured:
        return  # the check of the database reports it
    with closing(store):
        try:
            with store.read() as connection:
                if complaint(connection):
                    return
                seen = overview(connection)
        except (Unavailable, DBAPIError):
            return  # likewise
    alive = seen["processes"]
    yield ok(name, of_processes([process["kind"] for process in alive]) if alive else "none runs")
    for process in alive:
        if process["version"] != version("varsel"):
            text = f"{process['kind']} {process['pid']} on {process['host']} is of version {process['version']}"
            yield warning(name, text, f"This is {version('varsel')}: restart the process, so that all are the same.")
    for finding in seen["findings"]:
        level = Level.PROBLEM if finding["level"] == "problem" else Level.WARNING
        yield Finding(name, level, finding["text"], finding["advice"], finding["since"])


def _sqlite(connection: Connection) -> Iterator[Finding]:
    yield ok("database", f"SQLite {sqlite3.sqlite_version}, {connection.engine.url.database}")
    mode = connection.execute(text("PRAGMA journal_mode")).scalar_one()
    if mode == "wal":
        yield ok("database", "readers and the writer do not wait for each other (WAL)")
    else:
        advice = "Move the file to a local disk that supports shared memory."
        yield problem("database", f"its journal is {mode} and cannot be made WAL", advice)


def _postgresql(connection: Connection) -> Iterator[Finding]:
    name = "database"
    if connection.execute(_ONLY_READS).scalar_one():
        yield wrong(name, ONLY_READS)
    wanted = ("server_version", "max_connections", "superuser_reserved_connections", "synchronous_commit", "fsync")
    chosen = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
    having = {row.name: row.setting for row in connection.execute(chosen, {"names": list(wanted)})}
    number = having["server_version"].split()[0]
    if int(number.partition(".")[0]) < OLDEST:
        yield problem(name, f"PostgreSQL {number}", f"Upgrade it: Varsel needs {OLDEST} or newer.")
    else:
        yield ok(name, f"PostgreSQL {number}")
    began = datetime.now(UTC)
    clock: datetime = connection.execute(select(Now())).scalar_one()
    yield skewed(name, (clock - began - (datetime.now(UTC) - began) / 2).total_seconds())
    if having["fsync"] != "on":
        yield warning(name, "fsync is off: a power failure can destroy the database", "Set fsync = on.")
    if having["synchronous_commit"] == "off":
        text_ = "synchronous_commit is off: accepted orders can be lost in a crash"
        yield warning(name, text_, "Set synchronous_commit = on, at least for Varsel's user.")
    used = connection.execute(text("SELECT sum(numbackends) FROM pg_stat_database")).scalar_one()
    most = int(having["max_connections"]) - int(having["superuser_reserved_connections"])
    told = f"{used} of {most} connections are in use; a process of Varsel's has up to {MOST}"
    if most - used < MOST:
        yield warning(name, told, "Raise max_connections, or run fewer processes.")
    else:
        yield ok(name, told)


def _schema(connection: Connection) -> Finding:
    name = "schema"
    found, newest = revision(connection), revisions()[0]
    steps = f"it is at {found}, this Varsel at {newest}" if found else "there is none"
    match fit(connection):
        case Fit.CURRENT if lost := _lost(connection):
            which = ", ".join(lost[:FEW]) + (" and others" if len(lost) > FEW else "")
            text_ = f"the database's schema is not what its table alembic_version says: it lacks {which}"
            return problem(name, text_, "Somebody has altered it: restore a backup, or create again what was dropped.")
        case Fit.CURRENT:
            return ok(name, f"current ({found})")
        case Fit.AHEAD:
            return warning(name, f"{SCHEMA_AHEAD.text} ({steps})", SCHEMA_AHEAD.advice)
        case worse:
            return problem(name, f"{COMPLAINTS[worse].text} ({steps})", COMPLAINTS[worse].advice)


def _lost(connection: Connection) -> list[str]:
    """Tables, and columns as TABLE.COLUMN, that the schema should have."""
    found = {name: {each["name"] for each in its} for (_, name), its in inspect(connection).get_multi_columns().items()}
    tables = sorted(metadata.tables.values(), key=lambda table: table.name)
    lost = [table.name for table in tables if table.name not in found]
    kept = [table for table in tables if table.name in found]
    return lost + [f"{column}" for table in kept for column in table.c if column.name not in found[table.name]]


def location(file: Path, mounts: Path = MOUNTS) -> Finding:
    """Whether the file is on a disk of this machine: over a network, SQLite's locks do not work."""
    kind = _file_system(file.resolve(), mounts)
    if kind.startswith(NETWORK):
        advice = "Move it to a local disk, or use PostgreSQL: locks do not hold over a network."
        return problem("database", f"{file.parent} is on {kind}, a network file system", advice)
    return ok("database", f"{file.parent} is local" + (f" ({kind})" if kind else ""))


def _file_system(path: Path, table: Path) -> str:
    """The kind of file system of the path, as Linux names it; empty if unknown."""
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return ""
    mounts = [(Path(point.replace("\\040", " ")), kind) for _, point, kind, *_ in (line.split(" ") for line in lines)]
    holding = [(len(point.parts), kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(holding, default=(0, ""), key=lambda each: each[0])[1]
