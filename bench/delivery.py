"""Delivery: mails per second to the relay, against a Dramatiq actor per mail, BullMQ and Postfix's own generator."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import posts
from bench.figures import Figure, alternated, median, ratio, say
from bench.peers import parts as packages
from bench.processes import Program, Redis, Sink, free_port, listens, smtp_source, wait_until
from bench.varsel import Varsel, wait_for_workers
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ROUNDS = 3
MAILS = 10_000
PEER_MAILS = 5_000  # its rate does not depend on their number
LIMIT_MAILS = 20_000
MAIL_SIZE = 2_300  # bytes
WARM_UP = 200  # mails that open connections and fill caches before the clock starts
CONNECTIONS = 32  # that post the single orders
WITHIN = 120.0  # seconds for one run
PEER, JOBS, LIMIT = "actor per mail", "BullMQ + nodemailer", "smtp-source"
ONE, SINGLE = "one order", "single orders"
LEAST = {ONE: {PEER: 5.0, JOBS: 5.0, LIMIT: 0.35}, SINGLE: {PEER: 2.5, JOBS: 2.0}}
# Milliseconds per single order, of all processes: half of what they took in November 2026 (docs/performance.md).
CPU = {"SQLite": 0.45, "PostgreSQL": 0.33}


@dataclass(frozen=True, slots=True)
class _Run:
    rate: float  # mails per second
    cpu: float  # seconds per mail, of the sender's processes and its Redis


@dataclass(frozen=True, slots=True)
class _System:
    """What takes orders over HTTP and sends their mails."""

    name: str
    port: int
    tokens: Sequence[str]
    order: Callable[[int, Sequence[str]], dict[str, Any]]
    cpu: Callable[[], float]  # seconds so far, of all its processes


def run() -> list[Figure]:
    """Run all systems in turns, each into a fresh sink. Without Node.js, its peer is left out."""
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
        try:
            modules = packages.node_modules()
            systems[JOBS] = lambda place: _jobs(place, modules)
        except packages.Missing as reason:
            say(f"delivery: {JOBS} is left out: {reason}")
        for number in range(ROUNDS):
            for name in alternated(list(systems), number):
                for what, measured in systems[name](folder / f"{number}-{name.replace(' ', '-')}"):
                    runs.setdefault(what, []).append(measured)
                    say(f"delivery {what}: {measured.rate:,.0f} mails/s, CPU {1000 * measured.cpu:.2f} ms per mail")
    return [figure for what in runs for figure in _figures(what, runs)]


def _figures(what: str, runs: Mapping[str, Sequence[_Run]]) -> Iterator[Figure]:
    yield Figure("delivery", what, median(run.rate for run in runs[what]), "mails/s")
    if what == LIMIT:
        return
    name, _, kind = what.partition(", ")
    cpu = 1000 * median(run.cpu for run in runs[what])
    yield Figure("delivery", f"{what}: CPU per mail", cpu, "ms", most=CPU.get(name) if kind == SINGLE else None)
    for peer in (PEER, f"{JOBS}, {kind}", LIMIT):
        if name in CPU and peer in runs:
            faster = ratio([run.rate for run in runs[what]], [run.rate for run in runs[peer]])
            yield Figure("delivery", f"{what} / {peer}", faster, least=LEAST[kind].get(peer.partition(", ")[0]))


def _limit(folder: Path) -> list[tuple[str, _Run]]:
    with Sink(folder) as sink:
        return [(LIMIT, _Run(smtp_source(sink.port, LIMIT_MAILS, MAIL_SIZE), 0.0))]


def _varsel(folder: Path, database: str, url: str) -> list[tuple[str, _Run]]:
    with Sink(folder / "sink") as sink, Varsel(folder / "varsel", url, sink.url, workers=2) as varsel:
        return _orders(_System(database, varsel.port, varsel.tokens, posts.html_order, varsel.cpu), sink)


def _jobs(folder: Path, modules: Path) -> list[tuple[str, _Run]]:
    """The same orders; their bodies are plain text, and nobody verifies a token."""
    with ExitStack() as parts:
        sink, redis = parts.enter_context(Sink(folder / "sink")), parts.enter_context(Redis(folder / "redis"))
        settings = {"PEER_REDIS": redis.url.removeprefix("unix://"), "NODE_PATH": str(modules)}
        port = free_port()
        programs: list[Program] = [redis]
        for role, number in (("worker", sink.port), ("worker", sink.port), ("web", port)):
            command = ["node", "bench/peers/jobs.js", role, str(number)]
            programs.append(parts.enter_context(Program(role, command, settings)))
        wait_until(lambda: listens(port), "BullMQ's intake")
        system = _System(JOBS, port, ["none"], posts.text_order, lambda: sum(each.cpu() for each in programs))
        return _orders(system, sink)


def _orders(system: _System, sink: Sink) -> list[tuple[str, _Run]]:
    """Send one order to all recipients, then an order to each."""
    addresses = [f"mottaker{number}@example.no" for number in range(MAILS)]
    singles = list(posts.wire([system.order(n, [address]) for n, address in enumerate(addresses)], system.tokens))
    one_order = list(posts.wire([system.order(MAILS, addresses)], system.tokens))
    posts.post_all(system.port, singles[:WARM_UP], connections=CONNECTIONS)
    sink.wait_for(WARM_UP, WITHIN)
    measured = []
    for kind, requests, connections in ((ONE, one_order, 1), (SINGLE, singles, CONNECTIONS)):
        before, cpu, started = sink.count(), system.cpu(), time.monotonic()
        posts.post_all(system.port, requests, connections=connections)
        ended = sink.wait_for(before + MAILS, WITHIN)
        time.sleep(0.5)  # the last outcomes are recorded: their CPU time counts
        rate, cpu = MAILS / (ended - started), (system.cpu() - cpu) / MAILS
        measured.append((f"{system.name}, {kind}", _Run(rate, cpu)))
    if sink.count() != WARM_UP + 2 * MAILS:
        raise RuntimeError(f"{sink.count()} mails came of {WARM_UP + 2 * MAILS}")
    return measured


def _peer(folder: Path) -> list[tuple[str, _Run]]:
    with Sink(folder / "sink") as sink, Redis(folder / "redis") as redis:
        settings = {"PEER_REDIS_URL": redis.url, "PEER_SMTP_PORT": str(sink.port)}
        command = [sys.executable, "-m", "dramatiq", "bench.peers.actors", "--processes", "2", "--threads", "8"]
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
    command = [sys.executable, "-m", "bench.peers.actors", str(first), str(count)]
    done = subprocess.run(command, env=os.environ | settings, check=True, capture_output=True, timeout=WITHIN)
    return float(done.stdout)
