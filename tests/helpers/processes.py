"""Processes of this machine, as Linux shows them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.runtime.proc import parent, stat
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

_SET_PARENT_DEATH_SIGNAL = 1  # prctl(2)
_LIBRARY = ctypes.CDLL(None)


def start(command: Sequence[str], ends_by: signal.Signals = signal.SIGTERM, **options: Any) -> subprocess.Popen[Any]:
    """Start a program that gets the signal when the tests end first, however they end."""
    tests = os.getpid()
    return subprocess.Popen(command, preexec_fn=lambda: end_with(tests, ends_by), **options)  # noqa: PLW1509 no locks


def end_with(parent: int, ends_by: signal.Signals) -> None:
    """Ask for the signal when this process's parent ends."""
    _LIBRARY.prctl(_SET_PARENT_DEATH_SIGNAL, ends_by)
    if os.getppid() != parent:  # it ended just now
        os._exit(1)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return stat(pid)[:1] not in ([], ["Z"])


def descendants(pid: int) -> set[int]:
    """A process's children, their children and so on."""
    every = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    parents = {each: parent(each) for each in every}
    found: set[int] = set()
    while more := {child for child, its in parents.items() if its in found | {pid}} - found:
        found |= more
    return found


def freeze(pid: int) -> list[int]:
    """Stop a process and its descendants, and return them: the process first."""
    frozen = [stop(pid)]
    while more := descendants(pid).difference(frozen):
        frozen += map(stop, more)
    return frozen


def stop(pid: int) -> int:
    """Stop a process where it is (SIGSTOP), and return it.

    A signal is not heard at once: whoever is just starting a process, or answering a request, still does so.
    """
    with suppress(ProcessLookupError):  # it ended meanwhile
        os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: not alive(pid) or stat(pid)[:1] == ["T"])
    return pid
