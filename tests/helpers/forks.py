"""`varsel …` in a process that is forked from one which has imported what it runs: that is half the work of a start.

It differs in few ways from what people start; tests/e2e/test_processes.py and the tests of the demo and of terminals
start the latter.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from engine import cli
from engine.runtime import children
from tests.helpers.processes import end_with

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
LARGEST = 1 << 20  # bytes of what is asked: arguments and an environment


class Fork:
    """A process, with the part of subprocess.Popen that tests need."""

    def __init__(
        self,
        arguments: Sequence[object],
        environment: Mapping[str, str],
        output: IO[str],
        errors: IO[str],
        given: IO[str] | None = None,
    ) -> None:
        """`output`, `errors` and `given` become its standard output, error and input."""
        asked = {"arguments": list(map(str, arguments)), "environment": dict(environment)}
        with Path(os.devnull).open() as nothing:
            self.pid = _ask(asked, *(file.fileno() for file in (given or nothing, output, errors)))
        self.returncode: int | None = None
        self._ended = os.pidfd_open(self.pid)

    def poll(self) -> int | None:
        """Its exit code, negative where a signal ended it; None while it runs."""
        return self._await(0)

    def wait(self, seconds: float) -> int:
        """Wait for its exit code; TimeoutExpired when there is none by then."""
        code = self._await(seconds)
        if code is None:
            raise subprocess.TimeoutExpired("varsel", seconds)
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send it, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _await(self, seconds: float) -> int | None:
        if self.returncode is None:
            end = select.poll()  # tests have more files open than select() can take
            end.register(self._ended, select.POLLIN)
            if end.poll(seconds * 1000):
                self.returncode = _ask({"ended": self.pid})
                os.close(self._ended)
        return self.returncode


def _ask(asked: dict[str, Any], *files: int) -> int:
    channel, lock = _server()
    with lock:
        socket.send_fds(channel, [json.dumps(asked).encode()], files)
        return int(channel.recv(LARGEST))


@functools.cache
def _server() -> tuple[socket.socket, threading.Lock]:
    """The process that forks. It ends when the tests end, however that is: nobody holds our end of its channel then."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", __name__, str(theirs.fileno())]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours, threading.Lock()


def _serve(channel: socket.socket) -> None:
    """Serve requests; return in the process that was asked for."""
    while True:
        asked, files, *_ = socket.recv_fds(channel, LARGEST, 3)
        if not asked:
            os._exit(0)
        its = json.loads(asked)
        if ended := its.get("ended"):
            channel.send(str(os.waitstatus_to_exitcode(os.waitpid(ended, 0)[1])).encode())
        elif pid := os.fork():
            channel.send(str(pid).encode())
            for file in files:
                os.close(file)
        else:
            return _become(its["arguments"], its["environment"], files)


def _become(arguments: list[str], environment: dict[str, str], files: list[int]) -> None:
    """Become like a Python process that was started with this command."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    # The streams that were there know other files: whether those are terminals, or can be sought in.
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115 for its life
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["varsel", *arguments]


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which end what they started
    children.share()
    importlib.import_module("engine.dev.embedded")  # like SHARED, it does not import prometheus_client
    cli.program()
    server = os.getpid()
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        _serve(channel)
    end_with(server, signal.SIGTERM)
    cli.main()
