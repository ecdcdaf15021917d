"""Memory: whether a process grows with what it has done."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from bench import posts
from bench.figures import Figure, say
from bench.processes import Sink
from bench.varsel import Varsel

STEP = 20_000  # orders between two measurements
STEPS = 5
CONNECTIONS = 32
WITHIN = 180.0  # seconds for one step
GROWTH = 1.05  # relative to the first step: allocators vary a little, leaks grow


def run() -> list[Figure]:
    """Post and deliver 100,000 single orders; compare each process after the last step with after the first."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        sink = parts.enter_context(Sink(folder / "sink"))
        varsel = parts.enter_context(Varsel(folder / "varsel", "", sink.url, workers=2))
        programs = [program for program in varsel.programs if program.name != "redis"]
        sizes: dict[str, list[int]] = {program.name: [] for program in programs}
        for step in range(STEPS):
            numbers = range(step * STEP, (step + 1) * STEP)
            orders = (posts.html_order(number, [f"mottaker{number}@example.no"]) for number in numbers)
            posts.post_all(varsel.port, posts.wire(orders, varsel.tokens), connections=CONNECTIONS)
            sink.wait_for((step + 1) * STEP, WITHIN)
            time.sleep(0.5)  # the last outcomes are recorded
            for program in programs:
                sizes[program.name].append(program.memory())
            now = ", ".join(f"{name} {size[-1] / 1e6:.0f}" for name, size in sizes.items())
            say(f"memory: after {(step + 1) * STEP:,} orders, MB: {now}")
    figures = []
    for name, size in sizes.items():
        figures.append(Figure("memory", f"{name}: after {STEP * STEPS:,} orders", size[-1] / 1e6, "MB"))
        growth = size[-1] / size[0]
        figures.append(Figure("memory", f"{name}: after {STEP * STEPS:,} / after {STEP:,}", growth, most=GROWTH))
    return figures
