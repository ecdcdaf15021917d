"""The gate in front of an SQLite file: one writer at a time, across threads and processes (docs/decisions/0002)."""

from __future__ import annotations

import fcntl
import os
import queue
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from engine.db.faults import Overdue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STEPS_BACK = 10  # of a writer that gives way, one after another; so it has its turn however many are in a hurry
HURRY = ".hurry"  # the end of that file's name
PAUSE = 0.003  # seconds of a step back: others lock within it


class Gate:
    """Lets one writer in at a time; raises Overdue after a wait of `within` seconds.

    SQLite's own busy handler sleeps and polls, up to 100 ms a time; a file lock wakes the next writer at once. It has
    no time-out, and a stopped process keeps it for ever. So if the lock is not free, a thread waits for it, and the
    writer waits for the thread: when a writer gives up, the next one takes over the wait.

    Who comes next is chance, so writers that can wait give way (`gives_way`): while a writer waits that does not, it
    shares a lock on a file beside the gate, and a writer that gives way and finds it taken lets the other one in first.
    """

    def __init__(self, path: Path, within: float, *, gives_way: bool = False) -> None:
        self._within = within
        self._path = path
        self._gives_way = gives_way
        self._file = path.open("w")
        self._hurry = path.with_suffix(HURRY).open("w")
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
            if self._gives_way:
                self._lock_behind()
            else:
                with self._hurrying():
                    self._lock()
        except BaseException:
            self._thread.release()
            raise

    def __exit__(self, *_: object) -> None:
        with suppress(ValueError):  # it is closed: then nobody is kept out by it any more
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._thread.release()

    def reopen(self) -> None:
        """Guard the file that is at the path now; a writer inside leaves as usual."""
        for path, its in ((self._path, self._file), (self._path.with_suffix(HURRY), self._hurry)):
            with path.open("w") as file:
                os.dup2(file.fileno(), its.fileno(), inheritable=False)

    def close(self) -> None:
        """Let nobody in any more."""
        self._wanted.put(False)
        self._file.close()
        self._hurry.close()

    def _lock_behind(self) -> None:
        """Lock when nobody is in a hurry, or after so many steps back."""
        for _ in range(STEPS_BACK):
            self._lock()
            if not self._somebody_hurries():
                return
            fcntl.flock(self._file, fcntl.LOCK_UN)
            time.sleep(PAUSE)
        self._lock()

    def _somebody_hurries(self) -> bool:
        try:
            fcntl.flock(self._hurry, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self._hurry, fcntl.LOCK_UN)
        return False

    @contextmanager
    def _hurrying(self) -> Iterator[None]:
        """Say that a writer waits that does not give way; nobody ever waits for this lock itself."""
        with suppress(BlockingIOError):
            fcntl.flock(self._hurry, fcntl.LOCK_SH | fcntl.LOCK_NB)
        try:
            yield
        finally:
            fcntl.flock(self._hurry, fcntl.LOCK_UN)

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
