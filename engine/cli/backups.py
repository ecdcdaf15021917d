"""`varsel backup` and `varsel restore`: a copy of the database while processes run, and its way back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.installation import opened
from engine.cli.options import Data
from engine.cli.progress import bar
from engine.errors import Misconfigured
from engine.text.urls import file_of

WHOLE = 100  # per cent


def backup(
    file: Annotated[Path, typer.Argument(dir_okay=False, metavar="FILE", help="A new file.", show_default=False)],
    data: Data = None,
) -> None:
    """Copy the database (SQLite) into a file while processes run."""
    from engine.admin import backups

    with opened(data):
        database = _database(data, "pg_dump")
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
    """Put a backup in the database's place (SQLite).

    What was there is kept. All processes must have ended.
    """
    from engine.admin import backups

    database = _database(data, "pg_restore")
    kept = backups.restore(file, database)
    typer.echo(f"{database} is restored from {file}")
    if kept:
        typer.echo(f"what was there is kept as {kept}")
    typer.echo("Its lanes are paused: `varsel restored` lists what would be done again, --resume resumes the lanes.")


def _database(data: Path | None, otherwise: str) -> Path:
    """The database's file; Misconfigured where it is PostgreSQL's, which has a program for that."""
    from engine import settings
    from engine.dev.data_folder import database_url

    file = file_of(database_url(settings.load(), data))
    if not file:
        raise Misconfigured(f"the database is PostgreSQL: {otherwise} does it; docs/operating.md, Backup and restore")
    return file
