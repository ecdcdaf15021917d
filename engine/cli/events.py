"""`varsel events`."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.exits import FAILED, end
from engine.cli.installation import who, writing
from engine.cli.options import Cursor, Data, EventNumber, Json, Limit, Number, Since, Until
from engine.cli.rows import Wanted, show_list, show_one
from engine.errors import BadRequest, Invalid

GROUP = typer.Typer(name="events", help="Events: what happened.", no_args_is_help=True)


@GROUP.command("list")
def list_(
    type_: Annotated[str | None, typer.Option("--type", help="A part of its type.")] = None,
    source: Annotated[str | None, typer.Option(help="A part of its source.")] = None,
    subject: Annotated[str | None, typer.Option(help="Its subject.")] = None,
    resource: Annotated[str | None, typer.Option(help="Its resource.")] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Its publisher's id.")] = None,
    since: Since = None,
    until: Until = None,
    event: EventNumber = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print events, the newest first."""
    given = {
        "type": type_,
        "source": source,
        "subject": subject,
        "resource": resource,
        "id": id_,
        "since": since,
        "until": until,
        "event": event,
    }
    show_list("events", given, Wanted(limit, cursor, as_json, data))


@GROUP.command()
def show(event: Number, as_json: Json = False, data: Data = None) -> None:
    """Print an event, and to whom it was pushed."""
    show_one("events", event, as_json, data)


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
