"""The command line. Each file is a theme; a command imports what it needs when it runs, so that all are quick to start.

processes.py      `varsel up`, and one command per process
health.py         does everything work
lanes.py          what waits, who may order, who works
failures.py       what e-mails failed with
rates.py          what was done in an hour, a day, a week or a month
finding.py        rows by any scrap that names them
resources.py      orders, e-mails, … : list, show, act, as the registry has them
recurring.py      recurring orders: pausing, resuming and deleting
templates.py      templates: which there are, and what they would say
events.py         publishing an event
subscriptions.py  pausing and resuming a subscription
jobs.py           stopping a job
dead.py           what was given up, and doing it again
pausing.py        pauses of lanes, creators and domains
restored.py       what a restored database would do again
maintenance.py    settings, tokens, the contact directory
backups.py        copies of the database
drills.py         backups and crashes, tried on purpose
operators.py      who may sign in to the console
keys.py           API keys
senders.py        who messages are from
persons.py        what is known of an address, and its removal

exits.py          exit codes, and how errors end a command
options.py        options that several commands have
installation.py   the way to the database
rows.py           lists, single rows and actions, the same for all resources
output.py         tables and JSON
columns.py        what tables show
zone.py           the zone of times
progress.py       how far something is
text.py           text from outside, made harmless for terminals
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.main import get_command

from engine.cli import (
    backups,
    dead,
    drills,
    events,
    failures,
    finding,
    health,
    jobs,
    keys,
    lanes,
    maintenance,
    operators,
    pausing,
    persons,
    processes,
    rates,
    recurring,
    resources,
    restored,
    senders,
    subscriptions,
    templates,
    zone,
)
from engine.cli.exits import ENDED, INTERRUPTED, end
from engine.errors import VarselError
from engine.runtime.garbage import collect_seldom
from engine.runtime.private_files import UMASK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

SECTIONS: Mapping[str, Sequence[Callable[..., object] | typer.Typer]] = {
    "Running": (
        processes.up,
        processes.demo,
        processes.web,
        processes.worker,
        processes.scheduler,
        processes.migrate,
        processes.inbox,
    ),
    "Looking": (
        finding.find,
        lanes.lanes,
        lanes.turns,
        failures.failures,
        lanes.quotas,
        lanes.processes,
        lanes.top,
        rates.rates,
        health.doctor,
        health.alive,
        health.wait_ready,
        resources.group("audit", "Who did what."),
        jobs.GROUP,
    ),
    "Messages": (
        resources.group("orders", "Orders: what senders asked for."),
        resources.group("emails", "E-mails: one per recipient of an order."),
        recurring.GROUP,
        templates.GROUP,
        events.GROUP,
        subscriptions.GROUP,
        resources.group("deliveries", "Deliveries: an event on its way to a subscriber."),
        dead.GROUP,
    ),
    "Pausing": (pausing.pause, pausing.pauses, pausing.resume, pausing.drain, restored.restored),
    "Maintenance": (
        maintenance.config,
        maintenance.token,
        maintenance.CONTACTS,
        operators.GROUP,
        keys.GROUP,
        senders.GROUP,
        persons.GROUP,
        backups.backup,
        backups.restore,
        drills.GROUP,
    ),
}


class _Commands(TyperGroup):
    """Shows commands in sections, and ends one with a line and an exit code when it raises an error of Varsel's."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except VarselError as error:
            end(error)
        except typer.Abort:
            typer.echo("Aborted.", err=True)
            raise typer.Exit(INTERRUPTED) from None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """--utc may stand anywhere."""
        own = [zone.OPTION] if zone.OPTION in args else []
        return super().parse_args(ctx, [*own, *(each for each in args if each != zone.OPTION)])

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 Typer calls it so
        width = max(map(len, self.commands))
        limit = formatter.width - width - 4  # what is left beside indentation and gap
        for title in SECTIONS:
            named = [
                (name, each) for name, each in self.commands.items() if getattr(each, "rich_help_panel", None) == title
            ]
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), each.get_short_help_str(limit)) for name, each in named])


app = typer.Typer(
    cls=_Commands,
    help="Varsel: a self-hosted notification engine.",
    epilog="Exit codes: 0 fine, 1 failed, 2 wrong usage, 3 not found, 4 not ready, 5 refused,"
    " 130 interrupted, 143 ended.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for section, commands in SECTIONS.items():
    for command in commands:
        if isinstance(command, typer.Typer):
            app.add_typer(command, rich_help_panel=section)
        else:
            app.command(rich_help_panel=section)(command)


@functools.cache
def program() -> Any:
    """All commands as one, which takes arguments; made once, and children of `varsel up` have it from their parent."""
    return get_command(app)


def main() -> None:
    """Run the command that this process was started with."""
    collect_seldom()
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _end)
    os.umask(UMASK)  # for all that a command or its children create
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # what the terminal cannot show
    program()(prog_name="varsel")


def _end(number: int, _frame: object) -> NoReturn:
    """End by SIGTERM, as a process without a handler does.

    The first process of a container needs a handler: the kernel keeps signals from it that it does not handle.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    raise SystemExit(ENDED)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"varsel, version {version('varsel')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and exit.")
    ] = False,
    utc: Annotated[
        bool,
        typer.Option(zone.OPTION, callback=zone.choose, help="Print and read times in UTC; it may stand anywhere."),
    ] = False,
) -> None:
    pass
