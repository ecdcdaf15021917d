"""`varsel pause`, `pauses`, `resume` and `drain`: pausing a lane, a creator or a recipients' domain."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.cli.installation import opened, reading, who, writing
from engine.cli.options import Csv, Data, Json, Reason, Yes
from engine.cli.output import cell, form_of, print_rows
from engine.cli.progress import bar, confirm
from engine.errors import Invalid

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

LOOK_EVERY = 0.2  # seconds between two looks at what is in flight

Kind = Annotated[Literal["lane", "creator", "domain"], typer.Argument(show_default=False)]
Value = Annotated[str, typer.Argument(show_default=False, help="Such as emails, ttd or example.no.")]
Lasting = Annotated[str | None, typer.Option("--for", help="It ends by itself: after 30m, 2h or 1d.")]
Until = Annotated[str | None, typer.Option(help="Likewise: at 08:00, or 2026-05-01T08:00 (local).")]


def pause(
    kind: Kind,
    value: Value,
    reason: Reason,
    lasting: Lasting = None,
    until: Until = None,
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Pause a lane, a creator, or a recipients' domain. Asks first, with what it stops."""
    from engine.admin import pausing, questions

    with reading(data) as connection:
        question = questions.of_pause(connection, kind, value)
        ends = end_of(connection, lasting, until)
    if not yes:
        confirm(question)
    with writing(data) as connection:
        told = pausing.pause(connection, who(), kind, value, reason, ends)
    typer.echo(f"Paused: {told}, {until_when(ends)}.")


def end_of(connection: Connection, lasting: str | None, until: str | None) -> datetime | None:
    """When a pause ends by itself; Invalid."""
    from engine.admin import ends
    from engine.db.dialects import now

    if lasting and until:
        raise Invalid({"until": ["Either --for or --until: not both."]})
    return ends.end_of(lasting or until or "", now(connection), None)


def until_when(ends: datetime | None) -> str:
    """It in words."""
    return f"until {cell(ends)}" if ends else "until somebody resumes it"


def pauses(as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print what is paused, by whom, since when, and until when."""
    from engine.admin.pausing import all_of

    with reading(data) as connection:
        found = all_of(connection)
    print_rows(form_of(as_json, as_csv), "pauses", found, none="Nothing is paused.")


def resume(kind: Kind, value: Value, yes: Yes = False, data: Data = None) -> None:
    """End a pause. What it stopped becomes due again."""
    from engine.admin import pausing, questions
    from engine.admin.sentences import thing

    with reading(data) as connection:
        question = questions.of_resume(connection, kind, value)
    if not yes:
        confirm(question)
    with writing(data) as connection:
        pausing.resume(connection, who(), kind, value)
    typer.echo(f"Resumed: {thing(kind, value)}.")


def drain(
    lanes: Annotated[
        list[str] | None, typer.Argument(help="orders, emails, fan_outs, webhooks; none named: all.")
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Pause lanes, and wait until nothing in them is in flight. `varsel resume` resumes them."""
    from engine.admin import pausing, questions
    from engine.admin.sentences import thing
    from engine.queue.pauses import LANE

    chosen = tuple(lanes or pausing.LANES)
    with opened(data) as store:
        with store.read() as connection:
            question = questions.of_drain(connection, chosen)
        if not yes:
            confirm(question)
        with store.write() as connection:
            pausing.drain(connection, who(), chosen, reason)

        def left() -> int:
            with store.read() as connection:
                return pausing.in_flight(connection, chosen)

        first = now = left()
        with bar("In flight", first) as show:
            while now:
                time.sleep(LOOK_EVERY)
                now = left()
                show(first - now)
    typer.echo(f"Drained: {', '.join(thing(LANE, lane) for lane in chosen)}.")
