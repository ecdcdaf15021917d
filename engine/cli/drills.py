"""`varsel drill`: what happens when something is lost, tried on purpose."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from engine.cli.exits import FAILED
from engine.cli.installation import database_url, opened
from engine.cli.options import Data, Json, Yes
from engine.cli.output import cell, print_json, print_table
from engine.cli.progress import bar
from engine.cli.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.drills import backup as backups
    from engine.drills import kill as kills

GROUP = typer.Typer(name="drill", help="Drills: is a backup whole, and what does a crash cost?", no_args_is_help=True)


@GROUP.command()
def backup(
    into: Annotated[
        str | None,
        typer.Option(show_default="one is made", help="PostgreSQL: an empty database, by its name or address."),
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, show_default="the system's", help="Folder for temporary copies."),
    ] = None,
    yes: Yes = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Back the database up, restore it elsewhere, compare. The original is only read; nothing is sent.

    Exit code 1: the copy lacks something.
    """
    from engine.drills.backup import run
    from engine.drills.postgresql import at
    from engine.text.urls import file_of

    with opened(data):
        url = database_url(data)
    if file_of(url) and into:
        raise typer.BadParameter("It is for PostgreSQL.", param_hint="--into")
    if not file_of(url) and not into and not yes:
        _ask("Make a database on the same server, which needs room for another copy, and drop it afterwards?")
    with _bars() as show:
        report = run(url, at(url, into) if into else None, folder, _webhook_key(data), show)
    if as_json:
        print_json(_document(report))
    else:
        _print(report)
    if not report.whole:
        raise typer.Exit(FAILED)


@GROUP.command()
def kill(
    process: Annotated[
        Literal["worker", "scheduler", "redis", "web"], typer.Argument(show_default=False, help="The busiest of them.")
    ],
    orders: Annotated[int, typer.Option(min=20, max=5_000, help="Test orders, and a tenth as many events.")] = 200,
    yes: Yes = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Kill a process in the middle of test orders, and count what arrives.

    Only for `varsel up` with its development inbox. Exit code 1: something accepted was lost or came
    with another Message-ID, or the process was not started again.
    """
    from engine import settings
    from engine.dev.data_folder import development_key
    from engine.drills import site
    from engine.drills.kill import run

    with opened(data):
        url = database_url(data)
    config = settings.load()
    found = site.find(config, data, url)
    victim, key = found.victim(process), development_key(config, data)
    if not yes:
        _ask(f"Send {orders:,} test orders to {found.inbox}, and kill the {process} (pid {victim}) of {found.folder}?")
    with bar("mails", orders + orders // 10) as show:
        report = run(found, process, key, url, number=orders, progress=show)
    if as_json:
        print_json(report)
    else:
        _print_kill(report)
    if not report.sound:
        raise typer.Exit(FAILED)


def _print_kill(report: kills.Report) -> None:
    def span(value: float | None) -> str:
        return "not while the drill ran" if value is None else f"after {value:.2f} s"

    lines = {
        "killed": f"{report.killed} (pid {report.pid}), with SIGKILL",
        "accepted": f"{report.orders:,} orders, {report.events:,} events",
        "arrived": f"{report.arrived:,} mails",
        "lost": f"{len(report.lost):,}",
        "twice": f"{len(report.twice):,}, with the same Message-ID",
        "with another Message-ID": f"{len(report.other_message_id):,}",
        "started again": span(report.started_again),
        "next order accepted": span(report.next_accepted),
        "next mail arrived": span(report.next_mail),
        "all settled": span(report.settled),
    }
    width = max(map(len, lines))
    for name, text in lines.items():
        typer.echo(f"{name:<{width}}  {text}")
    for name in (*report.lost, *report.other_message_id):
        typer.echo(plain(f"Not as promised: {name}"))


def _document(report: backups.Report) -> dict[str, object]:
    names = ("database", "moment", "revision", "steps", "tables", "again", "webhook_key", "differences", "whole")
    return {name: getattr(report, name) for name in names}


def _print(report: backups.Report) -> None:
    from engine.admin.amounts import some

    typer.echo(f"{report.database}, as of {cell(report.moment)}, schema {report.revision}\n")
    print_table("steps", [asdict(each) for each in report.steps])
    typer.echo()
    print_table("tables", [asdict(each) for each in report.tables if each.original or each.copy])
    typer.echo("audit_log, pauses, processes and installation have what the pause of the lanes has written.\n")
    again = ", ".join(some(count, lane) for lane, count in report.again.items() if count)
    typer.echo(f"A restore at that moment would do again, once its lanes are resumed: {again or 'nothing'}.")
    typer.echo(f"The webhook key is {'here' if report.webhook_key else 'not here'}; no backup has it.")
    for each in report.differences:
        typer.echo(plain(f"Differs: {each}"))
    typer.echo("The copy is whole." if report.whole else "The copy is not whole.")


def _webhook_key(data: Path | None) -> str | None:
    """The key that is set, or that of the folder; None: there is none here."""
    from engine import settings
    from engine.dev.data_folder import WEBHOOK_KEY, data_folder, webhook_key

    config = settings.load()
    if config.webhook_key:
        return config.webhook_key.get_secret_value()
    folder = data_folder(config, data)
    return webhook_key(folder) if (folder / WEBHOOK_KEY).exists() else None


def _ask(question: str) -> None:
    """Ask on standard error; without a yes, the command ends."""
    if not typer.confirm(plain(question), err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(FAILED)


@contextmanager
def _bars() -> Iterator[Callable[[str, int, int], None]]:
    """Gives a function that shows how far which step is, one bar after the other."""
    with ExitStack() as stack:
        shown: dict[str, Callable[[int], None]] = {}

        def show(step: str, done: int, of: int) -> None:
            if step not in shown:
                stack.close()
                shown[step] = stack.enter_context(bar(step, of))
            shown[step](done)

        yield show
