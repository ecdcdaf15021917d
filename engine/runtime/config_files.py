"""Files that operators write: they are read up to a bound, and followed while they change."""

from __future__ import annotations

import logging
import tomllib
from datetime import timedelta
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.errors import Misconfigured
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")

CHECK = timedelta(seconds=1)  # how long a changed file may go unnoticed
MAX_TOML = 1024 * 1024  # bytes of a file of rules or operators

log = logging.getLogger(__name__)


class Followed:
    """A file or folder that may be changed, replaced or removed at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None  # None: not looked at yet

    def changed(self) -> bool:
        """Whether it has changed since the last call; True at the first call."""
        before, self._stamp = self._stamp, _stamp(self.path)
        return self._stamp != before


class Contents(Generic[T]):
    """What a file says, as `read` has it; it is followed while it changes. `what`: what its entries are, in words.

    Misconfigured when the file cannot be used at the start; a later fault is logged once, and the entries stay as they
    were. A change is noticed within CHECK, or `at_once`.
    """

    def __init__(self, path: Path, read: Callable[[Path], T], what: str, *, at_once: bool = False) -> None:
        self._file = Followed(path)
        self._read = read
        self._what = what
        self._at_once = at_once
        self._look()  # before it is read: what is written meanwhile is read again
        self._now = read(path)

    @property
    def now(self) -> T:
        """The newest that can be used; the same object until the file has changed."""
        if (self._at_once or steady() >= self._next_look) and self._look():
            try:
                self._now = self._read(self._file.path)
            except Misconfigured as fault:
                log.warning("the %s stay as they were: %s", self._what, fault)
        return self._now

    def _look(self) -> bool:
        """Whether the file has changed since the last look."""
        self._next_look = steady() + CHECK.total_seconds()
        return self._file.changed()


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes with the file; empty: it cannot be seen."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino


def read_bounded(file: Path, most: int, mend: str = "") -> bytes:
    """The file's bytes; Misconfigured when it has more than `most`, or cannot be read, with how to mend that."""
    try:
        with file.open("rb") as opened:
            content = opened.read(most + 1)
    except OSError as error:
        msg = f"{file}: {error.strerror}{mend and f'; {mend}'}"
        raise Misconfigured(msg) from None
    if len(content) > most:
        msg = f"{file}: has more than {most} bytes"
        raise Misconfigured(msg)
    return content


def read_toml(file: Path, mend: str = "") -> dict[str, object]:
    """The tables of a TOML file; Misconfigured when it is none, is too large, or cannot be read."""
    content = read_bounded(file, MAX_TOML, mend)
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        msg = f"{file}: is not TOML: {error}"
        raise Misconfigured(msg) from None
