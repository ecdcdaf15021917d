"""The cost of operators who watch: delivery with ten live pages of the console open, relative to none.

A page is read as a browser reads it: one event stream, whose content is dropped. Drawing would happen on the browser's
machine.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench import posts
from bench.figures import Figure, alternated, median, ratio, say
from bench.processes import Sink
from bench.varsel import Varsel

if TYPE_CHECKING:
    from collections.abc import Iterator

READERS = 10
MAILS = 10_000  # the most of one order
WARM_UP = 500
ROUNDS = 7
WITHIN = 120.0  # seconds for one run
LEAST = 0.95
PAGES = {"overview": "/console/overview", "failed e-mails": "/console/emails?state=failed"}
_REQUEST = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"


def run() -> list[Figure]:
    """Send one order of MAILS e-mails at a time on SQLite, with and without readers in turns."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        sink = parts.enter_context(Sink(folder / "sink"))
        varsel = parts.enter_context(Varsel(folder / "varsel", "", sink.url, workers=2))
        _deliver(varsel, sink, WARM_UP)
        rates: dict[str, list[float]] = {name: [] for name in ("nobody", *PAGES)}
        for number in range(ROUNDS):
            for name in alternated(list(rates), number):
                with _read(varsel.port, PAGES.get(name)):
                    rates[name].append(_deliver(varsel, sink, MAILS))
                say(f"watching: {rates[name][-1]:,.0f} mails/s while {name} is watched")
    found = [Figure("watching", name, median(several), "mails/s") for name, several in rates.items()]
    for name in PAGES:
        share = ratio(rates[name], rates["nobody"])
        found.append(Figure("watching", f"{READERS} x {name} / nobody", share, least=LEAST))
    return found


def _deliver(varsel: Varsel, sink: Sink, mails: int) -> float:
    """Mails per second."""
    order = posts.html_order(mails, [f"mottaker{number}@example.no" for number in range(mails)])
    before, started = sink.count(), time.monotonic()
    posts.post_all(varsel.port, posts.wire([order], varsel.tokens), connections=1)
    return mails / (sink.wait_for(before + mails, WITHIN) - started)


@contextmanager
def _read(port: int, path: str | None) -> Iterator[None]:
    """READERS of the page while the block runs; None: nobody."""
    if path is None:
        yield
        return
    loop = asyncio.new_event_loop()
    readers = [loop.create_task(_reader(port, path)) for _ in range(READERS)]
    thread = threading.Thread(target=loop.run_until_complete, args=(asyncio.wait(readers),))
    thread.start()
    try:
        yield
    finally:
        for reader in readers:
            loop.call_soon_threadsafe(reader.cancel)
        thread.join()
        loop.close()


async def _reader(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_REQUEST.format(path).encode())
    first = await reader.readline()
    if b" 200 " not in first:
        raise RuntimeError(f"{path}: {first.decode()}")
    while await reader.read(1 << 16):
        pass
