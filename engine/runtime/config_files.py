"""Files that operators write: they are read up to a bound, and followed while they change."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

MAX_TOML = 1024 * 1024  # bytes of a file of rules or operators


class Followed:
    """A file or folder that may be changed, replaced or removed at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stamp: tuple[int, ...] | None = None  # None: not looked at yet

    def changed(self) -> bool:
        """Whether it has changed since the last call; True at the first call."""
        before, self._stamp = self._stamp, _stamp(self.path)
        return self._stamp != before


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
