"""Two real Redis servers, the second a replica, and three Sentinels that choose another master when it is gone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Self

import redis

from tests.helpers.ports import free_port
from tests.helpers.processes import start
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from pathlib import Path

MASTER = "varsel"
QUORUM = 2


class Sentinels:
    """Use it as a context; `url` is the address of their master, whichever that is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = [free_port(), free_port()]
        self._sentinels = [free_port() for _ in range(3)]
        places = ",".join(f"127.0.0.1:{port}" for port in self._sentinels)
        self.url = f"redis+sentinel://{places}/{MASTER}/0"
        self._processes: dict[int, subprocess.Popen[bytes]] = {}  # by port

    def __enter__(self) -> Self:
        first, second = self._servers
        self._start(first, "save ''")
        self._start(second, "save ''", f"replicaof 127.0.0.1 {first}")
        wait_for(lambda: "master_link_status:up" in self._ask(second, "INFO", "replication"))
        for port in self._sentinels:
            self._start(
                port,
                f"sentinel monitor {MASTER} 127.0.0.1 {first} {QUORUM}",
                f"sentinel down-after-milliseconds {MASTER} 500",
                f"sentinel failover-timeout {MASTER} 3000",
                options=["--sentinel"],
            )
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait(patience())

    def master(self) -> int:
        """The port of the master, as the last Sentinel knows it."""
        with redis.Redis(port=self._sentinels[-1]) as client:
            return int(client.sentinel_masters()[MASTER]["port"])

    def kill_master(self) -> None:
        """SIGKILL it, and the first Sentinel; return when another one is the master."""
        known = f"num-slaves=1 num-other-sentinels={len(self._sentinels) - 1}"
        wait_for(lambda: all(self._knows(port) == known for port in self._sentinels))
        killed = self.master()
        for port in (killed, self._sentinels[0]):
            process = self._processes.pop(port)
            process.kill()
            process.wait(patience())
        wait_for(lambda: self.master() != killed)

    def _start(self, port: int, *lines: str, options: list[str] | None = None) -> None:
        file = self._folder / f"{port}.conf"
        file.write_text("\n".join([f"port {port}", "bind 127.0.0.1", f"dir {self._folder}", *lines, ""]))
        command = ["redis-server", str(file), *(options or [])]
        self._processes[port] = start(command, stdout=subprocess.DEVNULL, cwd=self._folder)
        wait_for(lambda: self._ask(port, "PING"))

    def _knows(self, port: int) -> str:
        with redis.Redis(port=port) as client:
            its = client.sentinel_masters()[MASTER]
        return " ".join(f"{name}={its[name]}" for name in ("num-slaves", "num-other-sentinels"))

    @staticmethod
    def _ask(port: int, *command: str) -> str:
        try:
            with redis.Redis(port=port, decode_responses=True) as client:
                client.response_callbacks.clear()
                return str(client.execute_command(*command))
        except redis.ConnectionError:
            return ""
