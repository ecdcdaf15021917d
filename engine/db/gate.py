"""The gate in front of an SQLite file: one writer at a time, across threads and processes (docs/decisions/0002)."""

from __future__ import annotations

import fcntl
import os
import queue
import threading
from typing import TYPE_CHECKING

from engine.db.faults import Overdue

if TYPE_CHECKING:
    from pathlib import Path


class Gate:
    """Lets one writer in at a time; raises Overdue after a wait of `within` seconds.

    SQLite's own busy handler sleeps and polls, up to 100 ms a time; a file lock wakes the next writer at once. It has
    no time-out, and a stopped process keeps it for ever. So if the lock is not free, a thread waits for it, and the
    writer waits for the thread: when a writer gives up, the next one takes over the wait.
    """

    def __init__(self, path: Path, within: float) -> None:
        self._within = within
        self._path = path
        self._file = path.open("w")
        self._thread = threading.Lock()
        self._state = threading.Lock()
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._waiting: threading.Thread | None = None  # started when the lock is not free for the first time
        self._asked = False  # that thread waits for the lock, or has it
        self._present = False  # a writer waits for that thread
        self._had = threading.Event()

    def __enter__(self) -> None:
        if not self._thread.acquire(timeout=self._within):
            raise Overdue
        try:
            self._lock()
        except BaseException:
            self._thread.release()
            raise

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)
        self._thread.release()

    def reopen(self) -> None:
        """Guard the file that is at the path now; a writer inside leaves as usual."""
        with self._path.open("w") as file:
            os.dup2(file.fileno(), self._file.fileno(), inheritable=False)

    def close(self) -> None:
        """Let nobody in any more."""
        self._wanted.put(False)
        self._file.close()

    def _lock(self) -> None:
        with self._state:
            if not self._asked:
                try:
                    fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    self._ask()
                else:
                    return
            self._present = True
        self._had.wait(self._within)
        with self._state:
            self._present = False
            if not self._had.is_set():
                raise Overdue
            self._had.clear()
            self._asked = False

    def _ask(self) -> None:
        if self._waiting is None:
            self._waiting = threading.Thread(target=self._wait, name="gate", daemon=True)
            self._waiting.start()
        self._asked = True
        self._wanted.put(True)

    def _wait(self) -> None:
        while self._wanted.get():
            fcntl.flock(self._file, fcntl.LOCK_EX)
            with self._state:
                if self._present:
                    self._had.set()
                else:  # the writer has given up
                    fcntl.flock(self._file, fcntl.LOCK_UN)
                    self._asked = False
