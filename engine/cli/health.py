"""`varsel doctor`, `varsel alive` and `varsel wait-ready`: does everything work, does this machine, and when."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any

import typer

from engine.cli.exits import NOT_READY
from engine.cli.installation import place
from engine.cli.options import Data, Json
from engine.cli.text import plain
from engine.errors import Misconfigured

COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}
LOOK_EVERY = 0.25  # seconds


def doctor(data: Data = None, as_json: Json = False) -> None:
    """Look at everything that Varsel needs, and say what to do. Exit code 4: there is a problem."""
    from engine.cli.output import cell, print_list
    from engine.doctor import Finding, Level, examine

    try:
        findings = examine(place(data))
    except Misconfigured as error:
        findings = [Finding("settings", Level.PROBLEM, str(error), "Correct the environment of this command.")]
    if as_json:
        print_list(findings)
    else:
        width = max(len(each.name) for each in findings)
        for each in findings:
            level = typer.style(f"{each.level:<8}", COLOURS[each.level])
            since = f"; since {cell(each.since)}" if each.since else ""
            typer.echo(f"{level} {each.name:<{width}}  {plain(each.text)}{since}")
            if each.advice:
                typer.echo(f"{'':{width + 11}}{plain(each.advice)}")
    if any(each.level == Level.PROBLEM for each in findings):
        raise typer.Exit(NOT_READY)


def alive(data: Data = None) -> None:
    """Tell which processes live on this machine. Exit code 4: none does. A container is a machine of its own.

    While the database does not answer, nobody can tell, and the exit code is 0: a restart would not help.
    """
    from sqlalchemy.exc import DBAPIError

    from engine.cli.installation import database_url
    from engine.doctor.asking import living
    from engine.errors import Unavailable

    try:
        found = living(database_url(data))
    except (Unavailable, DBAPIError):
        typer.echo("unknown: the database does not answer")
        return
    if not found:
        typer.echo("Error: no process here has shown itself in the database for 15 seconds", err=True)
        raise typer.Exit(NOT_READY)
    typer.echo("alive: " + ", ".join(map(str, found)))


def wait_ready(
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait at most.")] = 60,
    url: Annotated[str | None, typer.Option(show_default="VARSEL_BASE_URL", help="Where the API is.")] = None,
) -> None:
    """Wait until the API is ready for requests. Exit code 4: it was not in time."""
    from engine import settings

    address = (url or settings.load().base_url).rstrip("/") + "/readyz"
    give_up = time.monotonic() + timeout
    shown = ""
    while missing := _missing(address, max(0.1, min(2.0, give_up - time.monotonic()))):
        if time.monotonic() >= give_up:
            typer.echo(f"Error: not ready within {timeout:g} s: {missing}", err=True)
            raise typer.Exit(NOT_READY)
        if missing != shown and sys.stderr.isatty():
            typer.echo(f"waiting: {missing}", err=True)
            shown = missing
        time.sleep(min(LOOK_EVERY, max(0.0, give_up - time.monotonic())))
    typer.echo("ready")


def _missing(address: str, within: float) -> str:
    """What the API waits for, or why it cannot be asked; empty: it is ready."""
    import urllib.error
    import urllib.request
    from http.client import HTTPException

    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # the API is near, proxies are for far away
    try:
        with direct.open(address, timeout=within):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            return plain(_parts(error.read(10_000)) or f"{address} answers {error.code}")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        return plain(f"{address}: {reason}")
    except ValueError:
        raise typer.BadParameter(f"{address} is not an address such as http://127.0.0.1:5090") from None


def _parts(body: bytes) -> str:
    """What /readyz says of the parts that are not there."""
    try:
        parts: Any = json.loads(body)
        return ", ".join(str(part) for name, part in parts.items() if name != "status" and part != "ok")
    except (ValueError, AttributeError):
        return ""
