"""The database's schema, step by step (Alembic, which is loaded where a step is made alone)."""

from __future__ import annotations

import logging
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect, literal_column, select, text
from sqlalchemy.exc import SQLAlchemyError

from engine.db.tables import compatibility
from engine.diagnosis import SCHEMA_BEHIND, SCHEMA_TOO_NEW, Diagnosis, migration_failed, of_schemas
from engine.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

    from engine.db.store import Store

log = logging.getLogger(__name__)

STEPS = Path(__file__).parent / "versions"  # files that are called by their steps' numbers, one after the other
LOCK = 0x7661727365  # "varse": any number, as long as nobody else uses it


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

    Raises Unavailable; Misconfigured when the schema is too new, or is not what it says that it is.
    """
    from alembic import command  # noqa: PLC0415 it takes longer to load than most commands run
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        with store.write(patient=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            found = fit(connection)
            if found is Fit.TOO_NEW:
                raise Misconfigured(str(COMPLAINTS[found]))
            if found is Fit.BEHIND:
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
            return found
    except (SQLAlchemyError, CommandError) as error:
        raise Misconfigured(str(migration_failed(error))) from error


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


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 likewise

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
