"""`varsel subscriptions`: pausing, resuming and testing a subscription."""

from __future__ import annotations

import typer

from engine.cli import resources
from engine.cli.installation import reading, who, writing
from engine.cli.options import Data, Number, Reason, Yes
from engine.cli.pausing import Lasting, Until, end_of, until_when
from engine.cli.progress import confirm

GROUP = resources.group("subscriptions", "Subscriptions: who gets which events.")


@GROUP.command()
def pause(
    subscription: Number,
    reason: Reason,
    lasting: Lasting = None,
    until: Until = None,
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Push nothing more to it; what matches meanwhile waits. Asks first, with what it stops."""
    from engine.admin import pausing, questions

    with reading(data) as connection:
        question = questions.of_subscription_pause(connection, subscription)
        ends = end_of(connection, lasting, until)
    if not yes:
        confirm(question)
    with writing(data) as connection:
        pausing.pause_subscription(connection, who(), subscription, reason, ends)
    typer.echo(f"Subscription {subscription} is paused, {until_when(ends)}.")


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
