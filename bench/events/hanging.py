"""Whether a subscriber that hangs delays the others."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench.events.parts import DATABASES, installations, post_slowly, subscribe
from bench.figures import Figure, median, percentile, say
from bench.processes import Receiver

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgres import Postgres

CROWD = 50  # subscribers, of whom one hangs
CROWD_SAMPLES = 30  # events that each of them gets


def ask(folder: Path, postgres: Postgres) -> list[Figure]:
    """Push one event at a time to many subscribers, with and without one that never answers."""
    with ExitStack() as parts:
        systems = installations(parts, folder, postgres, workers=2, suffixes=(", all answer", ", one hangs"))
        receivers = {name: parts.enter_context(Receiver()) for name in systems}
        paths = [f"/{number}" for number in range(1, CROWD)]
        for name, varsel in systems.items():
            subscribe(varsel, receivers[name], "/party/1", [*paths, "/hang" if "hangs" in name else "/last"])
        posted = post_slowly(systems, 1, CROWD_SAMPLES + 2)
        arrivals = {name: receiver.arrivals() for name, receiver in receivers.items()}
    waits: dict[str, list[float]] = {name: [] for name in systems}
    for name, times in posted.items():
        for path in paths:
            came = [at - since for since, at in zip(times, arrivals[name][path], strict=True)]
            waits[name] += came[2:]  # the first open connections
    figures = []
    for database in DATABASES:
        calm, hanging = waits[f"{database}, all answer"], waits[f"{database}, one hangs"]
        for what, of in (("median", median), ("p95", lambda each: percentile(each, 0.95))):
            say(f"events {database}: {what} {1000 * of(calm):.0f} ms, {1000 * of(hanging):.0f} ms where one hangs")
            title = f"{database}: POST to {CROWD - 1} webhooks, {what}"
            figures.append(Figure("events", title, 1000 * of(calm), "ms"))
            figures.append(Figure("events", f"{title}, one hangs / all answer", of(hanging) / of(calm), most=1.3))
    return figures
