"""A test's own real Redis, on a unix socket: for outages that no supervisor ends."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING, Self

import redis

from tests.helpers.processes import start, stop
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from pathlib import Path


class Redis:
    """Runs as long as the context, unless `stop()` and `start()` say otherwise; it forgets everything at a stop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.url = f"unix://{folder}/redis.sock"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        command = ["redis-server", "--port", "0", "--unixsocket", f"{self._folder}/redis.sock", "--save", ""]
        self._process = start(command, stdout=subprocess.DEVNULL, cwd=self._folder)
        wait_for(self._answers)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def hang(self) -> None:
        """Stop it (SIGSTOP); the kernel still acknowledges what is sent to it."""
        stop(self._process.pid)

    def resume(self) -> None:
        """Let it go on after `hang`."""
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False
