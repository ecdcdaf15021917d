"""Idle: what a whole installation takes of a core while nothing is to be done, beside a Redis that nobody asks."""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from bench.figures import Figure, median, say
from bench.processes import Program, Redis, free_port, listens, wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTLE = 20.0  # seconds until what follows a start is over
SPAN = 60.0  # seconds of a round
ROUNDS = 3
MOST = 1.5  # percent of a core, for all processes together
UNIT = "% of a core"
ALONE = "redis-server alone"


def run() -> list[Figure]:
    """Let `varsel up` and a Redis alone do nothing, side by side; read what each process took."""
    rounds = []
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        programs = [parts.enter_context(Redis(folder / "redis")), parts.enter_context(_Up(folder / "up"))]
        time.sleep(SETTLE)
        for _ in range(ROUNDS):
            alone, *ours = _shares(programs)
            rounds.append({ALONE: alone[1]} | dict(ours) | {"all": sum(share for _, share in ours)})
            say(f"idle: {rounds[-1]['all']:.2f} {UNIT}, {ALONE} {rounds[-1][ALONE]:.2f}")
    middle = {name: median(each[name] for each in rounds) for name in rounds[0]}
    return [Figure("idle", name, share, UNIT, most=MOST if name == "all" else None) for name, share in middle.items()]


def _shares(programs: Sequence[Program]) -> list[tuple[str, float]]:
    """What each process takes in SPAN, in percent of a core."""
    before, began = [program.cpu_each() for program in programs], time.monotonic()
    time.sleep(SPAN)
    after, took = [program.cpu_each() for program in programs], time.monotonic() - began
    pairs = zip(before, after, strict=True)
    return [(name, 100 * (now[name] - then[name]) / took) for then, now in pairs for name in then]


class _Up(Program):
    """`varsel up` on its embedded defaults."""

    def __init__(self, folder: Path) -> None:
        self._port = free_port()
        command = [sys.executable, "-m", "engine", "up", "--data", str(folder)]
        super().__init__("varsel up", [*command, "--port", str(self._port), "--smtp-port", "0"])

    def __enter__(self) -> Self:
        super().__enter__()
        wait_until(lambda: listens(self._port), self.name)
        return self
