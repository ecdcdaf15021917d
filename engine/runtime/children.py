"""Children of `varsel up`: forked from it after it has imported the modules that they share.

Imports are most of the second or two that the start of a process takes, and a good part of its memory. Forked children
all get them from one process.
"""

from __future__ import annotations

import ctypes
import importlib
import logging
import multiprocessing
import os
import signal
import sys
from typing import TYPE_CHECKING, Self

from engine.runtime import garbage
from engine.runtime.stop import ENDING

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkProcess

# Most of what the processes of Varsel import. Nothing of it reads a setting or starts a thread when it is imported, nor
# imports prometheus_client, which reads one.
SHARED = (
    *("alembic.context", "apscheduler.schedulers.background", "httpx", "jinja2", "jwt", "psycopg", "pydantic_settings"),
    *("redis.asyncio", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite", "starlette.applications"),
    *("uvicorn", "uvloop", "engine.db.migrations", "engine.queue.due", "engine.templating.catalogue"),
    *("engine.templating.built_in", "engine.subscriptions", "engine.email.mime", "engine.outbound"),
    *("engine.orders.rules", "engine.admin.details", "engine.events.cloudevent"),
    *("api.subscriptions", "api.deliveries", "api.console.acting", "api.console.languages", "api.console.sign_in"),
)
_DEATH_SIGNAL, _NAME = 1, 15  # options of prctl(2)
_FORK = multiprocessing.get_context("fork")


def share() -> None:
    """Import the modules that children share; call it before the first child starts."""
    for name in SHARED:
        importlib.import_module(name)
    garbage.set_aside()


class Child:
    """A process under supervision: it does `work`, in this environment."""

    def __init__(
        self, name: str, work: Callable[[], object], environment: dict[str, str], *, quiet: bool = False
    ) -> None:
        self._name = name
        self._work = work
        self._environment = environment
        self._quiet = quiet

    def start(self) -> Self:
        """Start it, or start it again."""
        self._process: ForkProcess = _FORK.Process(target=self._begin)
        self._parent = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # none may meet the child with our handlers
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return self

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int | None:
        """Wait for its exit code, for so long at most, or without end."""
        self._process.join(seconds)
        return self.exit_code

    def end(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """End it, and wait until it has."""
        self._process.kill()
        self._process.join()

    def _begin(self) -> None:
        signal.set_wakeup_fd(-1)  # the pipe of `up` (engine/runtime/stop.py)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        os.setpgid(0, 0)  # Ctrl-C reaches `up` alone, which then ends its children in order
        end_with(self._parent)
        if sys.platform == "linux":
            _control(_NAME, f"varsel-{self._name}".replace(" ", "-").encode())  # that ps, top and pgrep know
        if self._quiet:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.environ.clear()
        os.environ.update(self._environment)
        try:
            self._work()
        finally:
            logging.shutdown()  # multiprocessing leaves out what Python does when it exits


def end_with(parent: int) -> None:
    """Let this process be asked to end when its parent was killed and cannot do so."""
    if sys.platform == "linux":
        _control(_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:  # it was killed just now
        os._exit(1)


def _control(option: int, value: int | bytes) -> None:
    ctypes.CDLL(None).prctl(option, value)
