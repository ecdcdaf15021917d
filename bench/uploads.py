"""Uploads: how fast recipients that follow their order are taken in, and how the first of a million are sent."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import posts
from bench.figures import Figure, median, ratio, say
from bench.processes import Sink
from bench.varsel import Varsel
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECIPIENTS = 1_000_000
ORDER, SMALL = 10_000, 30_000  # recipients of orders and of uploads whose delivery is compared
ROUNDS = 3  # of these, in turns
SENT = 20_000  # mails of the million that are waited for
WITHIN = 180.0  # seconds, for these
LARGEST = 250.0  # megabytes of any process
EVERY = 0.2  # seconds between two looks at the memory
API = "/notifications/api/v1"


def run() -> list[Figure]:
    """Upload to an installation on each database."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        small, large = (_file(folder, count) for count in (SMALL, RECIPIENTS))
        postgres = parts.enter_context(Postgres(hasty=False))
        figures = []
        for name, url in (("SQLite", ""), ("PostgreSQL", postgres.database())):
            place = folder / name
            with Sink(place / "sink") as sink, Varsel(place / "varsel", url, sink.url, workers=2) as varsel:
                figures += [*_delivery(name, varsel, sink, small), *_intake(name, varsel, sink, large)]
        return figures


def _file(folder: Path, count: int) -> Path:
    file = folder / f"{count}.ndjson"
    with file.open("w") as lines:
        for number in range(count):
            lines.write(f'{{"emailAddress":"mottaker{number}@example.no","values":{{"name":"Kari {number}"}}}}\n')
    return file


def _intake(name: str, varsel: Varsel, sink: Sink, file: Path) -> list[Figure]:
    """Take a million in, and send the first of them."""
    web, largest = varsel.program("web"), dict[str, float]()
    with _watched(varsel, largest):
        cpu, began = web.cpu(), time.monotonic()
        its, taken = _upload(varsel, file)
        rate, cpu = RECIPIENTS / (time.monotonic() - began), (web.cpu() - cpu) / RECIPIENTS
        if taken["valid"] != RECIPIENTS:
            raise RuntimeError(f"{taken['valid']} recipients were taken")
        before, closed = sink.count(), time.monotonic()
        _ask(varsel, "PUT", f"{its}/close")
        first = sink.wait_for(before + 1, WITHIN) - closed
        sink.wait_for(before + SENT, WITHIN)
    say(f"uploads {name}: {rate:,.0f} recipients/s, {1e6 * cpu:.1f} us each, first mail after {first:.2f} s, {largest}")
    return [
        Figure("uploads", f"{name}: taken in", rate, "recipients/s", least=50_000),
        Figure("uploads", f"{name}: CPU of web per recipient", 1e6 * cpu, "us"),
        Figure("uploads", f"{name}: first mail after closing", first, "s", most=1.0),
        Figure("uploads", f"{name}: largest process", max(largest.values()), "MB", most=LARGEST),
    ]


def _delivery(name: str, varsel: Varsel, sink: Sink, file: Path) -> list[Figure]:
    """Send orders and uploads in turns."""
    addresses = [f"mottaker{number}@example.no" for number in range(ORDER)]
    whole, followed = list[tuple[float, float]](), list[tuple[float, float]]()
    for number in range(ROUNDS):
        order = json.dumps(posts.html_order(number, addresses))
        whole.append(_sent(varsel, sink, ORDER, partial(_ask, varsel, "POST", f"{API}/orders/email", order)))
        its, _ = _upload(varsel, file)
        followed.append(_sent(varsel, sink, SMALL, partial(_ask, varsel, "PUT", f"{its}/close")))
    (rates, cpus), (its_rates, its_cpus) = zip(*whole, strict=True), zip(*followed, strict=True)
    say(f"uploads {name}: {median(its_rates):,.0f} mails/s, {1000 * median(its_cpus):.2f} ms each")
    return [
        Figure("uploads", f"{name}: mails/s / of an order to {ORDER:,}", ratio(its_rates, rates), least=0.9),
        Figure("uploads", f"{name}: CPU per mail / of an order to {ORDER:,}", ratio(its_cpus, cpus), most=1.1),
    ]


def _sent(varsel: Varsel, sink: Sink, count: int, begin: Callable[[], object]) -> tuple[float, float]:
    """The mails per second of an order that is begun, and the CPU time of each."""
    before, cpu, began = sink.count(), varsel.cpu(), time.monotonic()
    begin()
    ended = sink.wait_for(before + count, WITHIN)
    time.sleep(0.5)  # the last outcomes are recorded
    return count / (ended - began), (varsel.cpu() - cpu) / count


def _upload(varsel: Varsel, file: Path) -> tuple[str, dict[str, Any]]:
    """Open an order and send its recipients; returns its path, and the answer."""
    opened = json.dumps(posts.html_order(1, []) | {"recipientsFollow": True})
    its = f"{API}/orders/{_ask(varsel, 'POST', f'{API}/orders/email', opened)['orderId']}"
    with file.open("rb") as body:
        return its, _ask(varsel, "POST", f"{its}/recipients", body, file.stat().st_size)


def _ask(varsel: Varsel, method: str, path: str, body: Any = None, length: int | None = None) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", varsel.port, timeout=WITHIN, blocksize=1 << 20)
    media = "application/x-ndjson" if length else "application/json"
    headers = {"Authorization": f"Bearer {varsel.tokens[0]}", "Content-Type": media}
    connection.request(method, path, body, headers | ({"Content-Length": str(length)} if length else {}))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status >= http.client.BAD_REQUEST:
        raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
    found: dict[str, Any] = json.loads(text)
    return found


@contextmanager
def _watched(varsel: Varsel, largest: dict[str, float]) -> Iterator[None]:
    """Note how large each process becomes in the block, in megabytes."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            for program in varsel.programs:
                if program.name != "redis":
                    largest[program.name] = max(largest.get(program.name, 0.0), program.memory() / 1e6)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
