"""`varsel deliveries`."""

from __future__ import annotations

import typer

from engine.cli.options import (
    Cursor,
    Data,
    DeliveryNumber,
    DeliveryState,
    EventNumber,
    Json,
    Limit,
    Number,
    PushError,
    Since,
    SubscriptionNumber,
    Until,
)
from engine.cli.rows import Wanted, act, show_list, show_one

GROUP = typer.Typer(name="deliveries", help="Deliveries: an event on its way to a subscriber.", no_args_is_help=True)


@GROUP.command("list")
def list_(
    state: DeliveryState = None,
    subscription: SubscriptionNumber = None,
    event: EventNumber = None,
    error: PushError = None,
    since: Since = None,
    until: Until = None,
    delivery: DeliveryNumber = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print deliveries, the newest first."""
    given = {
        "state": state,
        "subscription": subscription,
        "event": event,
        "error": error,
        "since": since,
        "until": until,
        "delivery": delivery,
    }
    show_list("deliveries", given, Wanted(limit, cursor, as_json, data))


@GROUP.command()
def show(delivery: Number, as_json: Json = False, data: Data = None) -> None:
    """Print a delivery with every attempt, and why it waits."""
    show_one("deliveries", delivery, as_json, data)


@GROUP.command()
def retry(delivery: Number, data: Data = None) -> None:
    """Push again what is dead, or at once what waits for a later attempt."""
    act("deliveries", ("retry", "retry_now"), delivery, data)
