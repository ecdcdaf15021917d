"""The database's schema, step by step (Alembic, which is loaded where a step is made alone).

indexes.py    indexes that a step makes beside readers and writers
live.py       steps on a PostgreSQL that is in use: locks, and who waits for whom
preview.py    what the missing steps would do
env.py        runs the steps, which are in versions/
"""

from __future__ import annotations

import logging
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, literal_column, select, text
from sqlalchemy.exc import SQLAlchemyError

from engine.db.migrations.live import alone, make
from engine.db.tables import compatibility
from engine.diagnosis import SCHEMA_BEHIND, SCHEMA_TOO_NEW, Diagnosis, migration_failed, of_schemas
from engine.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from alembic.config import Config
    from sqlalchemy import Connection

    from engine.db.migrations.indexes import Index
    from engine.db.store import Store

log = logging.getLogger(__name__)

STEPS = Path(__file__).parent / "versions"  # files that are called by their steps' numbers, one after the other

# Where the user looks for tables, and what of it is there. Names that need quotes for more than capitals are not found.
_LOOKED_IN = text("""
SELECT current_setting('search_path'), coalesce((
  SELECT string_agg(quote_ident(nspname), ', ') FROM pg_namespace WHERE nspname = ANY(string_to_array(
    replace(translate(current_setting('search_path'), '" ', ''), '$user', current_user), ','))), '')
""")


class Fit(Enum):
    """How the database's schema and this program fit."""

    CURRENT = "current"  # the schema is at the newest step that this program knows
    BEHIND = "behind"  # it lacks steps, or all of them
    AHEAD = "ahead"  # a newer program has added to it, and this one can go on
    TOO_NEW = "too new"  # a newer program has taken away what this one needs


COMPLAINTS = {Fit.BEHIND: SCHEMA_BEHIND, Fit.TOO_NEW: SCHEMA_TOO_NEW}


def upgrade(store: Store) -> Fit:
    """Bring the schema to the newest step, under a lock: several may call it at once. Returns how it was before.

    On PostgreSQL, each step is a transaction, unless there is no schema yet: others work meanwhile, and what was made
    stays if a later one fails. On SQLite, all are one.

    Raises Unavailable; Misconfigured when the schema is too new, or is not what it says that it is.
    """
    from alembic.util import CommandError  # noqa: PLC0415 it takes longer to load than most commands run

    try:
        with alone(store) as connection:
            with connection.begin_nested() as look:
                found, there = fit(connection), revision(connection)
                look.rollback()  # so that no lock stays on what was read
            if found is Fit.TOO_NEW:
                raise Misconfigured(str(COMPLAINTS[found]))
            if found is Fit.BEHIND and there and connection.dialect.name == "postgresql":
                for step in missing(there):
                    make(store, step, indexes_of(step), partial(run, step=step, built=True))
            elif found is Fit.BEHIND:
                run(connection, "head")
            return found
    except (SQLAlchemyError, CommandError) as error:
        raise Misconfigured(str(migration_failed(error))) from error


def run(connection: Connection, step: str, *, built: bool = False) -> None:
    """Make the steps up to this one, or to the `head`; `built`: their indexes are built already."""
    from alembic import command  # noqa: PLC0415 likewise

    config = alembic_config()
    config.attributes |= {"connection": connection, "built": built}
    command.upgrade(config, step)


def missing(there: str | None) -> list[str]:
    """The steps that come after this one, or all, in their order."""
    return [step for step in reversed(revisions()) if there is None or step > there]


def indexes_of(step: str) -> Sequence[Index]:
    """What the step builds beside readers and writers."""
    indexes: Sequence[Index] = getattr(module(step), "BESIDE", ())
    return indexes


def module(step: str) -> ModuleType:
    """A step's file, loaded."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 likewise

    return ScriptDirectory.from_config(alembic_config()).get_revision(step).module


def fit(connection: Connection) -> Fit:
    """How the schema fits this program; the database says which programs can work on a newer one.

    Unavailable where that cannot be told, since there is no schema that the database's user may use.
    """
    found, known = revision(connection), revisions()
    if found is None and (why := _without_schema(connection)):
        raise Unavailable("the database", diagnosis=why)
    if found == known[0]:
        return Fit.CURRENT
    if found is None or found in known:
        return Fit.BEHIND
    oldest = _told(connection, compatibility.name, "oldest")
    return Fit.AHEAD if oldest in known else Fit.TOO_NEW


def complaint(connection: Connection) -> Diagnosis | None:
    """Why this program cannot work on the schema, and what to do; None: it can."""
    return COMPLAINTS.get(fit(connection))


def admit(connection: Connection) -> None:
    """Raise Unavailable while this program cannot work on the schema."""
    if why := complaint(connection):
        log.warning("%s", why)
        raise Unavailable("the database", text=str(why).rstrip("."), diagnosis=why)


def revision(connection: Connection) -> str | None:
    """The schema's step; None: there is none yet."""
    return _told(connection, "alembic_version", "version_num")


def revisions() -> list[str]:
    """All steps that this program knows, the newest first."""
    return sorted((file.name.partition("_")[0] for file in STEPS.glob("[0-9]*.py")), reverse=True)


def _told(connection: Connection, table: str, column: str) -> str | None:
    """What a table of one row says; None: nothing, or it is not there."""
    if not inspect(connection).has_table(table):
        return None
    told: str | None = connection.scalar(select(literal_column(column)).select_from(text(table)))
    return told


def _without_schema(connection: Connection) -> Diagnosis | None:
    """Why there is no schema for the user: every table looks as if it were not there then. None: there is one."""
    if connection.dialect.name != "postgresql" or connection.scalar(text("SELECT current_schema()")) is not None:
        return None
    return of_schemas(*connection.execute(_LOOKED_IN).one())


def alembic_config() -> Config:
    """Where Alembic finds the steps."""
    from alembic.config import Config  # noqa: PLC0415 likewise

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
