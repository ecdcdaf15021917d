"""How many events are published per second."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bench import posts
from bench.events.parts import ROUNDS, SECONDS, installations, load, resource
from bench.figures import Figure, alternated, median, ratio, say
from bench.processes import Program, free_port, listens, wait_until
from bench.wrk import FRESH, write_script, wrk
from engine.db.store import Store
from engine.db.tables import events

if TYPE_CHECKING:
    from pathlib import Path

    from bench.varsel import Varsel
    from tests.servers.postgres import Postgres

BATCH = 100  # events


def ask(folder: Path, postgres: Postgres) -> list[Figure]:
    """Run wrk on the constant and on both databases in turns: one event per request, then a batch."""
    with ExitStack() as parts:
        systems = installations(parts, folder, postgres, workers=0)
        port = free_port()
        parts.enter_context(Program("constant", [sys.executable, "-m", "bench.peers.constant", str(port)]))
        wait_until(lambda: listens(port), "the constant's server")
        ports = {"constant": port} | {name: varsel.port for name, varsel in systems.items()}
        rates: dict[str, list[float]] = {name: [] for name in ports}
        batches: dict[str, list[float]] = {name: [] for name in systems}
        cpu: dict[str, list[float]] = {name: [] for name in systems}
        stored = dict.fromkeys(systems, 0)
        for number in range(ROUNDS):
            for name in alternated(list(ports), number):
                varsel = systems.get(name)
                before = varsel.program("web").cpu() if varsel else 0.0
                headers = (varsel or systems["SQLite"]).app_headers
                rate, answered = load(folder, ports[name], headers, [posts.app_event()])
                rates[name].append(rate)
                say(f"events {name}: {rate:,.0f} answers/s")
                if varsel:
                    cpu[name].append((varsel.program("web").cpu() - before) / answered)
                    stored[name] += answered
            for name in alternated(list(systems), number):
                rate, answered = _load_batches(folder, systems[name])
                batches[name].append(rate * BATCH)
                stored[name] += answered * BATCH
                say(f"events {name}: {rate * BATCH:,.0f} events/s in batches")
        for name, varsel in systems.items():
            _check_stored(name, varsel, stored[name])
    figures = [Figure("events", "constant answers", median(rates["constant"]), "/s")]
    for name in systems:
        figures += [
            Figure("events", f"{name}: durable 201s", median(rates[name]), "/s"),
            Figure("events", f"{name}: web process, CPU per event", 1000 * median(cpu[name]), "ms"),
            Figure("events", f"{name} / constant", ratio(rates[name], rates["constant"]), least=0.30),
            Figure(
                "events",
                f"{name}: in batches of {BATCH}",
                median(batches[name]),
                "events/s",
                least=10_000 if name == "SQLite" else None,
            ),
        ]
    return figures


def _load_batches(folder: Path, varsel: Varsel) -> tuple[float, int]:
    script = folder / "batch.lua"
    now = datetime.now(UTC)
    batch = [json.loads(posts.stored_event(n, "/party/50019855", now).text) for n in range(BATCH)]
    body = json.dumps([event | {"id": f"{FRESH}-{n}", "resource": resource(1)} for n, event in enumerate(batch)])
    write_script(script, [{"Content-Type": "application/cloudevents-batch+json", **varsel.app_headers}], [body])
    return wrk(f"http://127.0.0.1:{varsel.port}{posts.EVENTS_PATH}", script, SECONDS)


def _check_stored(name: str, varsel: Varsel, answered: int) -> None:
    """Check that every answered event is stored; RuntimeError when one is missing."""
    store = Store(varsel.database_url)
    with store.read() as connection:
        stored = connection.execute(select(func.count()).select_from(events)).scalar_one()
    store.close()
    if stored < answered:
        raise RuntimeError(f"{name}: {stored} events are stored of {answered} that were answered")
