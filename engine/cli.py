"""The command line: `varsel up` for everything at once, one command per process, and what an installation needs."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from engine import settings
from engine.errors import Invalid, VarselError

if TYPE_CHECKING:
    from engine.settings import Settings

SCHEMA_WAIT = timedelta(seconds=30)  # for `varsel migrate` of another process


class _Commands(click.Group):
    """Varsel's own errors end a command with one line that says what to do, and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Invalid as error:
            lines = [f"{place}: {' '.join(texts)}" for place, texts in error.errors.items()]
            raise click.ClickException("\n".join(lines)) from None
        except VarselError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
@click.version_option(package_name="varsel")
def main() -> None:
    """Varsel: a self-hosted notification engine."""


@main.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the embedded parts.")
@click.option("--port", default=5090, show_default=True, help="Port of the API; 0 picks a free one.")
@click.option("--smtp-port", default=1025, show_default=True, help="Port of the development inbox; 0 picks a free one.")
def up(data: Path | None, port: int, smtp_port: int) -> None:
    """Run everything; parts whose address is not set are brought along."""
    from engine.embedded import Installation

    sys.exit(Installation(settings.load(), data, port, smtp_port).run())


@main.command()
def demo() -> None:
    """Post an order and publish an event on a fresh installation, and show what reaches whom."""
    from engine.demo import run

    run()


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=int, envvar="PORT", default=5090, help="Port; default: $PORT, else 5090.")
def web(host: str, port: int) -> None:
    """Run the API."""
    import uvicorn

    from engine.embedded import free_port

    config = settings.load()
    for name in ("redis_url", "webhook_key"):
        config.need(name)
    free_port(port, "--port", host)
    _wait_for_schema(config)
    _share_metrics(config)
    uvicorn.run(
        "api.app:create_app",
        factory=True,
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=75,  # longer than the idle time of clients and proxies (60 s): they close, not we
    )


@main.command()
@click.option("--threads", default=6, show_default=True, help="Runs of lanes that may go on side by side.")
def worker(threads: int) -> None:
    """Process orders and deliver e-mails."""
    config = settings.load()
    for name in ("redis_url", "smtp_url", "webhook_key"):
        config.need(name)
    _wait_for_schema(config)
    _share_metrics(config)
    from engine.worker import run

    run(threads, config.log_level)


@main.command()
def scheduler() -> None:
    """Run the clock."""
    config = settings.load()
    config.need("redis_url")
    _wait_for_schema(config)
    _share_metrics(config)
    from scheduler.__main__ import main as tick

    tick()


@main.command()
def migrate() -> None:
    """Bring the database's schema up to date; safe to run from several places at once."""
    from engine.migrations import upgrade
    from engine.store import Store

    upgrade(Store(settings.load().need("database_url")))


@main.command()
@click.option("--port", default=1025, show_default=True, help="SMTP port; 0 picks a free one.")
def inbox(port: int) -> None:
    """Run the development inbox, an SMTP server that keeps what it gets in VARSEL_INBOX."""
    import asyncio

    from engine.inbox import serve

    folder = Path(settings.load().need("inbox"))
    asyncio.run(serve(folder, port, lambda port: click.echo(f"inbox smtp://127.0.0.1:{port}")))


@main.command()
def config() -> None:
    """Print the effective settings, secrets masked."""
    effective = settings.load()
    for name in type(effective).model_fields:
        click.echo(f"{settings.PREFIX}{name.upper()}={settings.shown(effective, name)}")


@main.command()
@click.option("--org", help="Organisation that the bearer token names, such as ttd.")
@click.option("--scope", default="altinn:notifications.create", show_default=True, help="Scopes, separated by spaces.")
@click.option("--platform", is_flag=True, help="Print a PlatformAccessToken instead.")
@click.option("--issuer", help="Issuer of the PlatformAccessToken.")
@click.option("--app", default="apps", show_default=True, help="Application that the PlatformAccessToken names.")
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the embedded parts.")
@click.option("--hours", default=24.0, show_default=True, help="Lifetime.")
def token(
    org: str | None, scope: str, platform: bool, issuer: str | None, app: str, data: Path | None, hours: float
) -> None:
    """Print a token signed with the development key of `varsel up`."""
    from engine.embedded import development_key

    key = development_key(settings.load(), data)
    lifetime = timedelta(hours=hours)
    if platform:
        if not issuer:
            raise click.UsageError("--platform needs --issuer, such as --issuer ttd")
        click.echo(key.platform_token(issuer, app, lifetime))
    else:
        if not org:
            raise click.UsageError("name the organisation, such as --org ttd")
        click.echo(key.bearer(org, scope, lifetime))


@main.group()
def contacts() -> None:
    """The contact directory."""


@contacts.command("import")
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="Folder of the embedded parts.")
def import_(file: Any, data: Path | None) -> None:
    """Read CSV with the columns identity,name,email,reserved; its identities replace what was known of them."""
    from engine.contacts import import_contacts
    from engine.embedded import database_url
    from engine.migrations import upgrade
    from engine.store import Store

    store = Store(database_url(settings.load(), data))
    upgrade(store)
    with store.write() as connection:
        click.echo(f"{import_contacts(connection, file)} contacts imported")


def _wait_for_schema(config: Settings) -> None:
    """Wait until the schema is current, so that processes may start in any order."""
    import time

    from engine.errors import Misconfigured, Unavailable
    from engine.migrations import is_current
    from engine.store import Store

    store = Store(config.need("database_url"))
    give_up = time.monotonic() + SCHEMA_WAIT.total_seconds()
    while True:
        try:
            with store.read() as connection:
                if is_current(connection):
                    return store.close()
            reason = "the database's schema is not current; run `varsel migrate`"
        except Unavailable as error:
            reason = f"{error}; check VARSEL_DATABASE_URL"
        if time.monotonic() > give_up:
            raise Misconfigured(reason)
        time.sleep(0.2)


def _share_metrics(config: Settings) -> None:
    """Must come before prometheus_client is imported, which reads the variable then."""
    if config.metrics_dir:
        config.metrics_dir.mkdir(parents=True, exist_ok=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(config.metrics_dir)
