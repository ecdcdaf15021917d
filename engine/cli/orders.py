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
    SendTime,
    Since,
    Until,
    Uuid,
    Yes,
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
    """Print orders, the newest first.

    Those that wait: the next one due first.
    """
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
    """Print an order with its counts.

    Also why it waits, and who did what to it.
    """
    show_one("orders", order, as_json, data)


@GROUP.command()
def cancel(order: Uuid, yes: Yes = False, data: Data = None) -> None:
    """Cancel an order that waits for its send time."""
    act("orders", ("cancel",), order, data, yes=yes)


@GROUP.command()
def resend(
    order: Uuid,
    everybody: Annotated[bool, typer.Option("--all", help="Also to those who have it: a new order, due now.")] = False,
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Send an order again to those who did not get it.

    Not while it is on its way.
    """
    act("orders", ("resend" if everybody else "resend_failed",), order, data, yes=yes)


@GROUP.command()
def reschedule(
    order: Uuid,
    time: SendTime,
    yes: Yes = False,
    data: Data = None,
) -> None:
    """Give an order that waits another send time."""
    act("orders", ("reschedule",), order, data, time, yes=yes)
