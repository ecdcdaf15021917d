"""`varsel pause`, `resume` and `drain`: pausing a lane, a creator or a recipients' domain."""

from __future__ import annotations

import time
from typing import Annotated, Literal

import typer

from engine.cli.installation import opened, reading, who, writing
from engine.cli.options import Data, Reason, Yes
from engine.cli.progress import bar, confirm

LOOK_EVERY = 0.2  # seconds between two looks at what is in flight

Kind = Annotated[Literal["lane", "creator", "domain"], typer.Argument(show_default=False)]
Value = Annotated[str, typer.Argument(show_default=False, help="Such as emails, ttd or example.no.")]


def pause(kind: Kind, value: Value, reason: Reason = "", data: Data = None) -> None:
    """Pause a lane, a creator, or a recipients' domain."""
    from engine.admin import pausing

    with writing(data) as connection:
        told = pausing.pause(connection, who(), kind, value, reason)
    typer.echo(told)


def resume(kind: Kind, value: Value, yes: Yes = False, data: Data = None) -> None:
    """End a pause. What it stopped becomes due again."""
    from engine.admin import pausing, questions

    with reading(data) as connection:
        question = questions.of_resume(connection, kind, value)
    if not yes:
        confirm(question)
    with writing(data) as connection:
        pausing.resume(connection, who(), kind, value)
    typer.echo(f"Resumed: the {kind} {value}.")


def drain(
    lanes: Annotated[
        list[str] | None, typer.Argument(help="orders, emails, fan_outs, webhooks; none named: all.")
    ] = None,
    reason: Reason = "",
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Pause lanes, and wait until nothing in them is in flight. `varsel resume` lets them go on."""
    from engine.admin import pausing, questions

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
    typer.echo(f"Drained: {', '.join(chosen)}.")
