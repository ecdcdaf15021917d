"""`varsel up` and the processes of an installation, one command each."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.exits import FAILED, end
from engine.cli.options import Data
from engine.errors import VarselError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from api.turns import Turns
    from engine.db.store import Store
    from engine.settings import Settings

BACKLOG = 2048  # connections that wait until a process accepts them
SCHEMA_WAIT = timedelta(seconds=30)  # for `varsel migrate` of another process

log = logging.getLogger(__name__)


def up(
    data: Data = None,
    host: Annotated[str, typer.Option(help="Address on which the API listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API; 0 picks a free one.")] = 5090,
    smtp_port: Annotated[int, typer.Option(help="Port of the development inbox; 0 picks a free one.")] = 1025,
) -> None:
    """Run everything, with embedded parts where no address is set."""
    from engine import settings
    from engine.cli import program
    from engine.dev.embedded import Installation

    def varsel(*arguments: str) -> None:
        program()(arguments, prog_name="varsel")

    sys.exit(Installation(settings.load(), data, (host, port), smtp_port, varsel).run())


def demo() -> None:
    """Show what Varsel does. A fresh installation gets an order and an event; what reaches whom is printed."""
    from engine.dev.demo import run

    run()


def web(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(envvar="PORT", help="Port.")] = 5090,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the port.")] = 1,
    shutdown_delay: Annotated[
        float,
        typer.Option(min=0, max=15, help="Seconds after SIGTERM in which requests are taken, and health checks fail."),
    ] = 0,
) -> None:
    """Run the API.

    At the socket that systemd hands over, if there is one.
    """
    from engine import settings
    from engine.auth.tokens.key_sets import NO_SET
    from engine.observability import tracing
    from engine.runtime.ports import bound, handed_over

    config = settings.load()
    tracing.check(config)
    for name in ("redis_url", "webhook_key"):
        config.need(name)
    with handed_over() or bound(port, "--port", host) as listener:
        _prepare(config, down=True)
        if not config.jwks:
            log.warning("%s", NO_SET)
        serve = partial(_serve, config, listener, partial(_tell, f"web, at {_where(listener)}"), delay=shutdown_delay)
        if processes == 1:
            serve()
        else:
            from api.processes import Processes

            listener.listen(BACKLOG)
            Processes(listener, processes, serve, shutdown_delay).run()


def _serve(
    config: Settings,
    listener: socket.socket,
    started: Callable[[], None],
    turns: Turns | None = None,
    *,
    delay: float,
) -> None:
    """Serve in this process, which may be one of several at the port; the process ends as a command does."""
    from api.server import serve

    try:
        if not serve(config, listener, started, turns, delay=delay):
            sys.exit(FAILED)
    except VarselError as error:
        end(error)


def worker(
    threads: Annotated[int, typer.Option(help="Runs of lanes that may go on side by side.")] = 6,
    instant: Annotated[bool, typer.Option("--instant", help="Send instant orders, and do nothing else.")] = False,
) -> None:
    """Process orders and deliver e-mails."""
    from engine import settings

    config = settings.load()
    for name in ("redis_url", "smtp_url", "webhook_key"):
        config.need(name)
    _prepare(config)
    from engine.worker.process import run

    role = "instant worker" if instant else "worker"
    run(threads, config.log_level, lambda: _tell(f"{role}, {_metrics(config)}"), instant=instant)


def scheduler() -> None:
    """Run the clock."""
    from engine import settings

    config = settings.load()
    config.need("redis_url")
    _prepare(config)
    from scheduler.__main__ import main as tick

    tick(lambda: _tell(f"scheduler, {_metrics(config)}"))


def migrate(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the SQL of the missing steps, and what each costs; change nothing.")
    ] = False,
) -> None:
    """Bring the database's schema up to date. It is safe to run from several places at once."""
    from engine import settings
    from engine.db.migrations import Fit, upgrade
    from engine.db.store import Store
    from engine.diagnosis import SCHEMA_AHEAD
    from engine.observability import logs

    config = settings.load()
    with closing(Store(config.need("database_url"))) as store:
        if dry_run:
            _print_steps(store)
            return
        logs.configure(config.log_level, config.log_format)
        done = {Fit.BEHIND: "the schema is up to date now", Fit.AHEAD: f"nothing to do: {SCHEMA_AHEAD}"}
        typer.echo(done.get(upgrade(store), "nothing to do"), err=True)


