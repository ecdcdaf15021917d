"""`varsel backup` and `varsel restore`: a copy of the database while all goes on, and its way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.installation import opened
from engine.cli.options import Data
from engine.cli.progress import bar
from engine.errors import Misconfigured

WHOLE = 100  # per cent

_POSTGRESQL = "the database is PostgreSQL: {} does it; see *Backup and restore* in docs/operating.md"


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="A new file.", show_default=False)],
    data: Data = None,
) -> None:
    """Copy the database (SQLite) into a file while all goes on."""
    from engine import backups

    with opened(data) as store:
        if store.dialect.name == "postgresql":
            raise Misconfigured(_POSTGRESQL.format("pg_dump"))
        database = Path(str(store.engine.url.database))
        with bar("per cent", WHOLE) as show:
            backups.backup(database, file, lambda done, of: show(WHOLE * done // max(of, 1)))
    typer.echo(f"{file}: {file.stat().st_size / 1e6:,.1f} MB, whole")


def restore(
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, metavar="FILE", help="Of `varsel backup`.", show_default=False),
    ],
    data: Data = None,
) -> None:
    """Put a backup in the database's place (SQLite); what was there is kept. All processes must have ended."""
    from engine import backups, settings
    from engine.embedded import database_url

    url = database_url(settings.load(), data)
    if not url.startswith("sqlite"):
        raise Misconfigured(_POSTGRESQL.format("pg_restore"))
    database = Path(url.removeprefix("sqlite:///"))
    kept = backups.restore(file, database)
    typer.echo(f"{database} is restored from {file}")
    if kept:
        typer.echo(f"what was there is kept as {kept}")
    typer.echo("Its lanes are paused: `varsel restored` lists what would be done again, --resume lets them go on.")
