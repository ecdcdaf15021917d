"""Intake: durable 202s per second of one web process, against FastAPI's and against a constant from the same server."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bench import posts
from bench.figures import Figure, alternated, median, percentile, ratio, say
from bench.peers import parts as packages
from bench.processes import Program, free_port, listens, wait_until
from bench.varsel import Varsel
from bench.wrk import CONNECTIONS, write_script, wrk
from engine.db.store import Store
from engine.db.tables import orders
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROUNDS = 3
SECONDS = 4  # per run of wrk
LOAD = 0.6  # of the process's full rate, for the waiting times
PACED_SECONDS = 5
CONSTANT, PEER = "constant", "FastAPI"
DATABASES = ("SQLite", "PostgreSQL")


@dataclass(frozen=True, slots=True)
class _Server:
    """One web process."""

    program: Program
    port: int
    tokens: Sequence[str]

    def run(self, script: Path) -> _Run:
        """Put full load on it for a while."""
        headers = [{"Content-Type": "application/json", "Authorization": f"Bearer {token}"} for token in self.tokens]
        write_script(script, headers, [json.dumps(posts.SMALL, ensure_ascii=False)])
        before = self.program.cpu()
        rate, answered = wrk(f"http://127.0.0.1:{self.port}{posts.PATH}", script, SECONDS)
        return _Run(rate, answered, (self.program.cpu() - before) / answered)


@dataclass(frozen=True, slots=True)
class _Run:
    rate: float  # answers per second
    answered: int
    cpu: float  # seconds per answer


def run() -> list[Figure]:
    """Run wrk on all servers in turns; then measure Varsel's waiting times below full load."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        nowhere = "smtp://127.0.0.1:9"  # no worker runs
        systems = {
            "SQLite": parts.enter_context(Varsel(folder / "sqlite", "", nowhere, workers=0)),
            "PostgreSQL": parts.enter_context(Varsel(folder / "pg", postgres.database(), nowhere, workers=0)),
        }
        servers = {name: _Server(each.program("web"), each.port, each.tokens) for name, each in systems.items()}
        servers |= _peers(parts, systems["SQLite"], f"sqlite:///{folder}/peer.db", postgres.database())
        runs: dict[str, list[_Run]] = {name: [] for name in servers}
        for number in range(ROUNDS):
            for name in alternated(list(servers), number):
                runs[name].append(servers[name].run(folder / "post.lua"))
                say(f"intake {name}: {runs[name][-1].rate:,.0f} answers/s")
        figures = [figure for name in servers for figure in _figures(name, runs)]
        for name, varsel in systems.items():
            _check_stored(varsel, sum(each.answered for each in runs[name]))
            waits = _waits(varsel, median(each.rate for each in runs[name]) * LOAD)
            say(f"intake {name}: p99 {', '.join(f'{1000 * wait:.0f}' for wait in waits)} ms at {LOAD:.0%} of that load")
            p99 = 1000 * median(waits)
            figures.append(Figure("intake", f"{name}: p99 at {LOAD:.0%} of that load", p99, "ms", most=50))
    return figures


def _peers(parts: ExitStack, varsel: Varsel, sqlite: str, postgresql: str) -> dict[str, _Server]:
    """The constant, and the peer on each database with Varsel's keys. Without its packages, the peer is left out."""
    commands = {CONSTANT: [sys.executable, "-m", "bench.peers.constant"]}
    try:
        serve = [str(packages.python()), "bench/peers/orders.py", str(varsel.jwks)]
        commands[f"{PEER}, SQLite"] = [*serve, sqlite.replace("sqlite:", "sqlite+aiosqlite:")]
        commands[f"{PEER}, PostgreSQL"] = [*serve, postgresql.replace("postgresql:", "postgresql+asyncpg:")]
    except packages.Missing as reason:
        say(f"intake: {PEER} is left out: {reason}")
    servers = {}
    for name, command in commands.items():
        port = free_port()
        program = parts.enter_context(Program(name, [*command, str(port)]))
        servers[name] = _Server(program, port, varsel.tokens)
    for name, server in servers.items():
        wait_until(lambda: listens(server.port), f"the server of {name}")  # noqa: B023 called at once
    return servers


def _figures(name: str, runs: Mapping[str, Sequence[_Run]]) -> Iterator[Figure]:
    rates = {each: [run.rate for run in several] for each, several in runs.items()}
    cpu = 1000 * median(run.cpu for run in runs[name])
    yield Figure("intake", f"{name}: 202s", median(rates[name]), "/s")
    yield Figure("intake", f"{name}: web process, CPU per 202", cpu, "ms")
    for peer, least in ((CONSTANT, 0.28), (f"{PEER}, {name}", 3.0)):
        if peer in runs and name in DATABASES:
            yield Figure("intake", f"{name} / {peer}", ratio(rates[name], rates[peer]), least=least)


def _check_stored(varsel: Varsel, answered: int) -> None:
    """Check that every 202 is a row; RuntimeError when one is missing."""
    store = Store(varsel.database_url)
    with store.read() as connection:
        stored = connection.execute(select(func.count()).select_from(orders)).scalar_one()
    store.close()
    if stored < answered:
        raise RuntimeError(f"{stored} orders are stored of {answered} that were answered with 202")


def _waits(varsel: Varsel, rate: float) -> list[float]:
    """The p99 of each round, in seconds, for requests at a steady rate."""
    requests = list(posts.wire([posts.SMALL] * int(rate * PACED_SECONDS), varsel.tokens))
    return [
        percentile(posts.post_all(varsel.port, requests, connections=CONNECTIONS, rate=rate), 0.99)
        for _ in range(ROUNDS)
    ]
