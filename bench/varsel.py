"""Varsel under measurement: its single processes, with the benchmark's database, Redis and relay."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Self

import redis

from bench.processes import Program, Redis, free_port, wait_until
from engine.auth.tokens import DevelopmentKey
from engine.db.migrations import upgrade
from engine.db.store import Store

if TYPE_CHECKING:
    from pathlib import Path

TOKENS = 50  # callers that take turns
LIFETIME = timedelta(hours=2)


class Varsel:
    """An installation in `folder`; `workers` and `webs`: processes of these; `scheduler`: one, also without workers."""

    def __init__(  # noqa: PLR0913 an installation has so many parts
        self,
        folder: Path,
        database_url: str,
        smtp_url: str,
        *,
        workers: int,
        webs: int = 1,
        scheduler: bool = False,
    ) -> None:
        self._folder = folder
        self._workers = workers
        self._webs = webs
        self._has_scheduler = scheduler or workers > 0
        self._running = ExitStack()
        folder.mkdir(parents=True, exist_ok=True)
        self.database_url = database_url or f"sqlite:///{folder}/varsel.db"
        self.port = free_port()
        self.programs: list[Program] = []
        key = DevelopmentKey(folder)
        self.jwks = key.jwks
        self.tokens = [key.bearer(f"org{n}", "altinn:notifications.create", LIFETIME) for n in range(TOKENS)]
        self.app_headers = {  # of the app ttd/apps-test, whose organisation reads and publishes everything else, too
            "Authorization": f"Bearer {key.bearer('ttd', 'altinn:events.publish altinn:events.subscribe', LIFETIME)}",
            "PlatformAccessToken": key.platform_token("ttd", "apps-test", LIFETIME),
        }
        self._settings = {
            "VARSEL_DATABASE_URL": self.database_url,
            "VARSEL_SMTP_URL": smtp_url,
            "VARSEL_JWKS": str(self.jwks),
            "VARSEL_PLATFORM_KEYS": str(key.platform),
            "VARSEL_WEBHOOK_KEY": "a key of the benchmark's, 32 characters",
            "VARSEL_ALLOW_PRIVATE_ENDPOINTS": "true",
            "VARSEL_METRICS_DIR": str(folder / "metrics"),
            "VARSEL_INBOX": str(folder / "inbox"),
            "VARSEL_CONSOLE_OPEN": "true",
        }

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            redis = starting.enter_context(Redis(self._folder / "redis"))
            self.programs = [redis]
            self.redis_url = self._settings["VARSEL_REDIS_URL"] = redis.url
            store = Store(self.database_url)
            upgrade(store)
            store.close()
            for number in range(1, self._workers + 1):
                self._start(starting, f"worker {number}", "worker")
            if self._workers:
                wait_for_workers(redis.url, self._workers)
                self._start(starting, "instant worker", "worker", "--instant")
            if self._has_scheduler:
                self._start(starting, "scheduler", "scheduler")
            self._start(starting, "web", "web", "--port", str(self.port), "--processes", str(self._webs))
            wait_until(self._ready, "the API")
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def program(self, name: str) -> Program:
        """One of redis, worker N, scheduler, web."""
        return next(program for program in self.programs if program.name == name)

    def cpu(self) -> float:
        """CPU time of all processes, Redis included, in seconds."""
        return sum(program.cpu() for program in self.programs)

    def _start(self, starting: ExitStack, name: str, *arguments: str) -> None:
        program = Program(name, [sys.executable, "-m", "engine", *arguments], self._settings)
        self.programs.append(starting.enter_context(program))

    def _ready(self) -> bool:
        for program in self.programs:
            if program.ended():
                raise RuntimeError(f"{program.name} ended at its start")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/livez", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def wait_for_workers(redis_url: str, count: int) -> None:
    """Wait until so many of Dramatiq's workers have asked Redis for work."""
    with redis.Redis.from_url(redis_url) as client:
        wait_until(lambda: client.zcard("dramatiq:__heartbeats__") >= count, f"{count} workers")
