"""`varsel up`: every process of an installation under one roof, with parts of its own where no address is set.

The database is then an SQLite file, Redis a child on a unix socket, the relay the development inbox, and the key that
tokens are signed with lies in the data folder. A child that ends is started again; when `up` ends, all end.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from engine.auth.console_mode import Mode, mode
from engine.auth.tokens import DevelopmentKey
from engine.dev import inbox, welcome
from engine.dev.data_folder import data_folder, database_url, private_folder, webhook_key
from engine.errors import Misconfigured
from engine.observability import tracing
from engine.queue import redis_server
from engine.runtime.children import Child, share
from engine.runtime.file_locks import take
from engine.runtime.ports import bound
from engine.runtime.stop import Stop
from engine.runtime.supervisor import Supervisor
from engine.settings import PREFIX
from engine.text.urls import LOOPBACK, of_socket, place

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.settings import Settings

START_WITHIN = 300.0  # seconds until the API must answer; a process that ends before is told of at once
STOP_WITHIN = 12.0  # seconds that children have to finish what is in flight
LOCK = "varsel.lock"  # in the data folder: who runs in it
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 addresses that mean all of this machine's
LONGEST_SOCKET = 100  # bytes: a unix socket's path ends at 108


class Installation:
    """All processes of one machine. `varsel` runs a command of that name with these arguments in this process.

    `listen`: address and port of the API.
    """

    def __init__(
        self,
        config: Settings,
        data: Path | None,
        listen: tuple[str, int],
        smtp_port: int,
        varsel: Callable[..., object],
    ) -> None:
        self._config = config
        self._varsel = varsel
        self._folder = data_folder(config, data)
        tracing.check(config)
        if not config.smtp_url:
            inbox.demand_receiver()
        private_folder(config, self._folder)
        # Before the ports, which another one in this folder has, too. Handed on to all children, whatever they become:
        # what they leave behind when they end would be another's.
        taken = f"{self._folder} is in use by another `varsel up`, or by what is left of one and about to end"
        self._lock = take(self._folder / LOCK, f"{taken}; end that one first, or name another folder with --data")
        os.set_inheritable(self._lock.fileno(), True)
        self._host, port = listen
        # Nobody is given the children's ports before they listen, or later.
        self._reserved = [bound(port, "--port", self._host)]
        if not config.smtp_url:
            self._reserved.append(bound(smtp_port, "--smtp-port"))
        self._port = self._reserved[0].getsockname()[1]
        self._smtp_port = self._reserved[-1].getsockname()[1]
        self._supervisor = Supervisor(partial(typer.echo, err=True))
        self._temporary: str | None = None

    def run(self) -> int:
        """Start everything, say where it is, and stay until SIGINT or SIGTERM; returns the exit code."""
        self._stop = Stop(signal.SIGCHLD)
        try:
            self._prepare()
            self._wait_until_ready()
            if not self._stop.is_set():
                self._tell()
            self._supervise()
        finally:
            self._end()
        return 0

    def _prepare(self) -> None:
        self._settings = self._environment()
        varsel = partial(partial, self._varsel)
        if not self._config.redis_url:
            redis = [str(redis_server.newest()), "--port", "0", "--unixsocket", self._socket, "--unixsocketperm", "700"]
            redis += ["--dir", str(self._folder), "--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
            redis += ["--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning"]
            self._add("redis", partial(os.execv, redis[0], redis), quiet=True)
        share()
        if not self._config.smtp_url:
            self._add("inbox", varsel("inbox", "--port", str(self._smtp_port)), quiet=True)
        if Child("migrate", varsel("migrate"), self._settings).start().wait():
            raise Misconfigured("the database's schema could not be brought up to date; see above")
        self._add("web", varsel("web", "--host", self._host, "--port", str(self._port)))
        for number in range(1, self._config.worker_processes + 1):
            self._add(f"worker {number}", varsel("worker"))
        self._add("instant worker", varsel("worker", "--instant"))
        self._add("scheduler", varsel("scheduler"))

    def _environment(self) -> dict[str, str]:
        """The children's settings: what is set, and the embedded parts' addresses for what is not."""
        config, folder = self._config, self._folder
        own: dict[str, str] = {}
        if not config.database_url:
            own["database_url"] = database_url(config, folder)
            if "allow_private_endpoints" not in config.model_fields_set:
                own["allow_private_endpoints"] = "true"
        if not config.redis_url:
            self._socket = self._socket_path()
            own["redis_url"] = of_socket(Path(self._socket))
        if not config.smtp_url:
            own["smtp_url"] = f"smtp://127.0.0.1:{self._smtp_port}"
            own["inbox"] = str(config.inbox or folder / "inbox")
        if "base_url" not in config.model_fields_set:
            own["base_url"] = self._url
        if self._opens_console:
            own["console_open"] = "true"
        if config.metrics_port:
            raise Misconfigured("VARSEL_METRICS_PORT is for processes that run on their own; here, /metrics has all")
        metrics = config.metrics_dir or folder / "metrics"
        _forget(metrics)
        own["metrics_dir"] = str(metrics)
        return os.environ | {f"{PREFIX}{name.upper()}": value for name, value in (own | self._keys()).items()}

    def _keys(self) -> dict[str, str]:
        """The settings of the data folder's own keys, for what is not set."""
        own: dict[str, str] = {}
        if not self._config.jwks:
            self._key = DevelopmentKey(self._folder, self._config.issuers, self._config.audiences)
            own["jwks"] = str(self._key.jwks)
            if not self._config.platform_keys:
                own["platform_keys"] = str(self._key.platform)
        if not self._config.webhook_key:
            own["webhook_key"] = webhook_key(self._folder)
        return own

    @property
    def _opens_console(self) -> bool:
        """Not by itself at an address of others: a container's port may show them as browsers on this machine."""
        return "console_open" not in self._config.model_fields_set and self._host in LOOPBACK

    @property
    def _url(self) -> str:
        return f"http://{place('127.0.0.1' if self._host in EVERYWHERE else self._host, self._port)}"

    def _socket_path(self) -> str:
        path = str(self._folder / "redis.sock")
        if len(path.encode()) > LONGEST_SOCKET:
            self._temporary = tempfile.mkdtemp(prefix="varsel-")
            path = f"{self._temporary}/redis.sock"
        return path

    def _add(self, name: str, work: Callable[[], object], *, quiet: bool = False) -> None:
        self._supervisor.start(name, work, self._settings, quiet=quiet)

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + START_WITHIN
        while not self._stop.wait(0.05):
            for name, code in self._supervisor.ended().items():
                raise Misconfigured(f"{name} ended at start (exit code {code}); see above")
            try:
                with urllib.request.urlopen(f"{self._url}/readyz", timeout=10):  # noqa: S310 our own address
                    return
            except (urllib.error.URLError, OSError):
                if time.monotonic() > give_up:
                    raise Misconfigured(f"the API did not answer within {START_WITHIN:.0f} s; see above") from None

    def _tell(self) -> None:
        config = self._config
        typer.echo(f"ready {self._url}")
        lines = [*welcome.places(self._url, self._console(), None if config.smtp_url else self._smtp_port)]
        if not config.jwks:
            lines += welcome.requests(self._url, self._key, platform=not config.platform_keys)
        typer.echo("\n".join([*lines, "", "Ctrl-C stops everything."]))
        sys.stdout.flush()

    def _console(self) -> Mode:
        """Whom it lets in."""
        config = self._config
        its = {
            "base_url": self._settings[f"{PREFIX}BASE_URL"],
            "console_open": config.console_open or self._opens_console,
        }
        return mode(config.model_copy(update=its))

    def _supervise(self) -> None:
        while not self._stop.wait(self._supervisor.look_in):
            self._supervisor.look()

    def _end(self) -> None:
        """End the children, those that others need last."""
        self._supervisor.end(STOP_WITHIN, but=("redis", "inbox"))
        self._supervisor.end(STOP_WITHIN)
        for port in self._reserved:
            port.close()
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _forget(metrics: Path) -> None:
    """Remove what prometheus_client keeps of processes that run no more, as KIND_PID.db: it counts no more."""
    for path in metrics.glob("*.db"):
        pid = path.stem.rpartition("_")[2]
        if pid.isdecimal() and not Path("/proc", pid).exists():
            path.unlink(missing_ok=True)