def _print_steps(store: Store) -> None:
    """What `varsel migrate` would run."""
    from engine.db.migrations.preview import preview

    parts = list(preview(store))
    for part in parts:
        typer.echo(part, nl=False)
    if not parts:
        typer.echo("nothing to do", err=True)


def inbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="SMTP port; 0 picks a free one.")] = 1025,
) -> None:
    """Run the development inbox. It is an SMTP server that keeps what it gets in VARSEL_INBOX."""
    import asyncio

    from engine import settings
    from engine.dev.inbox import serve
    from engine.runtime.ports import bound
    from engine.text.urls import place

    folder = Path(settings.load().need("inbox"))
    with bound(port, "--port", host) as listener:
        address = place(host, listener.getsockname()[1])
        asyncio.run(serve(folder, listener, lambda: typer.echo(f"inbox smtp://{address}")))


def _prepare(config: Settings, *, down: bool = False) -> None:
    """What a process does before it works: it sets up logs, waits for the schema, and says what is missing."""
    from engine.observability import logs

    logs.configure(config.log_level, config.log_format)
    _wait_for_schema(config, down=down)
    _look_at_redis(config)
    _share_metrics(config)


def _tell(what: str) -> None:
    """Say in the log what starts here."""
    from importlib.metadata import version

    log.info("varsel %s starts: %s", version("varsel"), what)


def _where(listener: socket.socket) -> str:
    from engine.text.urls import place

    return f"http://{place(*listener.getsockname()[:2])}"


def _metrics(config: Settings) -> str:
    from engine.text.urls import place

    if config.metrics_dir:
        return f"its metrics in {config.metrics_dir}"
    port = config.metrics_port
    return f"metrics at http://{place(config.metrics_host, port)}" if port else "no metrics"


def _look_at_redis(config: Settings) -> None:
    """Say why Redis cannot be used. It may come later: orders are taken in without it, and work waits."""
    import redis

    from engine.diagnosis import of_redis
    from engine.queue.redis_client import connect, prove

    with connect(config.need("redis_url")) as client:
        try:
            prove(client)
        except (redis.RedisError, OSError) as error:
            log.warning("starting without Redis: %s", of_redis(error))


def _wait_for_schema(config: Settings, *, down: bool = False) -> None:
    """Wait until this program can work on the schema, so that processes may start in any order.

    It waits for a database that does not answer as long as it takes; with `down` not at all: `web` works without it.
    """
    import time

    from engine.db.migrations import COMPLAINTS, Fit, fit
    from engine.db.store import Store
    from engine.diagnosis import SCHEMA_AHEAD, Diagnosis
    from engine.errors import Misconfigured, Unavailable

    store = Store(config.need("database_url"))
    give_up = time.monotonic() + SCHEMA_WAIT.total_seconds()
    said = ""
    while True:
        try:
            with store.read() as connection:
                found = fit(connection)
            if found is Fit.AHEAD:
                log.warning("%s", SCHEMA_AHEAD)
            if found not in COMPLAINTS:
                break
            reason = COMPLAINTS[found]
            if found is Fit.TOO_NEW or time.monotonic() > give_up:
                raise Misconfigured(str(reason))
        except Unavailable as error:
            reason = error.diagnosis or Diagnosis(str(error), "")
            if down:
                log.warning("starting without the database: %s", reason)
                break
        if reason.advice != said:  # the database's own words may differ each time
            log.warning("waiting for the database: %s", reason)
            said = reason.advice
        time.sleep(0.2)
    store.close()


def _share_metrics(config: Settings) -> None:
    """Must come before prometheus_client is imported, which reads the variable then."""
    from engine.observability import metrics_folder

    if config.metrics_dir:
        metrics_folder.check(config.metrics_dir)
        config.metrics_dir.mkdir(parents=True, exist_ok=True)
        os.environ[metrics_folder.VARIABLE] = str(config.metrics_dir)
