"""Files that only their owner may read: they have keys of tokens, messages and addresses."""

from __future__ import annotations

import os
import stat
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UMASK = 0o077  # of every process: folders are made 0700, files 0600
# What Varsel puts into the folder of its embedded parts.
OURS = ("varsel.db*", "varsel.lock", "appendonly*", "dump.rdb", "temp-*", "redis.sock", "keys", "inbox", "metrics")


def tighten(folder: Path) -> int:
    """Take all rights on Varsel's files in the folder from everybody but their owner; returns how many were open.

    The folder itself is closed, too, unless it has others' files. Files of other users, and targets of symbolic links,
    are left alone.
    """
    entries = [folder / name for name in os.listdir(folder)]  # noqa: PTH208 names alone
    ours = [path for path in entries if any(fnmatch(path.name, pattern) for pattern in OURS)]
    top = [folder, *ours] if len(ours) == len(entries) else ours  # the folder first: then nobody changes what is in it
    if not any(map(_is_open, top)):
        return 0
    found = [*top, *(path for each in ours for path in _below(each))]
    return sum(map(_close, found))


def _below(path: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(path):  # follows no links
        yield from (Path(place) / name for name in (*folders, *files))


def _is_open(path: Path) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:  # gone meanwhile: others run
        return False
    mine = status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
    return mine and bool(status.st_mode & UMASK)


def _close(path: Path) -> bool:
    if not _is_open(path):
        return False
    try:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & ~UMASK)
    except FileNotFoundError:
        return False
    return True
