"""What an installation keeps: its settings, tokens, the contact directory."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Annotated

import typer

from engine.cli.exits import FAILED, end
from engine.cli.options import Data
from engine.errors import Invalid
from engine.resources import SCOPE_CREATE

CONTACTS = typer.Typer(name="contacts", help="The contact directory.", no_args_is_help=True)


def config() -> None:
    """Print the effective settings, secrets masked."""
    from engine import settings

    effective = settings.load()
    for name in type(effective).model_fields:
        typer.echo(f"{settings.PREFIX}{name.upper()}={settings.shown(effective, name)}")


def token(
    context: typer.Context,
    org: Annotated[str | None, typer.Option(help="Organisation that the bearer token names, such as ttd.")] = None,
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")] = SCOPE_CREATE,
    platform: Annotated[bool, typer.Option("--platform", help="Print a PlatformAccessToken instead.")] = False,
    issuer: Annotated[str | None, typer.Option(help="Issuer of the PlatformAccessToken.")] = None,
    app: Annotated[str, typer.Option(help="Application that the PlatformAccessToken names.")] = "apps",
    data: Data = None,
    hours: Annotated[float, typer.Option(help="Lifetime.")] = 24.0,
) -> None:
    """Print a token signed with the development key of `varsel up`."""
    from engine import settings
    from engine.dev.data_folder import development_key

    config = settings.load()
    key = development_key(config, data)
    if not abs(hours) * 3600 <= config.max_token_lifetime:  # nan is refused, too
        context.fail(f"--hours {hours:g} is not within VARSEL_MAX_TOKEN_LIFETIME ({config.max_token_lifetime:g} s)")
    lifetime = timedelta(hours=hours)
    if platform:
        if not issuer:
            context.fail("--platform needs --issuer, such as --issuer ttd")
        typer.echo(key.platform_token(issuer, app, lifetime))
    else:
        if not org:
            context.fail("name the organisation, such as --org ttd")
        typer.echo(key.bearer(org, scope, lifetime))


@CONTACTS.command("import")
def import_(
    file: Annotated[typer.FileText, typer.Argument(encoding="utf-8-sig", help="CSV in UTF-8; - is standard input.")],
    data: Data = None,
) -> None:
    """Read CSV: identity,name,email,reserved.

    A line replaces all that was known of its identity.
    """
    from engine import settings
    from engine.admin.amounts import some
    from engine.db.migrations import upgrade
    from engine.db.store import Store
    from engine.dev.data_folder import database_url
    from engine.orders.contacts import import_contacts

    with closing(Store(database_url(settings.load(), data))) as store:
        upgrade(store)
        try:
            with store.write() as connection:
                count = import_contacts(connection, file)
        except Invalid as error:
            end(error, FAILED)
    typer.echo(f"{some(count, 'contacts')} imported")
