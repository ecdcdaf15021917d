"""`python -m bench [NAME ...]`: runs the named questions, or all, and prints one table of their figures."""

from __future__ import annotations

import importlib
import os
import platform
import signal
import sys
import traceback

from bench.figures import Figure, say, table

QUESTIONS = (
    "intake",
    "chains",
    "delivery",
    "latency",
    "idle",
    "workers",
    "sizing",
    "fairness",
    "storm",
    "memory",
    "events",
    "console",
    "watching",
    "history",
    "uploads",
)


def main(names: list[str]) -> int:
    """Run each question; if one breaks, say so and go on. Always returns 0: a benchmark is not a test."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that contexts end what they started
    unknown = [name for name in names if name not in QUESTIONS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; the questions are {', '.join(QUESTIONS)}")
        return 0
    figures: list[Figure] = []
    for name in names or QUESTIONS:
        say(name)
        try:
            figures += importlib.import_module(f"bench.{name}").run()
        except Exception:  # noqa: BLE001 the other questions still have answers
            traceback.print_exc()
            say(f"{name} could not be measured")
    sys.stderr.flush()
    print(f"\n{os.cpu_count()} cores, Python {platform.python_version()}, load average {os.getloadavg()[0]:.1f}\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
