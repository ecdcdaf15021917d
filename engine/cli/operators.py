"""`varsel operator`: who may sign in to the console with a password."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.cli.options import Json

GROUP = typer.Typer(name="operator", help="Who may sign in to the console with a password.", no_args_is_help=True)


Role = Literal["viewer", "operator", "admin"]  # as in engine/auth/operators.py
Name = Annotated[str, typer.Argument(help="What the audit log calls the operator.", show_default=False)]
File = Annotated[
    Path | None,
    typer.Option(dir_okay=False, show_default="VARSEL_OPERATORS_FILE", help="TOML file of the operators."),
]


@GROUP.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="A viewer looks, an operator acts, an admin also pauses lanes.")],
    file: File = None,
) -> None:
    """Add an operator, or give one another role and password.

    The password is asked for, twice; where there is no terminal, it is a line of standard input.
    """
    from engine.auth import operators

    operators.add(_file(file), name, operators.Role(role), _password())
    typer.echo(f"{name} is {'an' if role[0] in 'ao' else 'a'} {role}")


@GROUP.command("list")
def list_(file: File = None, as_json: Json = False) -> None:
    """Print the operators and their roles."""
    from engine.auth import operators

    found = operators.roles(_file(file))
    if as_json:
        items = [{"name": name, "role": role} for name, role in found.items()]
        typer.echo(json.dumps({"items": items, "next": None}, indent=2))
    else:
        for name, role in found.items():
            typer.echo(f"{name:<{max(map(len, found))}}  {role}")


@GROUP.command()
def remove(name: Name, file: File = None) -> None:
    """Remove an operator, who is out at the next click."""
    from engine.auth import operators

    operators.remove(_file(file), name)
    typer.echo(f"{name} is removed")


def _file(given: Path | None) -> Path:
    from engine import settings

    return given or Path(settings.load().need("operators_file"))


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")
