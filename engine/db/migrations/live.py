"""Steps of the schema on a PostgreSQL that is in use: nobody waits long for them, and they wait for everybody.

A statement that waits for a lock on a table makes all wait that come after it. So a step gives up after a moment, lets
the others pass, and tries again.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import text

from engine.db.migrations.indexes import Index, build
from engine.diagnosis import locks_not_had
from engine.errors import Unavailable
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store

log = logging.getLogger(__name__)

# "varsm": any number, as long as nobody else uses it, nor an older Varsel, which waits for its own in a statement
LOCK = 0x766172736D
LOOK_EVERY = 0.2  # seconds between two questions whether another process has ended
# So long others wait behind a step that waits for a lock. It is less than deadlock_timeout, so that the step loses.
LOCK_TIMEOUT_MS = 500
PAUSE = 3.0  # seconds in which they work before the step tries again
PATIENCE = timedelta(minutes=10)  # after which somebody has to look
NO_LOCK = {"55P03", "40P01"}  # SQLSTATEs: a lock was not free in time; a deadlock, which the step lost

# Whoever has the lock of migrations idles in a transaction, which others need not wait for.
_OLDEST = text("""
SELECT pid, application_name, usename, extract(epoch FROM now() - xact_start)::int FROM pg_stat_activity
WHERE datname = current_database() AND xact_start < statement_timestamp() AND pid <> pg_backend_pid()
  AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')
ORDER BY xact_start LIMIT 1
""")


@contextmanager
def alone(store: Store) -> Iterator[Connection]:
    """A transaction whose owner alone migrates, of all that try at once, and without which nothing of it is done.

    On PostgreSQL, the lock belongs to the transaction and not to the session: a pooler lends connections for one
    transaction. While it lasts, others work on other connections; so it is asked for again and again, since who waits
    in a statement is waited for by whoever builds an index beside it.
    """
    while True:
        with store.write(patient=True) as connection:
            if connection.dialect.name == "sqlite":
                yield connection
                return
            if connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
                yield connection
                return
        time.sleep(LOOK_EVERY)


def make(store: Store, step: str, indexes: Sequence[Index], run: Callable[[Connection], None]) -> None:
    """Build a step's indexes and put them in place, and then `run` it; each waits for locks for moments only.

    Unavailable when these were not to be had.
    """
    if indexes:
        _again_and_again(store, step, partial(_build, store, indexes))
    for index in indexes:
        _again_and_again(store, step, partial(_in_a_moment, store, partial(_place, index=index)))
    _again_and_again(store, step, partial(_in_a_moment, store, run))
    log.info("step %s of the schema is made", step)


def _build(store: Store, indexes: Sequence[Index]) -> None:
    """Waits for locks as long as the user's own lock_timeout lets it."""
    with store.bare() as connection:
        build(connection, indexes)


def _place(connection: Connection, index: Index) -> None:
    for statement in index.placing():
        connection.execute(text(statement))


def _in_a_moment(store: Store, act: Callable[[Connection], None]) -> None:
    with store.write(patient=True) as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
        act(connection)


def _again_and_again(store: Store, step: str, act: Callable[[], None]) -> None:
    give_up = steady() + PATIENCE.total_seconds()
    while True:
        try:
            act()
            return
        except Unavailable as error:
            if not _lacked_a_lock(error):
                raise
            holder = _oldest(store)
            if steady() > give_up:
                raise Unavailable("the database", diagnosis=locks_not_had(step, holder)) from error
            log.warning("step %s waits for a lock, and lets others work meanwhile: %s", step, holder)
        time.sleep(PAUSE)


def _lacked_a_lock(error: Unavailable) -> bool:
    return getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) in NO_LOCK


def _oldest(store: Store) -> str:
    """Whose transaction is the oldest."""
    with store.read() as connection:
        found = connection.execute(_OLDEST).first()
    if not found:
        return "no long transaction is seen"
    pid, name, user, seconds = found
    return f"the oldest transaction is of process {pid} ({name or user}), for {seconds} s"
