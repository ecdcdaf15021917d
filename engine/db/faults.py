"""What a database's error means for the caller: the one table of PostgreSQL's and SQLite's codes.

Sources: PostgreSQL's documentation, appendix A "PostgreSQL Error Codes"; SQLite's "Result and Error Codes".
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from engine.diagnosis import is_silent

if TYPE_CHECKING:
    from collections.abc import Mapping


class Fault(Enum):
    """Why the database is unavailable although the statement is right."""

    SILENT = "does not answer"  # the next caller would wait as long
    SHUT = "refuses the connection"  # it, or the pooler in front of it, answers: the next caller gets the same answer
    REFUSING = "does not take what is written"  # it answers; the next write would fail as well
    PASSING = "is busy"  # the next try may succeed


POSTGRESQL: Mapping[str, Fault] = {  # SQLSTATEs, or the two characters of a whole class
    "08": Fault.SILENT,  # the connection failed
    "08P01": Fault.SHUT,  # in a pooler's words: it has no server, or none that accepts it
    "25006": Fault.REFUSING,  # read-only: a standby, or default_transaction_read_only
    "25P03": Fault.PASSING,  # the transaction was idle for too long
    "25P04": Fault.PASSING,  # the transaction took too long
    "3F000": Fault.REFUSING,  # no schema that its user may use
    "40": Fault.PASSING,  # serialization failure, deadlock, conflict with recovery
    "42501": Fault.REFUSING,  # a right was taken away
    "53": Fault.REFUSING,  # disk full, out of memory, too many connections
    "55": Fault.PASSING,  # a lock, or an object that is in use
    "57": Fault.SILENT,  # shutting down, starting up, crashed
    "57014": Fault.PASSING,  # the statement took too long
    "58": Fault.REFUSING,  # input or output failed
    "XX001": Fault.REFUSING,  # data corrupted
    "XX002": Fault.REFUSING,  # index corrupted
}
SQLITE: Mapping[int, Fault] = {  # primary result codes
    3: Fault.REFUSING,  # PERM
    5: Fault.SILENT,  # BUSY: somebody else writes, and does not end
    6: Fault.PASSING,  # LOCKED
    7: Fault.REFUSING,  # NOMEM
    8: Fault.REFUSING,  # READONLY
    9: Fault.PASSING,  # INTERRUPT
    10: Fault.REFUSING,  # IOERR
    11: Fault.REFUSING,  # CORRUPT
    13: Fault.REFUSING,  # FULL
    14: Fault.REFUSING,  # CANTOPEN
    15: Fault.PASSING,  # PROTOCOL
    23: Fault.REFUSING,  # AUTH
    26: Fault.REFUSING,  # NOTADB
}


class Overdue(Exception):
    """A connection or a turn was not free in time."""

    def __str__(self) -> str:
        return "the way to the file was not free in time"


class Strayed(Exception):
    """The database's file is no longer the one that was opened; says why."""


def fault(error: Exception) -> Fault | None:
    """What the database's error means; None: the statement is wrong, and will be wrong the next time."""
    if isinstance(error, (Overdue, Strayed)):
        return Fault.SILENT
    if isinstance(error, PoolTimeoutError):
        return Fault.PASSING
    if not isinstance(error, DBAPIError):
        return None
    if (code := getattr(error.orig, "sqlite_errorcode", None)) is not None:
        return SQLITE.get(code & 0xFF)
    if (state := getattr(error.orig, "sqlstate", None)) is not None:
        return POSTGRESQL.get(state) or POSTGRESQL.get(state[:2])
    if error.connection_invalidated or isinstance(error, OperationalError):  # libpq has no SQLSTATE for a connection
        return Fault.SILENT if error.orig is None or is_silent(error.orig) else Fault.SHUT
    return None
