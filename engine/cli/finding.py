"""Finding orders, e-mails, events, subscriptions and deliveries by any scrap that names them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from engine.cli.installation import reading
from engine.cli.options import Data, Json
from engine.cli.output import print_json, print_table
from engine.errors import NotFound

Scrap = Annotated[
    str,
    typer.Argument(
        metavar="TEXT",
        show_default=False,
        help="An address or its beginning, @domain, a reference, the first letters of an id, a Message-ID, a queue id.",
    ),
]


def find(text: Scrap, as_json: Json = False, data: Data = None) -> None:
    """Find orders, e-mails, events, subscriptions and deliveries.

    By an address, a reference, the first letters of an id, a Message-ID, the relay's queue id, an idempotency key or
    a number. The newest ten of each kind are printed.
    """
    from engine.admin.searching import check, search

    text = text.strip()
    check(text)
    with reading(data) as connection:
        groups = search(connection, text)
    if as_json:
        print_json({"items": [asdict(group) for group in groups]})
    elif not groups:
        raise NotFound(f"Nothing was found for {text}.")
    else:
        for group in groups:
            typer.echo(f"{group.resource}{', the newest of more' if group.more else ''}:", err=True)
            print_table(group.resource, group.items)
