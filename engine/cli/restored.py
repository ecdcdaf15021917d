"""`varsel restored`: what a restored database would do again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.installation import opened, who
from engine.cli.options import Data, Json, Yes
from engine.cli.output import print_json, print_table
from engine.cli.progress import confirm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

SHOWN = 100  # of each kind, the soonest due


def restored(
    resume: Annotated[bool, typer.Option("--resume", help="Resume the paused lanes, which does it again.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Pause the lanes first, after a restore.")] = False,
    yes: Yes = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """List what a restored database would do again.

    Its lanes are paused until somebody says --resume.
    """
    from engine.admin import pausing, questions
    from engine.admin.amounts import some
    from engine.queue import epoch

    if resume and pause:
        raise typer.BadParameter("Pause, look at the list, then resume.", param_hint="--pause --resume")
    with opened(data) as store:
        if resume:
            with store.read() as connection:
                question = questions.of_restored(connection)
            if not yes:
                confirm(question)
            with store.write() as connection:
                told = pausing.go_on_restored(connection, who())
            typer.echo(told)
            return
        if pause:
            with store.write() as connection:
                epoch.restored(connection, who())
        with store.read() as connection:
            counts = epoch.again(connection)
            rows = _rows(connection, counts or {})
    if as_json:
        print_json({"counts": counts} | rows)
    elif counts is None:
        typer.echo("The database is as new as it was.")
    else:
        typer.echo("Due when the newer database was last seen, so perhaps done already:")
        for lane, count in counts.items():
            typer.echo(some(count, lane))
            if rows[lane]:
                print_table("deliveries" if lane == "webhooks" else lane, rows[lane])
        typer.echo("`varsel restored --resume` resumes the lanes.")


def _rows(connection: Connection, counts: Mapping[str, int]) -> dict[str, Sequence[Mapping[str, object]]]:
    """The first rows of each lane that is counted."""
    from engine.admin.lists import page
    from engine.admin.resources import DELIVERIES, EMAILS, ORDERS
    from engine.admin.standing import REPEATED

    resources = {"orders": ORDERS, "emails": EMAILS, "webhooks": DELIVERIES}
    return {lane: page(connection, resources[lane], {"state": REPEATED}, size=SHOWN).items for lane in counts}
