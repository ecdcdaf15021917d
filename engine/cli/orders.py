"""`varsel orders`."""

from __future__ import annotations

from typing import Annotated

import typer

from engine.cli.options import (
    Creator,
    Cursor,
    Data,
    Json,
    Limit,
    OrderId,
    OrderState,
    Recipient,
    Reference,
    Since,
    Until,
    Uuid,
)
from engine.cli.rows import Wanted, act, show_list, show_one

GROUP = typer.Typer(name="orders", help="Orders: what senders asked for.", no_args_is_help=True)


@GROUP.command("list")
def list_(
    state: OrderState = None,
    creator: Creator = None,
    reference: Reference = None,
    recipient: Recipient = None,
    since: Since = None,
    until: Until = None,
    order: OrderId = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print orders, the newest first; those that wait, the next one due first."""
    given = {
        "state": state,
        "creator": creator,
        "reference": reference,
        "recipient": recipient,
        "since": since,
        "until": until,
        "order": order,
    }
    show_list("orders", given, Wanted(limit, cursor, as_json, data))


@GROUP.command()
def show(order: Uuid, as_json: Json = False, data: Data = None) -> None:
    """Print an order with its counts, why it waits, and who did what to it."""
    show_one("orders", order, as_json, data)


@GROUP.command()
def cancel(order: Uuid, data: Data = None) -> None:
    """Cancel an order that waits for its send time."""
    act("orders", ("cancel",), order, data)


@GROUP.command()
def resend(order: Uuid, data: Data = None) -> None:
    """Order the same again, due now; the first one stays as it is."""
    act("orders", ("resend",), order, data)


@GROUP.command()
def reschedule(
    order: Uuid,
    time: Annotated[str, typer.Argument(help="Such as 2026-05-01T12:00:00+02:00, or now.", show_default=False)],
    data: Data = None,
) -> None:
    """Give an order that waits another send time."""
    act("orders", ("reschedule",), order, data, time)
