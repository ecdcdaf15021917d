"""`web` on a restored copy: a process of this version works on it, and nothing can leave.

It gets no Redis, no relay and no key set, and no setting of the original but its webhook key: it wakes nobody, and what
the original's processes remember in Redis stays as it is. No worker and no scheduler runs on the copy.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from engine.errors import Misconfigured
from engine.runtime.children import end_with
from engine.runtime.ports import bound
from engine.settings import variable
from engine.text.urls import of_socket

if TYPE_CHECKING:
    from pathlib import Path

WITHIN = 300.0  # seconds until it answers; a process that ends before is told of at once
LOOK_EVERY = 0.05  # seconds
STOP_WITHIN = 15.0  # seconds


def serve(url: str, folder: Path, key: str | None) -> None:
    """Start `web` on this database, wait until it is ready, and end it; Misconfigured when it does not get ready."""
    given = {
        "database_url": url,
        "redis_url": of_socket(folder / "none.sock"),
        "webhook_key": key or secrets.token_urlsafe(32),
        "log_level": "ERROR",
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith(variable(""))}
    environment = others | {variable(name): value for name, value in given.items()}
    log = folder / "web.log"
    with bound(0, "--port") as port, log.open("wb") as output:
        number = port.getsockname()[1]
        command = [sys.executable, "-m", "engine", "web", "--port", str(number)]
        process = subprocess.Popen(  # noqa: S603 our own
            command,
            env=environment,
            stdout=output,
            stderr=output,
            preexec_fn=partial(end_with, os.getpid()),  # noqa: PLW1509 no other thread runs
        )
        try:
            _await(f"http://127.0.0.1:{number}/readyz", process, log)
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOP_WITHIN)
            process.kill()
            process.wait()


def _await(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + WITHIN
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < give_up:
        with suppress(OSError, ValueError), direct.open(address, timeout=5) as answer:
            if json.load(answer).get("database") == "ok":
                return
        time.sleep(LOOK_EVERY)
    said = log.read_text(errors="replace").strip().splitlines()
    raise Misconfigured(f"`web` does not get ready on the copy: {said[-1] if said else 'it says nothing'}")
