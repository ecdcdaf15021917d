"""The console: how long its pages take at ten million e-mails and as many events, and what it costs delivery."""

from __future__ import annotations

import http.client
import re
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from bench import archive
from bench.figures import Figure, median, say
from bench.processes import Sink
from bench.varsel import Varsel
from engine.admin.rates import SPANS
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

MAILS = 10_000_000
ROUNDS = 7  # of each page
BOUND = 100.0  # milliseconds, of the median
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


def run() -> list[Figure]:
    """Make the archive, and read every page of it."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        url = parts.enter_context(Postgres(hasty=False)).database()
        archive.make(url, MAILS)
        sink = parts.enter_context(Sink(folder / "sink"))
        varsel = parts.enter_context(Varsel(folder / "varsel", url, sink.url, workers=0))
        return pages(varsel.port)


def pages(port: int) -> list[Figure]:
    """The median of every page, the slowest of each kind as a figure."""
    reader = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    slowest: dict[str, tuple[float, str]] = {}
    slow = count = 0
    for kind, path in _pages(reader):
        took = median(_timed(reader, path, rest=1.0 if kind == "overview" else 0.0) for _ in range(ROUNDS))
        count += 1
        slow += took >= BOUND
        say(f"console: {took:6.1f} ms {path}")
        slowest[kind] = max(slowest.get(kind, (0.0, "")), (took, path))
    reader.close()
    found = [
        Figure("console", f"{kind}, slowest: {path.removeprefix('/console/')[:60]}", took, "ms", most=BOUND)
        for kind, (took, path) in slowest.items()
    ]
    return [*found, Figure("console", f"pages of {count} that take longer", slow, most=1)]


def _pages(reader: http.client.HTTPConnection) -> Iterator[tuple[str, str]]:
    yield "overview", "/console/overview"
    for span in SPANS:
        yield "rates", f"/console/rates?span={span}"
    for resource, filters in LISTS.items():
        for given in filters:
            yield resource, f"/console/{resource}?{urlencode(given)}"
        yield f"{resource}, page {DEEP}", _deep(reader, f"/console/{resource}")
    for resource in ("orders", "emails", "events", "subscriptions", "deliveries"):
        page = _read(reader, f"/console/{resource}")
        yield "details", re.findall(rf'"(/console/{resource}/[0-9][0-9a-f-]*)"', page)[0]


def _deep(reader: http.client.HTTPConnection, path: str) -> str:
    for _ in range(DEEP):
        found = re.findall(r'rel="next" href="([^"]+)"', _read(reader, path))
        if not found:
            break
        path = found[0].replace("&amp;", "&")
    return path


def _timed(reader: http.client.HTTPConnection, path: str, rest: float) -> float:
    """Milliseconds until the page is there; `rest`: seconds to wait first, so that no earlier reading is reused."""
    time.sleep(rest)
    started = time.perf_counter()
    _read(reader, path)
    return (time.perf_counter() - started) * 1000


def _read(reader: http.client.HTTPConnection, path: str) -> str:
    reader.request("GET", path)
    answer = reader.getresponse()
    body = answer.read().decode()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return body
