"""Options and arguments that several commands have; a filter is named as in the console's query strings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 1_000  # rows of a page


def _choices(noun: str, field: str) -> Callable[[str], list[str]]:
    """What a shell completes the option with."""

    def complete(incomplete: str) -> list[str]:
        from engine.admin.nouns import NOUNS

        return [choice for choice in NOUNS[noun].choices[field] if choice.startswith(incomplete)]

    return complete


Data = Annotated[Path | None, typer.Option(file_okay=False, help="Folder of the embedded parts.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one document.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="Most rows to print.")]
Cursor = Annotated[str | None, typer.Option(help="Go on where an earlier list ended: its `next`.")]

Uuid = Annotated[UUID, typer.Argument(metavar="ID", show_default=False)]
Number = Annotated[int, typer.Argument(metavar="NUMBER", min=0, max=10**18 - 1, show_default=False)]
Reason = Annotated[str, typer.Option(show_default=False, help="Why; others see it.")]

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
    str | None, typer.Option(help="Its state, or retrying.", autocompletion=_choices("deliveries", "state"))
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
Since = Annotated[str | None, typer.Option(help="From: a time, or how long ago, such as 90m, 24h, 7d.")]
Until = Annotated[str | None, typer.Option(help="Before: likewise.")]
OrderId = Annotated[str | None, typer.Option(help="An order's id.")]
EmailId = Annotated[str | None, typer.Option(help="An e-mail's id.")]
EventNumber = Annotated[str | None, typer.Option(help="An event's number.")]
SubscriptionNumber = Annotated[str | None, typer.Option(help="A subscription's number.")]
DeliveryNumber = Annotated[str | None, typer.Option(help="A delivery's number.")]
