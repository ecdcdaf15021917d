"""The console: how long its pages take at ten million e-mails and as many events, of which many are due."""

from __future__ import annotations

import http.client
import os
import re
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from bench import archive
from bench.figures import Figure, median, say
from bench.processes import Sink, cpu_of, wait_until
from bench.varsel import Varsel
from engine.admin import kept
from engine.admin.rates import SPANS
from engine.db.store import Store
from engine.db.tables import aftermaths, lane_counts
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAILS = 10_000_000
_QUARTER = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 >> 20  # of the memory, in MB
SETTINGS = (f"shared_buffers={_QUARTER}MB", "max_wal_size=4GB")  # PostgreSQL's, as docs/operating.md has them
ROUNDS = 7  # of each page
BOUND = 100.0  # milliseconds, of the median
SHARED = 1.1  # seconds for which readers of the overview share a reading
BETWEEN = "/console/jobs"  # read meanwhile
DEEP = 20  # pages before one that counts as deep

LISTS: dict[str, list[dict[str, str]]] = {
    "orders": [
        {},
        {"state": "waiting"},
        {"state": "Completed"},
        {"state": "SetAside"},
        {"creator": "org6"},
        {"creator": "rare"},
        {"reference": "reference-77"},
        {"recipient": "person77@example.no"},
        {"since": "1h"},
        {"until": "29d"},
        {"creator": "org6", "state": "Cancelled", "since": "10d"},
    ],
    "emails": [
        {},
        {"state": "failed"},
        {"state": "Failed_TTL"},
        {"state": "Failed_PayloadTooLarge"},
        {"state": "waiting"},
        {"state": "retrying"},
        {"state": "held"},
        {"state": "Sending"},
        {"state": "Succeeded"},
        {"state": "Delivered"},
        {"recipient": "person4711@example11.no"},
        {"recipient": "nobody@example.no"},
        {"recipient": "@example7.no"},
        {"recipient": "@rare.example"},
        {"recipient": "person4711"},
        {"creator": "org6"},
        {"creator": "rare"},
        {"reference": "reference-77"},
        {"since": "1h"},
        {"until": "29d"},
        {"error": "5xx"},
        {"error": "4xx"},
        {"error": "in_doubt"},
        {"state": "failed", "creator": "rare"},
        {"state": "failed", "error": "4xx", "since": "20d"},
        {"state": "failed", "recipient": "@example7.no", "until": "15d"},
        {"state": "failed", "failure": "100000000001", "failed": "1h"},
        {"state": "failed", "failure": "100000000007", "failed": "1h"},
        {"state": "Succeeded", "failure": "100000000001", "failed": "1h"},
        {"state": "failed", "ended": "15d", "upto": "14d"},
        {"state": "Succeeded", "ended": "15d", "upto": "14d"},
    ],
    "events": [
        {},
        {"type": "changed"},
        {"type": "app.rare"},
        {"type": "none"},
        {"source": "app7"},
        {"resource": "urn:altinn:resource:app_ttd_app7"},
        {"subject": "/party/4711"},
        {"id": "event-4711"},
        {"since": "1h"},
        {"until": "29d"},
        {"resource": "urn:altinn:resource:app_ttd_app7", "type": "app.rare", "until": "10d"},
    ],
    "subscriptions": [{}, {"endpoint": "receiver77"}, {"state": "paused"}],
    "deliveries": [
        {},
        {"state": "Dead"},
        {"state": "Waiting"},
        {"state": "retrying"},
        {"state": "Unauthorized"},
        {"subscription": "7"},
        {"subscription": "7", "state": "Dead"},
        {"error": "5xx"},
        {"since": "1h"},
        {"until": "29d"},
    ],
    "jobs": [{}],
    "audit": [{}, {"who": "anna"}],
}


OLDER = {"until": "1d"}  # what is made now stands in no page of before
OF_LARGE = ("waiting", "failed", "Succeeded", "Failed", "Failed_Bounced", "due", "held", "later", "Delivered")
# What somebody may have in hand: {order}, {email} and {chain} are whole identifiers.
SCRAPS = (
    "{order}",
    "{email}",
    "{chain}",
    "{order:.9}",
    "{email:.15}",
    "{order:.5}",
    "{chain:.13}",
    "<{email}@varsel.example>",
    "<{email:.20}",
    "reference-77",
    "reference",
    "to all",
    "key-999999",
    "person4711@example11.no",
    "person4711@",
    "person4711",
    "person",
    "@example7.no",
    "example7.no",
    "@rare.example",
    "@nobody.example",
    "10000004711",
    "900004711",
    "4Xk4711",
    "event-4711",
    "event-",
    "/party/4711",
    "4711",
    "7",
    "/org/ttd",
    "nothing at all",
    "c0ffee12",
    "nobody@example.no",
)
# What is asked before something is done.
QUESTIONS = (
    "/console/pause?kind=lane&value=emails",
    "/console/pause?kind=lane&value=webhooks",
    "/console/pause?kind=creator&value=large",
    "/console/pause?kind=creator&value=org6",
    "/console/pause?kind=creator&value=nobody",
    "/console/pause?kind=domain&value=example7.no",
    "/console/pause?kind=domain&value=nobody.example",
    "/console/resume?kind=domain&value=example0.no",
    "/console/subscriptions/10/resume",
    "/console/drain",
    "/console/emails/all/retry?failed=1h&failure=100000000001&state=failed",
)


