"""A terminal in which a program runs as if a person used it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from typing import TYPE_CHECKING, Self

from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Terminal:
    """Runs a program until the context ends; everything that it wrote is in `output`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], columns: int = 100) -> None:
        self._command = command
        self._environment = dict(environment) | {"TERM": "xterm"}
        self._columns = columns
        self.output = ""

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self._columns, 0, 0))
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
        )
        os.close(theirs)
        os.set_blocking(self._ours, False)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until it has written this so many times; AssertionError when it does not."""

        def written() -> bool:
            self._read()
            return self.output.count(text) >= times

        wait_for(written)

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C: a signal to the program."""
        self._process.send_signal(2)

    def end(self) -> int:
        """Wait until the program has ended, and return its exit code."""

        def ended() -> bool:
            self._read()
            return self._process.poll() is not None

        wait_for(ended)
        self._read()
        return self._process.returncode

    def _read(self) -> None:
        try:
            while part := os.read(self._ours, 65536):
                self.output += part.decode(errors="replace")
        except OSError:  # nothing more now (BlockingIOError), or ever (EIO: the program has closed its end)
            return
