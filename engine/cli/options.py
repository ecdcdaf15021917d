"""Options and arguments that several commands have; a filter is named as in the console's query strings."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1_000  # rows of a page


def _choices(resource: str, field: str) -> Callable[[str], list[str]]:
    """What a shell completes the option with."""

    def complete(incomplete: str) -> list[str]:
        from engine.admin.resources import RESOURCES

        return [choice for choice in RESOURCES[resource].choices[field] if choice.startswith(incomplete)]

    return complete


def _local(text: str | None) -> str | None:
    """A time without an offset is local, as those are that are printed; what is no time is refused later."""
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

OrderState = Annotated[
    str | None, typer.Option(help="Its state, or a group.", autocompletion=_choices("orders", "state"))
]
EmailState = Annotated[
    str | None, typer.Option(help="Its state, or a group.", autocompletion=_choices("emails", "state"))
]
SubscriptionState = Annotated[
    str | None, typer.Option(help="How it is.", autocompletion=_choices("subscriptions", "state"))
]
DeliveryState = Annotated[
    str | None, typer.Option(help="Its state, or a group.", autocompletion=_choices("deliveries", "state"))
]
EmailError = Annotated[
    str | None, typer.Option(help="How an attempt ended.", autocompletion=_choices("emails", "error"))
]
PushError = Annotated[
    str | None, typer.Option(help="How an attempt ended.", autocompletion=_choices("deliveries", "error"))
]
Creator = Annotated[str | None, typer.Option(help="Who ordered, such as ttd.")]
Reference = Annotated[str | None, typer.Option(help="The sender's reference.")]
Recipient = Annotated[str | None, typer.Option(help="An address or its beginning, @domain, or a number.")]
Since = Annotated[str | None, typer.Option(callback=_local, help="From: a time, or how long ago: 90m, 24h, 7d.")]
Until = Annotated[str | None, typer.Option(callback=_local, help="Before: likewise.")]
SendTime = Annotated[
    str,
    typer.Argument(
        metavar="TIME",
        show_default=False,
        callback=_local,
        help="Such as 2026-05-01T12:00 (local) or 2026-05-01T12:00:00+02:00, or now.",
    ),
]
OrderId = Annotated[str | None, typer.Option(help="An order's id.")]
EmailId = Annotated[str | None, typer.Option(help="An e-mail's id.")]
EventNumber = Annotated[str | None, typer.Option(help="An event's number.")]
SubscriptionNumber = Annotated[str | None, typer.Option(help="A subscription's number.")]
DeliveryNumber = Annotated[str | None, typer.Option(help="A delivery's number.")]
