"""Before and during an action: the question whether to do it, and a bar that shows its progress."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from engine.cli.exits import FAILED
from engine.cli.output import cell, console
from engine.cli.text import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engine.admin.questions import Question


def confirm(question: Question) -> None:
    """Ask on standard error; without a yes, the command ends."""
    times = {"Send time until now": question.before, "New send time": question.at}
    lines = [f"{name}: {cell(at)}." for name, at in times.items() if at]
    for line in (*filter(None, [question.warning]), *lines, *question.lines):
        typer.echo(plain(line), err=True)
    if not typer.confirm(plain(question.title), err=True):
        typer.echo("Nothing was done.", err=True)
        raise typer.Exit(FAILED)


@contextmanager
def bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Gives a function that takes how much is done. On standard error, and there only when it is a terminal."""
    out = console(stderr=True)
    if not out.is_terminal:
        yield lambda _done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.update(task, completed=done)
