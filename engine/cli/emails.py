"""`varsel emails`."""

from __future__ import annotations

import typer

from engine.cli.options import (
    Creator,
    Cursor,
    Data,
    EmailError,
    EmailId,
    EmailState,
    Json,
    Limit,
    OrderId,
    Recipient,
    Reference,
    Since,
    Until,
    Uuid,
    Yes,
)
from engine.cli.rows import Wanted, act, show_list, show_one

GROUP = typer.Typer(name="emails", help="E-mails: one per recipient of an order.", no_args_is_help=True)


@GROUP.command("list")
def list_(
    state: EmailState = None,
    recipient: Recipient = None,
    creator: Creator = None,
    reference: Reference = None,
    error: EmailError = None,
    since: Since = None,
    until: Until = None,
    order: OrderId = None,
    email: EmailId = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Print e-mails, the newest first.

    Those that wait: the next one due first.
    """
    given = {
        "state": state,
        "recipient": recipient,
        "creator": creator,
        "reference": reference,
        "error": error,
        "since": since,
        "until": until,
        "order": order,
        "email": email,
    }
    show_list("emails", given, Wanted(limit, cursor, as_json, data))


@GROUP.command()
def show(email: Uuid, as_json: Json = False, data: Data = None) -> None:
    """Print an e-mail with every attempt.

    Also why it waits or failed, and who did what to it.
    """
    show_one("emails", email, as_json, data)


@GROUP.command()
def retry(email: Uuid, yes: Yes = False, data: Data = None) -> None:
    """Try an e-mail again that failed.

    Or at once one that waits for a later attempt. Asks where it is in doubt whether it arrived.
    """
    act("emails", ("retry", "retry_now"), email, data, yes=yes)


@GROUP.command()
def resend(email: Uuid, yes: Yes = False, data: Data = None) -> None:
    """Send a second e-mail where the first one was sent.

    The relay has taken that over: it is a new order to its address alone.
    """
    act("emails", ("resend",), email, data, yes=yes)
