"""Sizing: what an order and its e-mail cost each part, and how many a second go out by 1, 2, 4 and 8 workers."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import redis

from bench import posts
from bench.figures import Figure, median, say
from bench.processes import Stamps, cpu_of, wait_until
from bench.varsel import Varsel
from bench.workers import CONNECTIONS, CREATORS, MIDDLE, OPTIONS, WITHIN, held_back, tell, told
from engine.settings import Settings
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import LiteralString

WORKERS = (1, 2, 4, 8)
WEBS = 2
DELAY = 0.05  # seconds after which the relay answers what came in one write
EXCHANGES = 2  # of a mail: MAIL, RCPT and DATA in one, and the message
MAILS = 1_250  # for each worker
_WAL: LiteralString = "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn"
_SIZE: LiteralString = "SELECT pg_database_size(current_database())"
_CONNECTED: LiteralString = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
# The parts of the time that statements take, and of the log that they write. Claims begin with what is the oldest.
_KINDS: LiteralString = """
SELECT CASE WHEN query ~ 'WITH RECURSIVE walk_|WITH first AS|WITH oldest AS' THEN 'claims'
            WHEN query ~ 'INSERT INTO' THEN 'inserts' WHEN query ~ '^(WITH .*)?(UPDATE|DELETE)' THEN 'changes'
            ELSE 'reading' END AS kind,
       sum(total_plan_time + total_exec_time) / sum(sum(total_plan_time + total_exec_time)) OVER (),
       sum(wal_bytes) / sum(sum(wal_bytes)) OVER ()
FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE datname = current_database() GROUP BY kind ORDER BY kind
"""
_TAKEN, _SENT = "taken in", "sent"


@dataclass(frozen=True, slots=True)
class _Run:
    rates: Mapping[str, float]  # orders and mails a second
    cpu: Mapping[tuple[str, str], float]  # milliseconds per order, by what was done and by the part that did it
    wal: float  # bytes per order and mail
    disk: float  # likewise
    cores: float  # that everything used while mails were sent, the relay included
    connections: float  # of the database
    memory: float  # of Redis, in bytes
    kinds: Mapping[str, tuple[float, float]]  # of statements: their parts of the time, and of the write-ahead log


def run() -> list[Figure]:
    """Take in single orders by two processes, then send them, with each number of workers."""
    runs: dict[int, _Run] = {}
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(*OPTIONS, hasty=False))
        for workers in WORKERS:
            runs[workers] = _measure(folder / str(workers), postgres, workers)
            say(f"sizing: by {workers}: {runs[workers].rates[_SENT]:.0f} mails/s, {runs[workers].cores:.2f} cores")
    return [*_rates(runs), *_costs(list(runs.values()))]


def _rates(runs: Mapping[int, _Run]) -> list[Figure]:
    figures = []
    for workers, run in runs.items():
        limit = workers * Settings.model_fields["smtp_connections"].default / (EXCHANGES * DELAY)
        figures += [
            Figure("sizing", f"by {workers}: mails", run.rates[_SENT], "/s"),
            Figure("sizing", f"by {workers}: of what its connections can", run.rates[_SENT] / limit),
            Figure("sizing", f"by {workers}: of the machine's cores", run.cores / (os.cpu_count() or 1)),
            Figure("sizing", f"by {workers}: connections of the database", run.connections),
        ]
    return figures


def _costs(runs: list[_Run]) -> list[Figure]:
    cpu = {f"CPU of {part}, {done}": median(run.cpu[done, part] for run in runs) for done, part in runs[0].cpu}
    kinds = runs[-1].kinds
    return [
        Figure("sizing", "orders taken in by two processes", median(run.rates[_TAKEN] for run in runs), "/s"),
        *(Figure("sizing", name, value, "ms") for name, value in cpu.items()),
        *(Figure("sizing", f"{kind} in the statements' time", share) for kind, (share, _) in kinds.items()),
        *(Figure("sizing", f"{kind} in the log's bytes", share) for kind, (_, share) in kinds.items()),
        Figure("sizing", "write-ahead log of an order and its mail", median(run.wal for run in runs) / 1000, "kB"),
        Figure("sizing", "disk of an order and its mail", median(run.disk for run in runs) / 1000, "kB"),
        Figure("sizing", "memory of Redis, the most", max(run.memory for run in runs) / 1e6, "MB"),
    ]


def _measure(folder: Path, postgres: Postgres, workers: int) -> _Run:
    """One installation, which takes in its mails' orders, and sends them when all are there."""
    url, mails = postgres.database(), MAILS * workers
    to = [f"mottaker{place}@example.no" for place in range(mails)]
    orders = [posts.html_order(place, [address]) for place, address in enumerate(to)]
    with (
        Stamps(folder / "relay", DELAY) as relay,
        Varsel(folder / "varsel", url, relay.url, workers=workers, webs=WEBS) as varsel,
        redis.Redis.from_url(varsel.redis_url) as broker,
    ):
        tell(url, "CREATE EXTENSION pg_stat_statements")
        requests = list(posts.wire(orders, varsel.tokens[:CREATORS]))
        wal, disk = told(url, _WAL), told(url, _SIZE)
        with held_back(url):
            taken = _Costs(varsel, postgres)
            posts.post_all(varsel.port, requests, connections=CONNECTIONS)
            taken.stop()
        sent, of_relay = _Costs(varsel, postgres), relay.cpu()
        wait_until(lambda: len(relay.arrived()) >= mails, "the last mail", WITHIN)
        connections = told(url, _CONNECTED) - 1
        sent.stop()
        cores = (sum(sent.cpu.values()) + relay.cpu() - of_relay) / sent.seconds
        times = sorted(relay.arrived().values())
        first, last = (int(mails * part) for part in MIDDLE)
        return _Run(
            rates={_TAKEN: mails / taken.seconds, _SENT: (last - first) / (times[last] - times[first])},
            cpu={
                (done, part): 1000 * seconds / mails
                for done, costs in ((_TAKEN, taken), (_SENT, sent))
                for part, seconds in costs.cpu.items()
            },
            wal=(told(url, _WAL) - wal) / mails,
            disk=(told(url, _SIZE) - disk) / mails,
            cores=cores,
            connections=connections,
            memory=float(broker.info("memory")["used_memory_peak"]),
            kinds=_kinds(url),
        )


def _kinds(url: str) -> dict[str, tuple[float, float]]:
    with psycopg.connect(url) as connection:
        return {kind: (float(time), float(log)) for kind, time, log in connection.execute(_KINDS)}


class _Costs:
    """Seconds of CPU by part, and by the clock, from its making to `stop`."""

    def __init__(self, varsel: Varsel, postgres: Postgres) -> None:
        self._parts = varsel, postgres
        self._began = time.monotonic()
        self.cpu = self._so_far()

    def stop(self) -> None:
        """What it cost is told now."""
        self.seconds = time.monotonic() - self._began
        self.cpu = {part: now - self.cpu[part] for part, now in self._so_far().items()}

    def _so_far(self) -> dict[str, float]:
        varsel, postgres = self._parts
        found = {"workers": 0.0, "PostgreSQL": cpu_of(postgres.pid)}
        for program in varsel.programs:
            name = "workers" if "worker" in program.name else program.name
            found[name] = found.get(name, 0.0) + program.cpu()
        return found
