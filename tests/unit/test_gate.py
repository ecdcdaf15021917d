"""The gate in front of an SQLite file: who goes first."""

from __future__ import annotations

import fcntl
import threading
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.db.gate import Gate
from tests.helpers.waiting import LONG, patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 20


@contextmanager
def entering(gate: Gate, entered: list[Gate]) -> Iterator[None]:
    """A writer that goes through a gate in a thread, and has done so when the block ends."""

    def enter() -> None:
        with gate:
            entered.append(gate)

    thread = threading.Thread(target=enter)
    thread.start()
    yield
    thread.join(patience())
    assert not thread.is_alive()


def is_free(file: Path) -> bool:
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def waiting(file: Path, number: int) -> bool:
    """Whether so many wait for a file's lock; the kernel lists them with an arrow."""
    with Path("/proc/locks").open() as locks:
        return sum(f":{file.stat().st_ino} " in line for line in locks if " -> " in line) == number


def test_a_writer_that_gives_way_lets_in_who_is_in_a_hurry(tmp_path: Path) -> None:
    path, within = tmp_path / "db.gate", LONG.total_seconds()
    with (
        closing(Gate(path, within)) as holder,
        closing(Gate(path, within, gives_way=True)) as patient,
        closing(Gate(path, within)) as hurried,
    ):
        for _ in range(ROUNDS):
            entered: list[Gate] = []
            with ExitStack() as threads, holder:
                for number, gate in enumerate((patient, hurried), start=1):
                    threads.enter_context(entering(gate, entered))
                    wait_for(partial(waiting, path, number))
            assert entered == [hurried, patient]
        assert is_free(path.with_suffix(".hurry"))


def test_a_writer_that_gives_way_has_its_turn_however_many_are_in_a_hurry(tmp_path: Path) -> None:
    path = tmp_path / "db.gate"
    with closing(Gate(path, LONG.total_seconds(), gives_way=True)) as patient:
        with path.with_suffix(".hurry").open() as hurry:
            fcntl.flock(hurry, fcntl.LOCK_SH)
            with patient:
                assert not is_free(path)
        assert is_free(path)
