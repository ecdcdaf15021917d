"""Workers: what eight worker processes deliver to a slow relay, relative to what one does, on PostgreSQL."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from bench import posts
from bench.backlog import WHO
from bench.figures import Figure, alternated, median, ratio, say
from bench.processes import Stamps, wait_until
from bench.varsel import Varsel
from engine.admin.pausing import pause, resume
from engine.db.store import Store
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import LiteralString

FEW, MANY = WORKERS = (1, 8)
DELAY = 0.05  # seconds after which the relay answers what came in one write
MAILS = 1_250  # for each worker
CREATORS = 10  # of the single orders
CONNECTIONS = 32  # that post them
MIDDLE = (0.2, 0.8)  # of the mails: before it, workers begin; behind it, some have none left
ROUNDS = 2
WITHIN = 120.0  # seconds for one run
ONE, SINGLE = "one order", "single orders"
LEAST, MOST = 6.4, 0.5
OPTIONS = ("shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on", "log_line_prefix=%e ")
FAILURES = ("40001", "40P01")  # SQLSTATE: a transaction could not be serialized; a deadlock
# Claims walk from creator to creator, make rows ready, and take the first of each.
_CLAIMS = """
SELECT sum(total_plan_time + total_exec_time) FILTER (WHERE query ~ 'WITH RECURSIVE walk_|WITH first AS|WITH oldest AS')
       / sum(total_plan_time + total_exec_time)
FROM pg_stat_statements JOIN pg_database ON oid = dbid WHERE datname = current_database()
"""
_DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@dataclass(frozen=True, slots=True)
class _Run:
    rate: float  # mails per second
    cores: float  # that Varsel's processes used
    claims: float  # their share of the database's time


def run() -> list[Figure]:
    """Let one worker and eight workers send one order, and then single orders, in turns."""
    runs: dict[tuple[str, int], list[_Run]] = {}
    failures = 0.0
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(*OPTIONS, hasty=False))
        for number in range(ROUNDS):
            for workers in alternated(WORKERS, number):
                url = postgres.database()
                for kind, measured in _measure(folder / f"{number}-{workers}", url, workers):
                    runs.setdefault((kind, workers), []).append(measured)
                failures += told(url, _DEADLOCKS)
        failures += sum(line.startswith(FAILURES) for line in postgres.log().splitlines())
    figures = [figure for kind in (ONE, SINGLE) for figure in _figures(kind, runs)]
    return [*figures, Figure("workers", "serialization failures and deadlocks", failures, most=1)]


def _figures(kind: str, runs: Mapping[tuple[str, int], Sequence[_Run]]) -> Iterator[Figure]:
    rates = {workers: [run.rate for run in runs[kind, workers]] for workers in WORKERS}
    for workers in WORKERS:
        yield Figure("workers", f"{kind}: by {workers}", median(rates[workers]), "mails/s")
    yield Figure("workers", f"{kind}: by {MANY} / by {FEW}", ratio(rates[MANY], rates[FEW]), least=LEAST)
    yield Figure("workers", f"{kind}: cores that all processes used", median(run.cores for run in runs[kind, MANY]))
    claims = median(run.claims for run in runs[kind, MANY])
    yield Figure("workers", f"{kind}: claims in the database's time", claims, most=MOST)


def _measure(folder: Path, url: str, workers: int) -> Iterator[tuple[str, _Run]]:
    tell(url, "CREATE EXTENSION pg_stat_statements")
    with Stamps(folder / "relay", DELAY) as relay, Varsel(folder / "varsel", url, relay.url, workers=workers) as varsel:
        for kind, per_order in ((ONE, MAILS * workers), (SINGLE, 1)):
            run = _run(varsel, relay, MAILS * workers, per_order)
            told = f"{run.rate:.0f} mails/s, {run.cores:.2f} cores, claims {run.claims:.2f}"
            say(f"workers, {kind} by {workers}: {told}")
            yield kind, run


def _run(varsel: Varsel, relay: Stamps, mails: int, per_order: int) -> _Run:
    """Let so many mails wait, and the workers begin."""
    before, url = len(relay.arrived()), varsel.database_url
    to = [f"mottaker{number}@{per_order}.example.no" for number in range(mails)]
    orders = [posts.html_order(first, to[first : first + per_order]) for first in range(0, mails, per_order)]
    with held_back(url):
        posts.post_all(varsel.port, posts.wire(orders, varsel.tokens[:CREATORS]), connections=CONNECTIONS)
        tell(url, "SELECT pg_stat_statements_reset()")
    began, cpu = time.monotonic(), varsel.cpu()
    wait_until(lambda: len(relay.arrived()) >= before + mails, "the last mail", WITHIN)
    cores = (varsel.cpu() - cpu) / (time.monotonic() - began)
    times = sorted(relay.arrived().values())[before:]
    first, last = (int(mails * part) for part in MIDDLE)
    return _Run((last - first) / (times[last] - times[first]), cores, told(url, _CLAIMS))


@contextmanager
def held_back(url: str) -> Iterator[None]:
    """Let orders wait until the end of the block; PostgreSQL then knows its tables, as soon anyway."""
    store = Store(url)
    with store.write() as connection:
        pause(connection, WHO, "lane", "orders")
    yield
    tell(url, "ANALYZE")
    with store.write() as connection:
        resume(connection, WHO, "lane", "orders")
    store.close()


def tell(url: str, statement: LiteralString) -> None:
    """Run a statement in a transaction of its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def told(url: str, question: LiteralString) -> float:
    """The number that the database answers; 0 for none."""
    with psycopg.connect(url) as connection:
        return float(connection.execute(question).fetchall()[0][0] or 0)
