"""`varsel web` at a socket that a supervisor keeps, as systemd does: a restart refuses nobody."""

from __future__ import annotations

import signal
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.helpers.client import ask
from tests.helpers.command import environment
from tests.helpers.ports import free_port
from tests.helpers.processes import start
from tests.helpers.waiting import patience, wait_for
from tests.servers.redis import Redis

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

WEBHOOK_KEY = "a key of these tests, 32 characters"
# As systemd: the socket is descriptor 3, and two variables say so. What stays open belongs to the tests.
HAND_OVER = 'exec 3<&"$0"; LISTEN_PID=$$ LISTEN_FDS=$1 exec "$2" -m engine web --processes "$3"'


@contextmanager
def web(
    listener: socket.socket, cache: Redis, log: Path, sockets: int, processes: int
) -> Iterator[subprocess.Popen[str]]:
    settings = {"database_url": f"postgresql://varsel@127.0.0.1:{free_port()}/none", "redis_url": cache.url}
    with log.open("w") as output:
        process = start(
            ["bash", "-c", HAND_OVER, str(listener.fileno()), str(sockets), sys.executable, str(processes)],
            env=environment(**settings, webhook_key=WEBHOOK_KEY),
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("processes", [1, 2])
def test_who_comes_while_web_is_replaced_waits_and_is_not_refused(processes: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        Redis(tmp_path) as cache,
        ThreadPoolExecutor() as pool,
    ):
        address = "http://{}:{}".format(*listener.getsockname())
        with web(listener, cache, log, 1, processes) as first:
            wait_for(lambda: f"web, at {address}" in log.read_text() or first.poll())
            assert ask("GET", f"{address}/livez").status_code == 200
            first.send_signal(signal.SIGTERM)
            assert first.wait(patience()) in {0, -signal.SIGTERM}
        asked = [pool.submit(ask, "GET", f"{address}/livez") for _ in range(8)]
        with web(listener, cache, log, 1, processes):
            assert {each.result(patience()).status_code for each in asked} == {200}


def test_several_sockets_are_one_too_many(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as listener, Redis(tmp_path) as cache:
        with web(listener, cache, log, 2, 1) as process:
            assert process.wait(patience()) == 1
        assert "2 sockets are handed over; `web` listens at one" in log.read_text()
