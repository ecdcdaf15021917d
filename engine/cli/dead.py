"""`varsel dead`: what was given up, and doing it again for all that match."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine.cli.exits import FAILED
from engine.cli.installation import opened, reading, who, writing
from engine.cli.options import Csv, Cursor, Data, Json, Limit, Sort, Yes
from engine.cli.output import form_of
from engine.cli.progress import bar, confirm
from engine.cli.resources import LateGroup, option, parameter, taking
from engine.cli.rows import Wanted, show_list
from engine.cli.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.admin.filters import Field

STATES = {"orders": "SetAside", "emails": "failed", "deliveries": "Dead"}
NARROWED_BY = ("recipient", "creator", "reference", "subscription", "error", "since", "until")
LOOK_EVERY = 0.2  # seconds between two looks at the job

_WHICH = typer.Argument(help="Orders that were set aside, failed e-mails, dead deliveries.", show_default=False)
Resource = Annotated[Literal["orders", "emails", "deliveries"], _WHICH]
DOINGS = {  # by verb: what it is done to, and the help
    "retry": (Annotated[Literal["orders", "emails"], _WHICH], "Retry all that match, in the background."),
    "replay": (Annotated[Literal["deliveries"], _WHICH], "Replay all deliveries that match, in the background."),
}


class _Group(LateGroup):
    def build(self) -> Iterator[tuple[str, Callable[..., None], str | None]]:
        options = [option(field) for field in _fields()]
        yield "list", taking(list_, options), None
        for verb, (which, text) in DOINGS.items():
            yield verb, taking(do, [parameter("resource", which), *options]), text


GROUP = typer.Typer(name="dead", help="What was given up.", no_args_is_help=True, cls=_Group)


def list_(
    *,
    resource: Resource,
    limit: Limit = None,
    cursor: Cursor = None,
    sort: Sort = None,
    as_json: Json = False,
    as_csv: Csv = False,
    data: Data = None,
    **given: str | None,
) -> None:
    """Print what was given up, the newest first."""
    from engine.admin.resources import RESOURCES

    wanted = Wanted(limit, cursor, form_of(as_json, as_csv), data, sort)
    show_list(RESOURCES[resource], given | {"state": STATES[resource]}, wanted)


def do(
    *,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    data: Data = None,
    **given: Any,
) -> None:
    """Do it again for all that match, in the background; what happened before stays on record."""
    from engine.admin import actions, jobs, questions
    from engine.admin.amounts import some
    from engine.admin.details import job as detail

    resource = given.pop("resource")
    conditions = {"state": STATES[resource]} | {name: value for name, value in given.items() if value is not None}
    action = actions.find(resource, "retry")
    with reading(data) as connection:
        asked, question = questions.of_all(connection, action, conditions)
    if not asked.number:
        typer.echo(plain(" ".join(question.lines)) or "Nothing matches.", err=True)
        return
    if not yes:
        confirm(replace(question, title=f"{action.label} {asked.amount.of(resource)}?"))
    with reading(data) as connection:
        counted = jobs.confirmed(connection, action, conditions, asked)
    with writing(data) as connection:
        job = jobs.start(connection, who(), action, conditions, counted=counted)
        total = detail(connection, job)["total"]
    typer.echo(f"{action.label}: {some(total, resource)}, in the background, as job {job}.")
    if wait:
        _wait(job, data)


def _fields() -> Iterator[Field]:
    """What all that were given up can be narrowed to: fields of their resources, with the help of the first."""
    from engine.admin.resources import RESOURCES

    every = [RESOURCES[resource].fields for resource in STATES]
    for name in NARROWED_BY:
        field = next(fields[name] for fields in every if name in fields)
        yield replace(field, help="How an attempt ended; not of orders.", choices=()) if name == "error" else field


def _wait(job: int, data: Path | None) -> None:
    """Show how far the job is, until it has ended."""
    with opened(data) as store:

        def look() -> dict[str, Any]:
            from engine.admin.details import job as detail

            with store.read() as connection:
                return detail(connection, job)

        now = look()
        with bar(f"Job {job}", now["total"]) as show:
            while now["due_at"] is not None:
                time.sleep(LOOK_EVERY)
                now = look()
                show(now["done"])
    typer.echo(f"{now['state']}: {now['done']:,} of {now['total']:,}.")
    if now["reason"]:
        typer.echo(plain(now["reason"]), err=True)
        raise typer.Exit(FAILED)
