"""Intake: durable 202s per second of one web process, against the same server that answers a constant."""

from __future__ import annotations

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import func, select

from bench import posts
from bench.figures import Figure, alternated, median, percentile, ratio, say
from bench.processes import Program, free_port, listens, wait_until
from bench.varsel import Varsel
from bench.wrk import CONNECTIONS, write_script, wrk
from engine.db.store import Store
from engine.db.tables import orders
from tests.servers.postgres import Postgres

ROUNDS = 3
SECONDS = 4  # per run of wrk
LOAD = 0.6  # of the process's full rate, for the waiting times
PACED_SECONDS = 5


def run() -> list[Figure]:
    """Run wrk on the constant, SQLite and PostgreSQL in turns; then measure waiting times below full load."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        nowhere = "smtp://127.0.0.1:9"  # no worker runs
        systems = {
            "SQLite": parts.enter_context(Varsel(folder / "sqlite", "", nowhere, workers=0)),
            "PostgreSQL": parts.enter_context(Varsel(folder / "pg", postgres.database(), nowhere, workers=0)),
        }
        port = free_port()
        parts.enter_context(Program("constant", [sys.executable, "-m", "bench.peer_web", str(port)]))
        wait_until(lambda: listens(port), "the constant's server")
        ports = {"constant": port} | {name: varsel.port for name, varsel in systems.items()}
        script = folder / "post.lua"
        tokens = systems["SQLite"].tokens
        rates: dict[str, list[float]] = {name: [] for name in ports}
        cpu: dict[str, list[float]] = {name: [] for name in systems}
        for number in range(ROUNDS):
            for name in alternated(list(ports), number):
                if name in systems:
                    tokens = systems[name].tokens
                headers = [{"Content-Type": "application/json", "Authorization": f"Bearer {token}"} for token in tokens]
                write_script(script, headers, [json.dumps(posts.SMALL, ensure_ascii=False)])
                before = systems[name].program("web").cpu() if name in systems else 0.0
                rate, answered = wrk(f"http://127.0.0.1:{ports[name]}{posts.PATH}", script, SECONDS)
                if name in systems:
                    cpu[name].append((systems[name].program("web").cpu() - before) / answered)
                rates[name].append(rate)
                say(f"intake {name}: {rate:,.0f} answers/s")
        figures = [Figure("intake", "constant answers", median(rates["constant"]), "/s")]
        for name, varsel in systems.items():
            durable = median(rates[name])
            _check_stored(varsel, sum(rates[name]) * SECONDS)
            waits = _waits(varsel, durable * LOAD)
            say(f"intake {name}: p99 {', '.join(f'{1000 * wait:.0f}' for wait in waits)} ms at {LOAD:.0%} of that load")
            figures += [
                Figure("intake", f"{name}: durable 202s", durable, "/s"),
                Figure("intake", f"{name}: web process, CPU per order", 1000 * median(cpu[name]), "ms"),
                Figure("intake", f"{name} / constant", ratio(rates[name], rates["constant"]), least=0.30),
                Figure("intake", f"{name}: p99 at {LOAD:.0%} of that load", 1000 * median(waits), "ms", most=50),
            ]
    return figures


def _check_stored(varsel: Varsel, answered: float) -> None:
    """Check that every 202 is a row; RuntimeError when one is missing."""
    store = Store(varsel.database_url)
    with store.read() as connection:
        stored = connection.execute(select(func.count()).select_from(orders)).scalar_one()
    store.close()
    if stored < answered * 0.99:  # wrk's rates are rounded
        raise RuntimeError(f"{stored} orders are stored of {answered:.0f} that were answered with 202")


def _waits(varsel: Varsel, rate: float) -> list[float]:
    """The p99 of each round, in seconds, for requests at a steady rate."""
    requests = list(posts.wire([posts.SMALL] * int(rate * PACED_SECONDS), varsel.tokens))
    return [
        percentile(posts.post_all(varsel.port, requests, connections=CONNECTIONS, rate=rate), 0.99)
        for _ in range(ROUNDS)
    ]
