"""Several `web` processes at one port: a parent forks them, starts again what ends, and ends them all.

It answers no requests itself, and imports nothing that counts them: each child does so for itself.
"""

from __future__ import annotations

import logging
import os
import signal
from functools import partial
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from api.turns import SharedPort, Turns
from engine.errors import Misconfigured
from engine.observability.metrics_folder import VARIABLE
from engine.runtime.children import share
from engine.runtime.stop import Stop
from engine.runtime.supervisor import LOOK_SOON, Supervisor

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

log = logging.getLogger(__name__)

STOP_WITHIN = 25.0  # seconds that children have to answer what they have begun, and to close; they need 22 at most


class Processes:
    """So many processes at a port that is listened at. Each calls `serve` with its turns, which returns at its end.

    `delay`: for how many seconds each goes on taking requests when it is told to end.
    """

    def __init__(
        self, listener: socket.socket, processes: int, serve: Callable[[Turns], object], delay: float = 0.0
    ) -> None:
        self._port = SharedPort(listener, processes)
        self._numbers = {f"web {number + 1}": number for number in range(processes)}
        self._serve = serve
        self._stop_within = STOP_WITHIN + delay
        self._supervisor = Supervisor(log.info)

    def run(self) -> None:
        """Return when SIGTERM or SIGINT has come and all have ended; Misconfigured when none of them can start."""
        stop = Stop(signal.SIGCHLD)
        share()
        with TemporaryDirectory(prefix="varsel-metrics-") as folder:
            os.environ.setdefault(VARIABLE, folder)  # unless VARSEL_METRICS_DIR is set: each shows the counts of all
            try:
                self._supervise(stop)
            finally:
                self._port.listener.close()  # who comes now is refused, instead of waiting for nobody
                self._supervisor.end(self._stop_within)

    def _supervise(self, stop: Stop) -> None:
        waiting = list(self._numbers)
        self._start(waiting.pop(0))  # alone: if it cannot, it says so once
        while not stop.wait(LOOK_SOON if waiting else self._supervisor.look_in):
            for name in self._supervisor.look():
                self._forget(self._numbers[name])
            while waiting and self._port.is_served():
                self._start(waiting.pop(0))

    def _start(self, name: str) -> None:
        turns = Turns(self._port, self._numbers[name])
        self._supervisor.start(name, partial(self._serve, turns), os.environ)

    def _forget(self, number: int) -> None:
        served = self._port.has_served(number)
        self._port.forget(number)
        if not served and not self._port.is_served():
            raise Misconfigured("`web` ended at its start, and no other one serves the port; see above")
