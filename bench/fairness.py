"""Fairness: how soon an instant order's mail leaves while a large backlog is due, and how creators share the relay."""

from __future__ import annotations

import math
import random
import tempfile
import time
from bisect import bisect
from contextlib import ExitStack, suppress
from pathlib import Path

from bench import posts
from bench.backlog import PER_ORDER, Backlog, domain
from bench.figures import Figure, median, percentile, say
from bench.processes import Stamps, wait_until
from bench.varsel import Varsel
from tests.servers.postgres import Postgres

MAILS = 1_000_000  # of the large creator's, due before all others; must outlast the measurement
SMALL_MAILS = MAILS // 100  # of each small creator's
LARGE, *SMALL, INSTANT = range(4)  # creators
SAMPLES = 100  # instant orders
PAUSE = (0.15, 0.35)  # seconds between them
WITHIN = 10.0  # seconds after the last of them, for its mail to arrive
WATCHED = 15.0  # seconds; the small creators have mails left for about six when all share alike
WINDOW, STEP = 2.0, 0.1  # seconds
BEFORE = 0.5  # seconds for what was claimed before the small creators came
NEARLY = 0.95  # of a creator's mails: those behind may be claimed already, so that nothing of its backlog is left
THIRD, TOLERANCE = 1 / 3, 0.1


def run() -> list[Figure]:
    """Fill an installation on each database, and post instant orders; then two small creators come."""
    figures = []
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        for name, url in (("SQLite", ""), ("PostgreSQL", postgres.database())):
            figures += _measure(name, folder / name, url)
    return figures


def _measure(name: str, folder: Path, url: str) -> list[Figure]:
    with (
        Stamps(folder / "relay") as relay,
        Varsel(folder / "varsel", url, relay.url, workers=2) as varsel,
        Backlog(varsel) as backlog,
    ):
        backlog.post(LARGE, MAILS // PER_ORDER)
        for creator in SMALL:
            backlog.post(creator, 1)
        backlog.copy(LARGE, PER_ORDER)
        say(f"fairness {name}: {MAILS:,} mails are due")
        backlog.release()
        wait_until(relay.arrived, "the first mail")
        waits = _instant(varsel, relay)
        missing = waits.count(math.inf)
        say(f"fairness {name}: {missing} of {SAMPLES} instant mails had not arrived; {_left(relay):,} are left")
        for creator in SMALL:
            backlog.copy(creator, SMALL_MAILS)
        shares = _shares(relay)
        say(f"fairness {name}: shares from {min(shares):.2f} to {max(shares):.2f}; {_left(relay):,} are left")
    smallest, largest = THIRD * (1 - TOLERANCE), THIRD * (1 + TOLERANCE)
    what = f"of a creator's in any {WINDOW:.0f} s"
    return [
        Figure("fairness", f"{name}: instant order, POST to relay, median", 1000 * median(waits), "ms", most=60),
        Figure("fairness", f"{name}: the same, p99", 1000 * percentile(waits, 0.99), "ms", most=300),
        Figure("fairness", f"{name}: instant orders of {SAMPLES} whose mail did not arrive", missing, most=1),
        Figure("fairness", f"{name}: smallest share {what}", min(shares), least=smallest),
        Figure("fairness", f"{name}: largest share {what}", max(shares), most=largest),
    ]


def _instant(varsel: Varsel, relay: Stamps) -> list[float]:
    """Seconds from the POST of each order to the relay's 250; infinite when it did not come in time."""
    client = posts.Client(varsel.port, varsel.tokens[INSTANT])
    posted: dict[str, float] = {}
    for number in range(SAMPLES):
        time.sleep(random.uniform(*PAUSE))  # noqa: S311 random, so that it does not follow the clock's ticks
        address = f"instant{number}@{domain(INSTANT)}"
        posted[address] = time.time()
        client.post(posts.html_order(number, [address], priority="Instant"))  # ignored where orders have none
    with suppress(TimeoutError):
        wait_until(lambda: all(address in relay.arrived() for address in posted), "the last one's mail", WITHIN)
    arrived = relay.arrived()
    return [arrived.get(address, math.inf) - since for address, since in posted.items()]


def _shares(relay: Stamps) -> list[float]:
    """Each creator's share of the mails of each window, as long as all three have mails left."""
    began = time.time() + BEFORE
    time.sleep(WATCHED)
    times = {creator: _times(relay, creator) for creator in (LARGE, *SMALL)}
    ends = [times[creator][int(SMALL_MAILS * NEARLY) :] for creator in SMALL]
    end = min([began - BEFORE + WATCHED, *(each[0] for each in ends if each)])
    shares: list[float] = []
    for number in range(int((end - began - WINDOW) / STEP) + 1):
        start = began + number * STEP
        counts = [bisect(each, start + WINDOW) - bisect(each, start) for each in times.values()]
        shares += [count / sum(counts) for count in counts if any(counts)]
    return shares


def _times(relay: Stamps, creator: int) -> list[float]:
    """When the mails of a creator arrived."""
    ours = "@" + domain(creator)
    return sorted(at for address, at in relay.arrived().items() if address.endswith(ours))


def _left(relay: Stamps) -> int:
    """Mails of the large creator's that wait."""
    return MAILS - len(_times(relay, LARGE))
