"""`varsel persons`: what is known of an address, and its removal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.installation import opened, who
from engine.cli.options import Data, Json, Yes
from engine.cli.output import print_json

if TYPE_CHECKING:
    from pathlib import Path

GROUP = typer.Typer(name="persons", help="What is known of an address, and its removal.", no_args_is_help=True)

Address = Annotated[str, typer.Argument(help="An e-mail address.", show_default=False)]


@GROUP.command()
def export(address: Address, data: Data = None) -> None:
    """Print all that is known of an address, as JSON."""
    from engine.admin.persons.export import Export, note_export
    from engine.admin.persons.person import Person

    person = Person.of(address)
    found, more = Export(person), True
    with opened(data) as store:
        with store.write() as connection:
            note_export(connection, who(), person.mark(_key(data)))
        while more:
            with store.read() as connection:
                more = found.step(connection)
    print_json(found.document)


@GROUP.command()
def erase(address: Address, yes: Yes = False, as_json: Json = False, data: Data = None) -> None:
    """Erase an address from orders, e-mails, events, logs, the directory.

    What waits for it is not sent. Prints a receipt, which does not have the address.
    """
    from engine.admin.persons.erasure import Erasure
    from engine.admin.persons.person import Person

    person = Person.of(address)
    if not yes:
        typer.confirm(f"Erase {person.address} for good?", abort=True, err=True)
    erasure, more = Erasure(person, who(), person.mark(_key(data))), True
    with opened(data) as store:
        while more:
            with store.write() as connection:
                more = erasure.step(connection)
    if as_json:
        print_json(erasure.receipt)
        return
    typer.echo(f"Erased; the audit log calls it persons/{erasure.mark}.")
    for kind, count in sorted(erasure.counts.items()):
        typer.echo(f"{count:>8}  {kind}")


def _key(data: Path | None) -> str:
    """The installation's key: that which is set, or that of the folder."""
    from engine import settings
    from engine.dev.data_folder import data_folder, webhook_key

    config = settings.load()
    return config.webhook_key.get_secret_value() if config.webhook_key else webhook_key(data_folder(config, data))
