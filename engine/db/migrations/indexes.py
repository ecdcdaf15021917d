"""Indexes of a step that are built beside readers and writers, and then put in place in a moment.

On PostgreSQL, each is built under a name of its own (CREATE INDEX CONCURRENTLY), which no transaction may do. Then a
transaction drops the index that it replaces, if there is one, and renames it: one for each, so that no two tables are
locked at once. An interrupted build leaves an invalid index behind, which the next one drops. SQLite builds them in the
step's transaction, and so does PostgreSQL where there are no rows yet.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

log = logging.getLogger(__name__)

BUILT = "_new"  # the end of an index's name until it is put in place

_IS_VALID = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


@dataclass(frozen=True)
class Index:
    """An index as it is to be; all texts are SQL."""

    name: str
    table: str
    columns: str
    where: str = ""  # of a partial index
    unique: bool = False

    @property
    def built(self) -> str:
        """Its name until it is put in place."""
        return f"{self.name}{BUILT}"

    def statement(self) -> str:
        """How it is built where nobody waits for it."""
        return self._create(self.name)

    def statement_beside(self) -> str:
        """How it is built beside readers and writers."""
        return self._create(f"CONCURRENTLY {self.built}")

    def placing(self) -> tuple[str, str]:
        """How it is put in place when it is built."""
        return f"DROP INDEX IF EXISTS {self.name}", f"ALTER INDEX {self.built} RENAME TO {self.name}"

    def _create(self, name: str) -> str:
        only = f" WHERE {self.where}" if self.where else ""
        return f"CREATE {'UNIQUE ' * self.unique}INDEX {name} ON {self.table} ({self.columns}){only}"


def build(connection: Connection, indexes: Iterable[Index]) -> None:
    """Build those that are not built yet; each statement of the connection is a transaction."""
    for index in indexes:
        is_valid = connection.scalar(_IS_VALID, {"name": index.built})
        if is_valid is False:
            connection.execute(text(f"DROP INDEX CONCURRENTLY {index.built}"))
        if not is_valid:
            log.info("building the index %s beside readers and writers", index.name)
            connection.execute(text(index.statement_beside()))


def place(indexes: Iterable[Index]) -> None:
    """Build them where that was not done beside others; the part of a step's `upgrade`."""
    from alembic import op  # noqa: PLC0415 it takes longer to load than most commands run

    if op.get_context().opts["built"]:
        return
    for index in indexes:
        op.execute(f"DROP INDEX IF EXISTS {index.name}")
        op.execute(index.statement())
