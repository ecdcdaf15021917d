"""`varsel subscriptions`."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.installation import reading, who, writing
from engine.cli.options import (
    Cursor,
    Data,
    Json,
    Limit,
    Number,
    Reason,
    SubscriptionNumber,
    SubscriptionState,
    Yes,
)
from engine.cli.progress import confirm
from engine.cli.rows import Wanted, show_list, show_one

GROUP = typer.Typer(name="subscriptions", help="Subscriptions: who gets which events.", no_args_is_help=True)


@GROUP.command("list")
def list_(
    state: SubscriptionState = None,
    consumer: Annotated[str | None, typer.Option(help="Whose it is, such as /org/ttd.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="A part of its address.")] = None,
    resource: Annotated[str | None, typer.Option(help="A part of its resource filter.")] = None,
    subscription: SubscriptionNumber = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print subscriptions, the newest first."""
    given = {
        "state": state,
        "consumer": consumer,
        "endpoint": endpoint,
        "resource": resource,
        "subscription": subscription,
    }
    show_list("subscriptions", given, Wanted(limit, cursor, as_json, data))


@GROUP.command()
def show(subscription: Number, as_json: Json = False, data: Data = None) -> None:
    """Print a subscription with the number of its deliveries by state."""
    show_one("subscriptions", subscription, as_json, data)


@GROUP.command()
def pause(subscription: Number, reason: Reason = "", data: Data = None) -> None:
    """Push nothing more to it; what matches meanwhile waits."""
    from engine.admin.pausing import pause_subscription

    with writing(data) as connection:
        pause_subscription(connection, who(), subscription, reason)
    typer.echo(f"{subscription} is paused.")


@GROUP.command()
def resume(subscription: Number, yes: Yes = False, data: Data = None) -> None:
    """Push what waits, and go on."""
    from engine.admin import pausing, questions

    with reading(data) as connection:
        question = questions.of_subscription(connection, subscription)
    if not yes:
        confirm(question)
    with writing(data) as connection:
        pausing.resume_subscription(connection, who(), subscription)
    typer.echo(f"{subscription} goes on.")
