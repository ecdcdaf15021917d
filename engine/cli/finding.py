"""Finding orders, e-mails, events, subscriptions and deliveries by any scrap that names them."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.installation import reading
from engine.cli.options import Data, Json
from engine.cli.output import print_json, print_table
from engine.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        raise NotFound("\n".join([f"Nothing was found for {text}.", *_advice(text)]))
    else:
        for group in groups:
            typer.echo(f"{group.resource}{', the newest of more' if group.more else ''}:", err=True)
            print_table(group.resource, group.items)


def _advice(text: str) -> Iterator[str]:
    """What comes nearest to it, each with the command that tries it."""
    from engine.admin.tries import FIND, tries

    for each in tries(text, sees_personal_data=True):
        given = dict(each.given or {})
        if each.resource == FIND:
            yield f"{each.text} `{shlex.join(['varsel', FIND, *given.values()])}`"
        elif each.resource:
            options = [part for name, value in given.items() for part in (f"--{name}", value)]
            yield f"{each.text} `{shlex.join(['varsel', each.resource, 'list', *options])}`"
        else:
            yield each.text
