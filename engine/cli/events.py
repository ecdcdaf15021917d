"""`varsel events`: publishing an event."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli import resources
from engine.cli.exits import FAILED, end
from engine.cli.installation import who, writing
from engine.cli.options import Data
from engine.errors import BadRequest, Invalid

GROUP = resources.group("events", "Events: what happened.")


@GROUP.command()
def publish(
    file: Annotated[typer.FileBinaryRead, typer.Argument(help="A CloudEvent as JSON; - is standard input.")],
    data: Data = None,
) -> None:
    """Store an event and queue it for its subscribers.

    As if it had come in over HTTP.
    """
    from sqlalchemy import select

    from engine.db.tables import events
    from engine.events.cloudevent import decode, require_resource
    from engine.events.storing import persist
    from engine.observability.audit import note

    try:
        event = decode(file.read())
        require_resource(event)
    except (Invalid, BadRequest) as error:
        end(error, FAILED)
    its = (events.c.id == event.id, events.c.source == event.source)
    with writing(data) as connection:
        known = connection.scalar(select(events.c.seq).where(*its))
        if known is None:
            queued = persist(connection, [event])
            seq = connection.scalar(select(events.c.seq).where(*its))
            note(connection, who(), "events.publish", f"events/{seq}")
    if known is None:
        rest = "; the others follow" if queued.waiting else ""
        typer.echo(f"{seq} is stored; deliveries: {queued.deliveries}{rest}.")
    else:
        typer.echo(f"{known} is this event already; it was not stored again.")
