"""Options and arguments that several commands have."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

MOST = 1_000  # rows of a page


def local(text: str | None) -> str | None:
    """A time without an offset is local, like the times that are printed; what is no time is refused later."""
    from engine.admin.filters import typed

    with suppress(ValueError, OverflowError):
        return text and typed(text, None).isoformat()
    return text


Data = Annotated[Path | None, typer.Option(file_okay=False, help="Folder of the embedded parts.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="Most rows to print.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where an earlier list ended: its `next`.")]

Uuid = Annotated[UUID, typer.Argument(metavar="ID", show_default=False)]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=0, max=10**18 - 1, show_default=False)]
Reason = Annotated[str, typer.Option(show_default=False, help="Why; others see it.")]

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

SendTime = Annotated[
    str,
    typer.Argument(
        metavar="TIME",
        show_default=False,
        callback=local,
        help="Such as 2026-05-01T12:00 (local) or 2026-05-01T12:00:00+02:00, or now.",
    ),
]
