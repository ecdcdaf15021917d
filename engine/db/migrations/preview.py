"""What the missing steps would do: the SQL that `varsel migrate` would run on a database, with what it costs."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from alembic import command

from engine.db.migrations import COMPLAINTS, Fit, alembic_config, fit, indexes_of, missing, module, revision
from engine.db.migrations.live import LOCK_TIMEOUT_MS
from engine.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.db.store import Store

BEGIN = {"sqlite": "BEGIN IMMEDIATE;\n", "postgresql": "BEGIN;\n"}
COMMIT = "COMMIT;\n"
UNTOLD = "What it costs was not measured."  # of the oldest steps
MOMENTS = f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS};  -- tried again and again: nobody waits longer behind it\n"


def preview(store: Store) -> Iterator[str]:
    """The missing steps' SQL, in parts that end with a line; none: there is nothing to do. Nothing is changed.

    Unavailable; Misconfigured when the schema is too new.
    """
    with store.read() as connection:
        dialect, there, found = connection.dialect.name, revision(connection), fit(connection)
    if found is Fit.TOO_NEW:
        raise Misconfigured(str(COMPLAINTS[found]))
    if found is not Fit.BEHIND:
        return
    steps = missing(there)
    if there and dialect == "postgresql":
        yield from _live(steps, there)
        return
    yield BEGIN[dialect]
    for before, step in zip([there, *steps], steps, strict=False):
        yield _told(step)
        yield _sql(dialect, before, step)
    yield COMMIT


def _live(steps: Sequence[str], there: str) -> Iterator[str]:
    """Steps on a PostgreSQL that is in use: each in a transaction, and its indexes before it."""
    for before, step in zip([there, *steps], steps, strict=False):
        yield _told(step)
        indexes = indexes_of(step)
        yield from (f"{index.statement_beside()};\n" for index in indexes)
        yield from (_in_moments("".join(f"{each};\n" for each in index.placing())) for index in indexes)
        yield _in_moments(_sql("postgresql", before, step, built=True))


def _in_moments(sql: str) -> str:
    return f"{BEGIN['postgresql']}{MOMENTS}{sql}{COMMIT}"


def _told(step: str) -> str:
    """What a step is for, and what it costs, as comments."""
    its = module(step)
    purpose = str(its.__doc__).strip().partition("\n")[0]
    return f"\n-- {step}: {purpose}\n-- {getattr(its, 'COST', UNTOLD)}\n"


def _sql(dialect: str, before: str | None, step: str, *, built: bool = False) -> str:
    written = StringIO()
    config = alembic_config()
    config.output_buffer = written
    config.attributes |= {"dialect": dialect, "built": built}
    command.upgrade(config, f"{before or 'base'}:{step}", sql=True)
    lines = (line for line in written.getvalue().splitlines() if line and not line.startswith("-- Running"))
    return "".join(f"{line}\n" for line in lines)
