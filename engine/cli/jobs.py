"""`varsel jobs`: stopping a job."""

from __future__ import annotations

import typer

from engine.cli import resources
from engine.cli.installation import who, writing
from engine.cli.options import Data, Number

GROUP = resources.group("jobs", "What is done to many in the background.")


@GROUP.command()
def stop(job: Number, data: Data = None) -> None:
    """End a job after the batch that it is at."""
    from engine.admin import jobs as background

    with writing(data) as connection:
        background.stop(connection, who(), job)
    typer.echo(f"Job {job} is stopped; what it has done stays done.")
