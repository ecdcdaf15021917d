"""The database's schema, step by step (Alembic)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.store import Store

LOCK = 0x7661727365  # "varse": any number, as long as nobody else uses it


def upgrade(store: Store) -> None:
    """Bring the schema to the newest step, under a lock: several may call it at once. Raises Unavailable."""
    with store.write() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(connection: Connection) -> bool:
    """Whether the schema is at the newest step."""
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    return revision(connection) == newest


def revision(connection: Connection) -> str | None:
    """The schema's step; None: there is none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def revisions() -> list[str]:
    """All steps that this program knows, the newest first."""
    return [step.revision for step in ScriptDirectory.from_config(_config()).walk_revisions()]


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
