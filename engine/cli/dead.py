"""`varsel dead`: what was given up, and doing it again for all that match."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine.cli.exits import FAILED
from engine.cli.installation import opened, reading, who, writing
from engine.cli.options import (
    Creator,
    Cursor,
    Data,
    Json,
    Limit,
    Recipient,
    Reference,
    Since,
    SubscriptionNumber,
    Until,
    Yes,
)
from engine.cli.progress import bar, confirm
from engine.cli.rows import Wanted, show_list
from engine.cli.text import plain

if TYPE_CHECKING:
    from pathlib import Path

GROUP = typer.Typer(name="dead", help="What was given up.", no_args_is_help=True)
STATES = {"orders": "SetAside", "emails": "failed", "deliveries": "Dead"}
LOOK_EVERY = 0.2  # seconds between two looks at the job

Resource = Annotated[
    Literal["orders", "emails", "deliveries"],
    typer.Argument(help="Orders that were set aside, failed e-mails, dead deliveries.", show_default=False),
]
Error = Annotated[str | None, typer.Option(help="How an attempt ended; not of orders.")]


@GROUP.command("list")
def list_(
    resource: Resource,
    recipient: Recipient = None,
    creator: Creator = None,
    reference: Reference = None,
    subscription: SubscriptionNumber = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print what was given up, the newest first."""
    given = _given(resource, recipient, creator, reference, subscription, error, since, until)
    show_list(resource, given, Wanted(limit, cursor, as_json, data))


@GROUP.command()
def replay(
    resource: Resource,
    recipient: Recipient = None,
    creator: Creator = None,
    reference: Reference = None,
    subscription: SubscriptionNumber = None,
    error: Error = None,
    since: Since = None,
    until: Until = None,
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    data: Data = None,
) -> None:
    """Do it again for all that match, in the background.

    What happened before stays on record.
    """
    from engine.admin import actions, jobs, questions
    from engine.admin.amounts import some
    from engine.admin.details import job as detail

    given = _given(resource, recipient, creator, reference, subscription, error, since, until)
    conditions = {name: value for name, value in given.items() if value is not None}
    action = actions.find(resource, "retry")
    with reading(data) as connection:
        asked, question = questions.of_all(connection, action, conditions)
    if not asked.number:
        typer.echo("Nothing matches.", err=True)
        return
    if not yes:
        confirm(replace(question, title=f"Replay {some(asked.number, resource)}?"))
    with writing(data) as connection:
        job = jobs.start(connection, who(), action, conditions, asked=asked)
        total = detail(connection, job)["total"]
    typer.echo(f"Job {job} does it in the background: {some(total, resource)}.")
    if wait:
        _wait(job, data)


def _given(resource: str, *values: str | None) -> dict[str, str | None]:
    names = ("recipient", "creator", "reference", "subscription", "error", "since", "until")
    return {"state": STATES[resource]} | dict(zip(names, values, strict=True))


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