def run() -> list[Figure]:
    """Make the archive in each database, and read every page of it."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        sink = parts.enter_context(Sink(folder / "sink"))
        with Postgres(*SETTINGS, hasty=False) as postgres:
            url = postgres.database()
            archive.make(url, MAILS, busy=True)
            found = measured("PostgreSQL", url, folder / "postgresql", sink.url, lambda: cpu_of(postgres.pid))
        url = f"sqlite:///{folder}/archive.db"
        archive.make(url, MAILS, busy=True)
        return found + measured("SQLite", url, folder / "sqlite", sink.url)


def measured(database: str, url: str, folder: Path, relay: str, cpu: Callable[[], float] = lambda: 0.0) -> list[Figure]:
    """The pages of a database that is filled; `cpu`: seconds that its own processes have taken so far."""
    with Varsel(folder, url, relay, workers=0, scheduler=True) as varsel:
        with closing(Store(url)) as store:
            wait_until(lambda: _has_looked(store), "the scheduler, to look at what it keeps for all pages")
        return pages(varsel.port, database, lambda: varsel.cpu() + cpu())


def _has_looked(store: Store) -> bool:
    with store.read() as connection:
        ages = [kept.age(connection, table.c.at) for table in (aftermaths, lane_counts)]
        return all(age is not None and age < kept.NEW for age in ages)


def pages(port: int, database: str, cpu: Callable[[], float]) -> list[Figure]:
    """The median of every page, the slowest of each kind as a figure; `cpu`: seconds so far, of all processes."""
    reader = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    slowest: dict[str, tuple[float, str]] = {}
    costs: dict[str, float] = {}
    slow = 0
    for kind, path in _pages(reader):
        times, costs[path] = [], 0.0
        for _ in range(ROUNDS):
            if kind == "overview":
                _let_pass(reader, SHARED)
            before = cpu()
            times.append(_timed(reader, path))
            costs[path] += 1000 * (cpu() - before) / ROUNDS
        took = median(times)
        slow += took >= BOUND
        say(f"console {database}: {took:6.1f} ms, {costs[path]:5.1f} ms of CPU: {path}")
        slowest[kind] = max(slowest.get(kind, (0.0, "")), (took, path))
    reader.close()
    found: list[Figure] = []
    for kind, (took, path) in slowest.items():
        name = f"{database}, {kind}, slowest: {path.removeprefix('/console/')[:60]}"
        found += [
            Figure("console", name, took, "ms", most=BOUND),
            Figure("console", f"{database}, {kind}: CPU of it", costs[path], "ms"),
        ]
    return [*found, Figure("console", f"{database}, pages of {len(costs)} that take longer", slow, most=1)]


def _pages(reader: http.client.HTTPConnection) -> Iterator[tuple[str, str]]:
    yield "overview", "/console/overview"
    for span in SPANS:
        yield "rates", f"/console/rates?span={span}"
    for resource, filters in LISTS.items():
        for given in filters:
            yield resource, f"/console/{resource}?{urlencode(given)}"
        yield f"{resource}, page {DEEP}", _deep(reader, f"/console/{resource}")
    known = {"chains": _chain(reader)}
    for resource in ("orders", "emails", "events", "subscriptions", "deliveries"):
        where = "" if resource == "subscriptions" else f"?{urlencode(OLDER)}"
        known[resource] = _some(reader, f"/console/{resource}{where}", resource)[0]
        yield "one of a kind", f"/console/{resource}/{known[resource]}"
    large = _some(reader, "/console/orders?creator=large", "orders")[0]
    yield "one of a kind", f"/console/orders/{large}"
    for given in ({}, *({"state": state} for state in OF_LARGE)):
        yield "an order's e-mails", f"/console/emails?{urlencode({'order': large} | given)}"
    for scrap in SCRAPS:
        text = scrap.format(order=known["orders"], email=known["emails"], chain=known["chains"])
        yield "find", f"/console/find?q={quote(text)}"
    for path in (*QUESTIONS, f"/console/orders/{large}/withdraw"):
        yield "questions", path


def _some(reader: http.client.HTTPConnection, path: str, resource: str) -> list[str]:
    """The identifiers of a list's rows."""
    found: list[str] = re.findall(rf'"/console/{resource}/([0-9][0-9a-f-]*)"', _read(reader, path))
    return found


def _chain(reader: http.client.HTTPConnection) -> str:
    """The identifier of a chain: one in ten orders is in one."""
    pages = (_read(reader, f"/console/orders/{order}") for order in _some(reader, "/console/orders", "orders"))
    return next(found[1] for text in pages if (found := re.search(r"<dt>Chain</dt><dd><code>([^<]+)<", text)))


def _deep(reader: http.client.HTTPConnection, path: str) -> str:
    for _ in range(DEEP):
        found = re.findall(r'rel="next" href="([^"]+)"', _read(reader, path))
        if not found:
            break
        path = found[0].replace("&amp;", "&")
    return path


def _let_pass(reader: http.client.HTTPConnection, seconds: float) -> None:
    """Read another page meanwhile: some machines put aside what a sleeping process has in memory."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _read(reader, BETWEEN)


def _timed(reader: http.client.HTTPConnection, path: str) -> float:
    """Milliseconds until the page is there."""
    started = time.perf_counter()
    _read(reader, path)
    return (time.perf_counter() - started) * 1000


def _read(reader: http.client.HTTPConnection, path: str) -> str:
    reader.request("GET", path)
    answer = reader.getresponse()
    body = answer.read().decode()
    if answer.status not in (200, 303):
        raise RuntimeError(f"{path}: {answer.status}")
    return body
