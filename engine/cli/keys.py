"""`varsel keys`: API keys for systems that have no token issuer."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

import typer

from engine.cli import resources
from engine.cli.installation import reading, who, writing
from engine.cli.options import Data, Number, Yes
from engine.cli.progress import confirm
from engine.resources import SCOPE_CREATE

GROUP = resources.group("keys", "API keys, for systems without a token issuer.")

Kind = Annotated[
    Literal["live", "team", "test"],
    typer.Option(help="live sends; team sends to its guests alone; test sends nothing and simulates outcomes."),
]


@GROUP.command()
def create(
    creator: Annotated[str, typer.Option(help="Whose orders it makes, such as ttd.")],
    name: Annotated[str, typer.Option(help="What you call the system that has the key.")],
    kind: Kind = "live",
    scope: Annotated[list[str] | None, typer.Option(help="One or more.", show_default=SCOPE_CREATE)] = None,
    guest: Annotated[
        list[str] | None, typer.Option(help="Of a team key: an address, @domain or number; one or more.")
    ] = None,
    days: Annotated[int | None, typer.Option(help="Its life.", show_default="without end")] = None,
    data: Data = None,
) -> None:
    """Make a key and print it, this one time: Varsel keeps its hash alone."""
    from engine.admin import api_keys

    asked = api_keys.NewKey(kind, creator, name, scope or [SCOPE_CREATE], guest or [], days)
    with writing(data) as connection:
        seq, key = api_keys.create(connection, who(), asked)
    _tell(seq, key)


@GROUP.command()
def rotate(
    key: Number,
    overlap: Annotated[float, typer.Option(help="Hours for which the old key stays valid; 0: it ends at once.")] = 24.0,
    data: Data = None,
) -> None:
    """Make a key like this one, and let the old one go on for a while."""
    from engine.admin import api_keys

    with writing(data) as connection:
        seq, text = api_keys.rotate(connection, who(), key, timedelta(hours=min(overlap, 1e6)))
    _tell(seq, text)


@GROUP.command()
def revoke(key: Number, yes: Yes = False, data: Data = None) -> None:
    """End a key; within two seconds, no process takes it any more."""
    from engine.admin import api_keys
    from engine.admin.questions import Question

    with reading(data) as connection:
        title, meaning = api_keys.question(connection, key)
    if not yes:
        confirm(Question(title, (meaning,)))
    with writing(data) as connection:
        told = api_keys.revoke(connection, who(), key)
    typer.echo(told)


def _tell(seq: int, key: str) -> None:
    typer.echo(key)
    typer.echo(f"This is the key {seq}. It is not shown again.", err=True)
