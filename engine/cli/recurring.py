"""`varsel recurring`: recurring orders, paused, resumed and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import typer

from engine.cli import resources
from engine.cli.installation import reading, who, writing
from engine.cli.options import Data, Reason, Uuid, Yes
from engine.cli.progress import confirm

if TYPE_CHECKING:
    from sqlalchemy import Connection

GROUP = resources.group("recurring", "Recurring orders: an order again and again.")


@GROUP.command()
def pause(order: Uuid, reason: Reason = "", data: Data = None) -> None:
    """Make no runs of it until it is resumed."""
    from engine.admin import recurring

    with writing(data) as connection:
        told = recurring.pause(connection, who(), _meant(connection, order), reason)
    typer.echo(told)


@GROUP.command()
def resume(order: Uuid, data: Data = None) -> None:
    """Make runs again, from the next time on."""
    from engine.admin import recurring

    with writing(data) as connection:
        told = recurring.resume(connection, who(), _meant(connection, order))
    typer.echo(told)


@GROUP.command()
def delete(order: Uuid, yes: Yes = False, data: Data = None) -> None:
    """Delete it. The orders that it has made go on."""
    from engine.admin import recurring
    from engine.admin.questions import Question

    with reading(data) as connection:
        key = _meant(connection, order)
        title, meaning = recurring.question(connection, key)
    if not yes:
        confirm(Question(title, (meaning,)))
    with writing(data) as connection:
        told = recurring.remove(connection, who(), key)
    typer.echo(told)


def _meant(connection: Connection, order: str) -> UUID:
    from engine.admin.naming import key_of
    from engine.admin.resources import RECURRING

    key = key_of(connection, RECURRING, order)
    assert isinstance(key, UUID)  # noqa: S101 as the resource has it
    return key
