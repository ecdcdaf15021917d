"""`varsel subscriptions`: pausing, resuming and testing a subscription."""

from __future__ import annotations

import typer

from engine.cli import resources
from engine.cli.installation import reading, who, writing
from engine.cli.options import Data, Number, Reason, Yes
from engine.cli.progress import confirm

GROUP = resources.group("subscriptions", "Subscriptions: who gets which events.")


@GROUP.command()
def pause(subscription: Number, reason: Reason = "", data: Data = None) -> None:
    """Push nothing more to it; what matches meanwhile waits."""
    from engine.admin.pausing import pause_subscription

    with writing(data) as connection:
        pause_subscription(connection, who(), subscription, reason)
    typer.echo(f"Subscription {subscription} is paused.")


@GROUP.command()
def resume(subscription: Number, yes: Yes = False, data: Data = None) -> None:
    """Push what waits, and what comes."""
    from engine.admin import pausing, questions

    with reading(data) as connection:
        question = questions.of_subscription(connection, subscription)
    if not yes:
        confirm(question)
    with writing(data) as connection:
        pausing.resume_subscription(connection, who(), subscription)
    typer.echo(f"Subscription {subscription} is resumed.")


@GROUP.command("test")
def push_test(subscription: Number, data: Data = None) -> None:
    """Push a test event to it, once; also while it is paused.

    `show` has the answer.
    """
    from engine.admin.subscriptions import send_test

    with writing(data) as connection:
        delivery = send_test(connection, who(), subscription)
    typer.echo(f"The test event is on its way; varsel deliveries show {delivery} has the answer.")
