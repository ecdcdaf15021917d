"""`varsel senders`: which From addresses the orders of a creator may have."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli import resources
from engine.cli.installation import who, writing
from engine.cli.options import Data, Number

GROUP = resources.group("senders", "Sender identities of creators.")


@GROUP.command()
def add(
    creator: Annotated[str, typer.Argument(help="Whose orders, such as ttd.", show_default=False)],
    address: Annotated[str, typer.Argument(help="The From address.", show_default=False)],
    name: Annotated[str, typer.Option(help="What mail programs show beside it.", show_default=False)] = "",
    reply_to: Annotated[str, typer.Option(help="Where answers go.", show_default=False)] = "",
    default: Annotated[
        bool, typer.Option("--default", help="For orders that name no sender, as is the first.")
    ] = False,
    data: Data = None,
) -> None:
    """Let the orders of a creator have this sender."""
    from engine.admin import senders

    with writing(data) as connection:
        told = senders.add(connection, who(), senders.NewSender(creator, address, name, reply_to, default))
    typer.echo(told)


@GROUP.command()
def default(sender: Number, data: Data = None) -> None:
    """Let orders that name no sender have this one."""
    from engine.admin import senders

    with writing(data) as connection:
        told = senders.make_default(connection, who(), sender)
    typer.echo(told)


@GROUP.command()
def remove(sender: Number, data: Data = None) -> None:
    """Let no new order have this sender. Those that are stored keep it."""
    from engine.admin import senders

    with writing(data) as connection:
        told = senders.remove(connection, who(), sender)
    typer.echo(told)
