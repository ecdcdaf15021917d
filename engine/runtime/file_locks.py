"""Locks on folders and files in use, which end with the process that holds them (flock(2)).

A forked child holds its parent's lock, too, even after exec: such a lock ends with the last of them.
"""

from __future__ import annotations

import fcntl
from typing import IO, TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path


def take(path: Path, taken: str, *, shared: bool = False) -> IO[str]:
    """Hold the lock file until the answer is closed; Misconfigured, which says `taken`, when others hold it; OSError.

    `shared`: together with others who share it.
    """
    file = path.open("a+")
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Misconfigured(taken) from None
    return file
