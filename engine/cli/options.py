"""Options and arguments that several commands have."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from engine.cli.zone import zone

MOST = 1_000  # rows of a page


def local(text: str | None) -> str | None:
    """A time without an offset is of the zone in which times are printed; what is no time is refused later."""
    from engine.admin.filters import typed

    with suppress(ValueError, OverflowError):
        return text and typed(text, zone()).isoformat()
    return text


Data = Annotated[Path | None, typer.Option(file_okay=False, help="Folder of the embedded parts.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV, for spreadsheets: all columns, uncut.")]
Limit = Annotated[
    int | None, typer.Option(min=1, max=MOST, show_default="50; with --csv, all", help="Most rows to print.")
]
Sort = Annotated[
    Literal["ascending", "descending"] | None,
    typer.Option(help="In which direction the list stands.", show_default="as the list is described"),
]
Cursor = Annotated[str | None, typer.Option(help="Continue where an earlier list ended: its `next`.")]

Uuid = Annotated[
    str, typer.Argument(metavar="ID", show_default=False, help="Its beginning or the sender's reference will do.")
]
EventKey = Annotated[
    str, typer.Argument(metavar="NUMBER", show_default=False, help="The id that its publisher gave it will do.")
]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=0, max=10**18 - 1, show_default=False)]
Reason = Annotated[str, typer.Option(show_default=False, help="Why; others see it.")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

SendTime = Annotated[
    str,
    typer.Argument(
        metavar="TIME",
        show_default=False,
        callback=local,
        help="Such as 2026-05-01T12:00 (local) or 2026-05-01T12:00:00+02:00.",
    ),
]
