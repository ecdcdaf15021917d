"""A circuit: while a part does not answer, one caller at a time waits for it, and the others are told at once.

Otherwise all threads of a process would end up waiting for the part, and none would be left for other work.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Open(Exception):
    """The part did not answer the last time, and somebody else is asking it already."""


class Circuit:
    """Wraps every call of one part. `silent`: whether an error means that there was no answer; None: unknown."""

    def __init__(self, silent: Callable[[Exception], bool | None]) -> None:
        self._silent = silent
        self._trial = threading.Lock()
        self._answers = 0
        self.open = False

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Run the block, which calls the part; raises Open instead while another caller's trial runs."""
        trial = self.open
        if trial and not self._trial.acquire(blocking=False):
            raise Open
        before = self._answers
        try:
            yield
        except Exception as error:
            silent = self._silent(error)
            if silent is False:
                self._answered()
            elif silent and before == self._answers:  # otherwise others had an answer since this call began
                self.open = True
            raise
        else:
            self._answered()
        finally:
            if trial:
                self._trial.release()

    def _answered(self) -> None:
        self._answers += 1
        self.open = False
