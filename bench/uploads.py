"""Uploads: how fast recipients that follow their order are taken in, and how the first of a million are sent."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import posts
from bench.figures import Figure, say
from bench.processes import Sink
from bench.varsel import Varsel
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPIENTS = 1_000_000
ORDER = 10_000  # recipients of the order that the delivery is compared with
SETTLED, SENT = 10_000, 40_000  # mails of the million that are waited for, and those behind them that are measured
WITHIN = 180.0  # seconds, for these
LARGEST = 250.0  # megabytes of any process
EVERY = 0.2  # seconds between two looks at the memory
API = "/notifications/api/v1"


def run() -> list[Figure]:
    """Upload to an installation on each database."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        file = folder / "recipients.ndjson"
        with file.open("w") as lines:
            for number in range(RECIPIENTS):
                lines.write(f'{{"emailAddress":"mottaker{number}@example.no","values":{{"name":"Kari {number}"}}}}\n')
        postgres = parts.enter_context(Postgres(hasty=False))
        figures = []
        for name, url in (("SQLite", ""), ("PostgreSQL", postgres.database())):
            place = folder / name
            with Sink(place / "sink") as sink, Varsel(place / "varsel", url, sink.url, workers=2) as varsel:
                figures += _figures(name, varsel, sink, file)
        return figures


def _figures(name: str, varsel: Varsel, sink: Sink, file: Path) -> list[Figure]:
    web, largest = varsel.program("web"), dict[str, float]()
    order = _delivered(varsel, sink)
    with _watched(varsel, largest):
        opened = posts.html_order(1, []) | {"recipientsFollow": True}
        its = f"{API}/orders/{_ask(varsel, 'POST', f'{API}/orders/email', json.dumps(opened))['orderId']}"
        cpu, began = web.cpu(), time.monotonic()
        with file.open("rb") as body:
            taken = _ask(varsel, "POST", f"{its}/recipients", body, file.stat().st_size)
        rate, cpu = RECIPIENTS / (time.monotonic() - began), (web.cpu() - cpu) / RECIPIENTS
        if taken["valid"] != RECIPIENTS:
            raise RuntimeError(f"{taken['valid']} recipients were taken")
        say(f"uploads {name}: {rate:,.0f} recipients/s, CPU {1e6 * cpu:.1f} us per recipient")
        before, closed = sink.count(), time.monotonic()
        _ask(varsel, "PUT", f"{its}/close")
        first = sink.wait_for(before + 1, WITHIN)
        whole = _sent(varsel, sink, before + SETTLED, SENT)
    say(f"uploads {name}: first mail after {first - closed:.2f} s, {whole[0]:,.0f} mails/s, {largest}")
    return [
        Figure("uploads", f"{name}: taken in", rate, "recipients/s", least=50_000),
        Figure("uploads", f"{name}: CPU of web per recipient", 1e6 * cpu, "us"),
        Figure("uploads", f"{name}: first mail after closing", first - closed, "s", most=1.0),
        Figure("uploads", f"{name}: mails/s / one order of {ORDER:,}", whole[0] / order[0], least=0.9),
        Figure("uploads", f"{name}: CPU per mail / likewise", whole[1] / order[1], most=1.1),
        Figure("uploads", f"{name}: largest process", max(largest.values()), "MB", most=LARGEST),
    ]


def _sent(varsel: Varsel, sink: Sink, start: int, count: int) -> tuple[float, float]:
    """Mails per second from the mail `start` on, when as many are made as leave; and the CPU time of each."""
    began = sink.wait_for(start, WITHIN)
    cpu = varsel.cpu()
    ended = sink.wait_for(start + count, WITHIN)
    return count / (ended - began), (varsel.cpu() - cpu) / count


def _delivered(varsel: Varsel, sink: Sink) -> tuple[float, float]:
    """An order of ORDER recipients: its mails per second, and the CPU time of each."""
    addresses = [f"mottaker{number}@example.no" for number in range(ORDER)]
    for number in (0, 1):  # the first one fills caches
        before, cpu, began = sink.count(), varsel.cpu(), time.monotonic()
        _ask(varsel, "POST", f"{API}/orders/email", json.dumps(posts.html_order(number, addresses)))
        ended = sink.wait_for(before + ORDER, WITHIN)
        time.sleep(0.5)  # the last outcomes are recorded
    return ORDER / (ended - began), (varsel.cpu() - cpu) / ORDER


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
