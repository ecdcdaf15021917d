"""What waits, whose turn it is, what creators have left, who works, and what is wrong."""

from __future__ import annotations

import select
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from engine.cli import failures
from engine.cli.columns import COLUMNS
from engine.cli.installation import opened, reading
from engine.cli.options import Csv, Data, Json
from engine.cli.output import Form, cell, console, form_of, print_json, print_rows, table
from engine.cli.text import plain
from engine.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.console import RenderableType

NO_FILE = (
    "VARSEL_QUOTAS_FILE is not set for this command, so it knows no quotas. Set it as for `varsel web`:"
    " VARSEL_QUOTAS_FILE=FILE varsel quotas; docs/operating.md, Quotas of creators, has the form of the file."
)
EACH = 1.0  # seconds between two looks
COLOURS = {"warning": "yellow", "problem": "red"}


def lanes(as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print what waits, lane by lane.

    That is what is due, in flight, retrying, paused, and dead; and where e-mails go slowly.
    """
    from engine.admin import lanes as figures
    from engine.admin.slowness import slowness

    with reading(data) as connection:
        found, slow = figures.lanes(connection), slowness(connection)
    form = form_of(as_json, as_csv)
    print_rows(form, "lanes", found if form is Form.JSON else _figures(found, shown=form is Form.TABLE))
    for each in slow if form is Form.TABLE else ():
        console().print(f"{plain(each.text)}, since {cell(each.since)}.", soft_wrap=True)


def turns(as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print who has orders or e-mails ready.

    Creators take turns, also among e-mails that wait for the pace of a relay or domain. Up to ten creators of each
    priority, and up to a thousand rows of each.
    """
    from engine.admin import turns as figures

    with reading(data) as connection:
        found = figures.turns(connection)
    shown = [asdict(each) for each in found]
    print_rows(form_of(as_json, as_csv), "turns", shown, none="Nobody has anything ready.")


def quotas(as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print what creators have left of their quotas.

    Of those that VARSEL_QUOTAS_FILE names, and of those that have ordered lately. Without the file there are none.
    """
    from engine import settings
    from engine.admin.quotas import standings
    from engine.orders.quotas import Quotas

    file = settings.load().quotas_file
    with settings.naming("quotas_file"):
        kept = Quotas(file)
    with reading(data) as connection:
        found = standings(connection, kept)
    if not found:
        typer.echo(f"{file} gives no creator a quota who has ordered lately." if file else NO_FILE, err=True)
    form = form_of(as_json, as_csv)
    if found or form is not Form.TABLE:
        print_rows(form, "quotas", [asdict(each) for each in found])


def processes(as_json: Json = False, as_csv: Csv = False, data: Data = None) -> None:
    """Print the processes that live, and who keeps the clock.

    Each scheduler does all of the clock's work; none of them leads. `silent`: no heartbeat for four seconds.
    """
    from engine.admin.processes import living

    with reading(data) as connection:
        found = living(connection)
    print_rows(form_of(as_json, as_csv), "processes", found, none="No process has a recent heartbeat.")


def top(as_json: Json = False, data: Data = None) -> None:
    """Show lanes and processes live; q ends it. Where the output is no terminal, print them once."""
    from engine.admin.overview import overview

    out = console()
    with opened(data) as store:

        def look() -> dict[str, Any]:
            with store.read() as connection:
                return overview(connection)

        if as_json:
            print_json(look())
        elif out.is_terminal and sys.stdin.isatty():
            _live(look)
        else:
            out.print(_page(look(), out.width))


def _live(look: Callable[[], dict[str, Any]]) -> None:
    """Look again and again until q or Ctrl-C; a database that does not answer is waited for."""
    from rich.live import Live
    from rich.text import Text

    with _keys() as pressed, Live(screen=True, auto_refresh=False, console=console()) as live:
        while True:
            began = time.monotonic()
            try:
                live.update(_page(look(), live.console.width), refresh=True)
            except Unavailable as error:
                live.update(Text(f"{error}; asked again every second. q ends.", style="red"), refresh=True)
            if pressed(max(0.0, EACH - (time.monotonic() - began))) == "q":
                return


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Gives a function that waits so many seconds for a key, and returns it ("": none)."""
    import termios
    import tty

    before = termios.tcgetattr(sys.stdin)

    def pressed(within: float) -> str:
        readable, _, _ = select.select([sys.stdin], [], [], within)
        return sys.stdin.read(1) if readable else ""

    tty.setcbreak(sys.stdin)
    try:
        yield pressed
    except KeyboardInterrupt:
        pass  # the other way to end it
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _page(seen: dict[str, Any], width: int) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"Varsel, {cell(seen['at'])}", style="bold")]
    for finding in seen["findings"]:
        since = f"; since {cell(finding['since'])}" if finding["since"] else ""
        parts.append(Text(f"{plain(finding['text'])}{since}.", style=COLOURS[finding["level"]]))
        parts.append(Text(f"  {plain(finding['advice'])}", style="dim"))
    if not seen["findings"]:
        parts.append(Text("All well.", style="green"))
    tables = {
        "lanes": _figures(seen["lanes"], shown=True),
        "relays": [asdict(each) for each in seen["relays"]],
        "failures": failures.rows(seen["failures"]),
        "turns": [asdict(each) for each in seen["turns"]],
        "throughput": _throughput(seen["hour"]),
        "processes": seen["processes"],
        "jobs": seen["jobs"],
    }
    for name, rows in tables.items():
        if rows:
            parts += [Text(), table(COLUMNS[name], rows, width)]
    return Group(*parts)


def _figures(found: Sequence[Any], *, shown: bool) -> list[dict[str, Any]]:
    """Rows for a table: the age of the oldest due one is a time span; `shown`: numbers say that there are more."""
    rows = [asdict(lane) for lane in found]
    for row in rows:
        row["oldest_due"] = timedelta(seconds=row["oldest_due_seconds"]) if row["due"] else None
        row.update({name: f"{cell(row[name])}+" for name in row["more"]} if shown else {})
    return rows


def _throughput(hour: dict[str, list[int]]) -> list[dict[str, Any]]:
    """Sums of the last hour: of what is taken in, and of attempts by how they ended."""
    sums = {series: sum(values) for series, values in hour.items()}
    taken = [{"name": f"{name} taken in", "accepted": sums[name]} for name in ("orders", "events")]
    outcomes = ("accepted", "deferred", "failed")
    tried = [{"name": name} | {each: sums[f"{name}.{each}"] for each in outcomes} for name in ("emails", "webhooks")]
    return taken + tried
