"""One process of Varsel, without a supervisor: it ends when it ends, and its output is kept."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Self

from tests.helpers.command import environment
from tests.helpers.forks import Fork
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from pathlib import Path


class SingleProcess:
    """`varsel …` with these settings; use it as a context, which kills it if it has not ended."""

    def __init__(self, folder: Path, *arguments: object, **settings: str) -> None:
        self._file = folder / f"{arguments[0]}.log"
        self._arguments = arguments
        self._environment = environment(**settings)

    def __enter__(self) -> Self:
        with self._file.open("w") as file:
            self._process = Fork(self._arguments, self._environment, file, file)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(patience())

    @property
    def output(self) -> str:
        """All that it has printed."""
        return self._file.read_text()

    @property
    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def await_line(self, words: str) -> str:
        """The first line that it prints with these words in it."""

        def line() -> str | None:
            assert self.ended is None, self.output
            return next((line for line in self.output.splitlines() if words in line), None)

        return str(wait_for(line))
