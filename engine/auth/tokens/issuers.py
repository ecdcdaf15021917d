"""The keys of platform tokens: a folder with one ISSUER.pem each, followed while it changes."""

from __future__ import annotations

import logging
import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.auth.tokens.keys import Key, KeyFile, read_pem
from engine.errors import Misconfigured
from engine.runtime.config_files import Followed

if TYPE_CHECKING:
    from pathlib import Path

ISSUER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")  # the names that a file, and thus an issuer, may have
CHECK = timedelta(seconds=1)  # how long a replaced or removed file may go unnoticed

log = logging.getLogger(__name__)


class PlatformKeys:
    """Keys by issuer, for one thread: a token's issuer is looked up among the files found, never made into a path.

    Misconfigured when a file cannot be used at the start; what breaks later is logged, and that file's keys stay.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = Followed(folder) if folder else None
        self._files: dict[str, KeyFile] = {}
        self._keys: dict[str, tuple[Key, ...]] = {}
        self._next_look = 0.0  # by time.monotonic(), in seconds
        self._faults = self._scan()
        if self._faults:
            raise Misconfigured("; ".join(self._faults))

    def current(self) -> dict[str, tuple[Key, ...]]:
        """Keys by issuer; another dict after each change."""
        if time.monotonic() >= self._next_look:
            self._follow()
        return self._keys

    def of(self, issuer: str) -> tuple[Key, ...]:
        """Keys of an issuer: none when there is no file; one that was added just now is found."""
        if issuer not in self.current() and self._folder and self._folder.changed():
            self._follow()
        return self._keys.get(issuer, ())

    def _follow(self) -> None:
        faults = self._scan()
        for fault in faults:
            if fault not in self._faults:  # say it once, not every second
                log.warning("keys of platform tokens stay as they were: %s", fault)
        self._faults = faults

    def _scan(self) -> list[str]:
        self._next_look = time.monotonic() + CHECK.total_seconds()
        if self._folder is None:
            return []
        faults = []
        files = {}
        folder = self._folder.path
        self._folder.changed()  # before it is looked through: what comes meanwhile is found by the next look
        try:
            names = sorted(path.name for path in folder.iterdir())
        except OSError as error:
            return [f"{folder}: {error.strerror}"]
        for name in names:
            issuer = name.removesuffix(".pem")
            if issuer == name or name.startswith("."):
                continue  # not a key file, or somebody's draft of one
            if ISSUER.fullmatch(issuer):
                files[issuer] = self._files.get(issuer) or KeyFile(folder / name, read_pem)
            else:
                faults.append(f"{folder / name}: is no issuer's name; use letters, digits, _ . -, at most 64")
        changed = files.keys() != self._files.keys()
        self._files = files
        for file in files.values():
            try:
                changed |= file.changed()
            except Misconfigured as error:
                faults.append(str(error))
        if changed:
            self._keys = {issuer: file.keys for issuer, file in files.items() if file.keys}
        return faults
