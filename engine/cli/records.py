"""`varsel audit` and `varsel jobs`: who did what, and what goes on in the background."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.installation import who, writing
from engine.cli.options import Cursor, Data, Json, Limit, Number, Since, Until
from engine.cli.rows import Wanted, show_list, show_one

AUDIT = typer.Typer(name="audit", help="Who did what.", no_args_is_help=True)
JOBS = typer.Typer(name="jobs", help="What is done to many in the background.", no_args_is_help=True)


@AUDIT.command("list")
def audit(
    by: Annotated[str | None, typer.Option("--who", help="Who did it, such as anna or cli:root.")] = None,
    action: Annotated[str | None, typer.Option(help="What was done, such as pause.")] = None,
    target: Annotated[str | None, typer.Option(help="To what, such as lane/emails.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print the audit log, the newest line first."""
    given = {"who": by, "action": action, "target": target, "since": since, "until": until}
    show_list("audit", given, Wanted(limit, cursor, as_json, data))


@JOBS.command("list")
def jobs(limit: Limit = 50, cursor: Cursor = None, as_json: Json = False, data: Data = None) -> None:
    """Print background jobs, the newest first."""
    show_list("jobs", {}, Wanted(limit, cursor, as_json, data))


@JOBS.command()
def show(job: Number, as_json: Json = False, data: Data = None) -> None:
    """Print a job and how far it is."""
    show_one("jobs", job, as_json, data)


@JOBS.command()
def stop(job: Number, data: Data = None) -> None:
    """End a job after the batch that it is at."""
    from engine.admin import jobs as background

    with writing(data) as connection:
        background.stop(connection, who(), job)
    typer.echo(f"{job} is stopped.")
