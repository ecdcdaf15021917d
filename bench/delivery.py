"""Delivery: mails per second to the relay, against a Dramatiq actor per mail and Postfix's own generator."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench import posts
from bench.figures import Figure, alternated, median, ratio, say
from bench.processes import Program, Redis, Sink, smtp_source
from bench.varsel import Varsel, wait_for_workers
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 3
MAILS = 10_000
PEER_MAILS = 5_000  # its rate does not depend on their number
LIMIT_MAILS = 20_000
MAIL_SIZE = 2_300  # bytes
WARM_UP = 200  # mails that open connections and fill caches before the clock starts
CONNECTIONS = 32  # that post the single orders
WITHIN = 120.0  # seconds for one run
PEER, LIMIT = "actor per mail", "smtp-source"


@dataclass
class _Run:
    rate: float  # mails per second
    cpu: float  # seconds per mail, of the sender's processes and its Redis


def run() -> list[Figure]:
    """Run all systems in turns, each into a fresh sink."""
    runs: dict[str, list[_Run]] = {}
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        postgres = parts.enter_context(Postgres(hasty=False))
        systems: dict[str, Callable[[Path], list[tuple[str, _Run]]]] = {
            LIMIT: _limit,
            PEER: _peer,
            "SQLite": lambda place: _varsel(place, "SQLite", ""),
            "PostgreSQL": lambda place: _varsel(place, "PostgreSQL", postgres.database()),
        }
        for number in range(ROUNDS):
            for name in alternated(list(systems), number):
                for what, measured in systems[name](folder / f"{number}-{name.replace(' ', '-')}"):
                    runs.setdefault(what, []).append(measured)
                    say(f"delivery {what}: {measured.rate:,.0f} mails/s, CPU {1000 * measured.cpu:.2f} ms per mail")
    return _figures({what: [each.rate for each in several] for what, several in runs.items()}, runs)


def _figures(rates: dict[str, list[float]], runs: dict[str, list[_Run]]) -> list[Figure]:
    figures = []
    for what, several in runs.items():
        figures.append(Figure("delivery", what, median(rates[what]), "mails/s"))
        if what != LIMIT:
            figures.append(Figure("delivery", f"{what}: CPU per mail", 1000 * median(r.cpu for r in several), "ms"))
        if what not in (LIMIT, PEER):
            least = 5.0 if "one order" in what else 2.5
            figures.append(Figure("delivery", f"{what} / {PEER}", ratio(rates[what], rates[PEER]), least=least))
            figures.append(Figure("delivery", f"{what} / {LIMIT}", ratio(rates[what], rates[LIMIT])))
    return figures


def _limit(folder: Path) -> list[tuple[str, _Run]]:
    with Sink(folder) as sink:
        return [(LIMIT, _Run(smtp_source(sink.port, LIMIT_MAILS, MAIL_SIZE), 0.0))]


def _varsel(folder: Path, database: str, url: str) -> list[tuple[str, _Run]]:
    """Send one order to all recipients, then an order to each."""
    with Sink(folder / "sink") as sink, Varsel(folder / "varsel", url, sink.url, workers=2) as varsel:
        addresses = [f"mottaker{number}@example.no" for number in range(MAILS)]
        singles = [posts.html_order(number, [address]) for number, address in enumerate(addresses)]
        requests = list(posts.wire(singles, varsel.tokens))
        one_order = list(posts.wire([posts.html_order(MAILS, addresses)], varsel.tokens))
        posts.post_all(varsel.port, requests[:WARM_UP], connections=CONNECTIONS)
        sink.wait_for(WARM_UP, WITHIN)
        measured = []
        for what, batch, connections in (("one order", one_order, 1), ("single orders", requests, CONNECTIONS)):
            before, cpu, started = sink.count(), varsel.cpu(), time.monotonic()
            posts.post_all(varsel.port, batch, connections=connections)
            ended = sink.wait_for(before + MAILS, WITHIN)
            time.sleep(0.5)  # the last outcomes are recorded: their CPU time counts
            rate, cpu = MAILS / (ended - started), (varsel.cpu() - cpu) / MAILS
            measured.append((f"{database}, {what}", _Run(rate, cpu)))
        if sink.count() != WARM_UP + 2 * MAILS:
            raise RuntimeError(f"{sink.count()} mails came of {WARM_UP + 2 * MAILS}")
        return measured


def _peer(folder: Path) -> list[tuple[str, _Run]]:
    with Sink(folder / "sink") as sink, Redis(folder / "redis") as redis:
        settings = {"PEER_REDIS_URL": redis.url, "PEER_SMTP_PORT": str(sink.port)}
        command = [sys.executable, "-m", "dramatiq", "bench.peer_mails", "--processes", "2", "--threads", "8"]
        with Program("peer", [*command, "--path", "."], settings) as workers:
            wait_for_workers(redis.url, 2)
            _enqueue(settings, MAILS, WARM_UP)
            sink.wait_for(WARM_UP, WITHIN)
            cpu, children = workers.cpu() + redis.cpu(), os.times()
            started = _enqueue(settings, 0, PEER_MAILS)
            ended = sink.wait_for(WARM_UP + PEER_MAILS, WITHIN)
            cpu = workers.cpu() + redis.cpu() - cpu
            enqueuer = os.times()
            cpu += enqueuer.children_user + enqueuer.children_system - children.children_user - children.children_system
            return [(PEER, _Run(PEER_MAILS / (ended - started), cpu / PEER_MAILS))]


def _enqueue(settings: dict[str, str], first: int, count: int) -> float:
    """Enqueue mails from another process; returns when (on the monotonic clock) the first was sent."""
    command = [sys.executable, "-m", "bench.peer_mails", str(first), str(count)]
    done = subprocess.run(command, env=os.environ | settings, check=True, capture_output=True, timeout=WITHIN)
    return float(done.stdout)
