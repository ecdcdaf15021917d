"""Latency: the time from POST to the relay when the installation is idle, and how exactly a send time is met."""

from __future__ import annotations

import random
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from bench import posts
from bench.figures import Figure, alternated, median, percentile, ratio, say
from bench.processes import Stamps, wait_until
from bench.varsel import Varsel
from engine.db.store import Store
from engine.db.tables import orders
from engine.models import DeliveryGuarantee, OrderState, new_id
from tests.servers.postgres import Postgres

SAMPLES = 50  # orders posted to an idle installation
PAUSE = (0.3, 0.5)  # seconds between them, so that the workers are idle
SPREAD_ORDERS = 200
SPREAD = timedelta(seconds=10)
AHEAD = timedelta(seconds=2)  # the first of them is posted before it is due
WAITING = {"1,000 waiting": 1_000, "100,000 waiting": 100_000}  # orders due far in the future
FAR = timedelta(days=30)
ROUNDS = 3


def run() -> list[Figure]:
    """Measure idle latency on both databases; then send times with few and with many orders waiting, in turns."""
    figures = []
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        for name, url in (("SQLite", ""), ("PostgreSQL", parts.enter_context(Postgres(hasty=False)).database())):
            waits = _idle(folder / name, url)
            say(f"latency {name}: POST to relay {1000 * median(waits):.0f} ms, worst {1000 * max(waits):.0f} ms")
            figures.append(Figure("latency", f"{name}: idle, POST to relay", 1000 * median(waits), "ms", most=60))
        for count in WAITING.values():
            _fill(folder / str(count), count)
        errors: dict[str, list[list[float]]] = {name: [] for name in WAITING}
        for number in range(ROUNDS):
            for name in alternated(list(WAITING), number):
                late = _spread(folder / str(WAITING[name]), number)
                errors[name].append(late)
                say(f"latency {name}: {1000 * median(late):.0f} ms late, p99 {1000 * percentile(late, 0.99):.0f} ms")
    p99 = {name: [percentile(late, 0.99) for late in rounds] for name, rounds in errors.items()}
    for name, rounds in errors.items():
        middle = median(late for each in rounds for late in each)
        figures.append(Figure("latency", f"{name}: send-time error, median", 1000 * middle, "ms"))
        figures.append(Figure("latency", f"{name}: send-time error, p99", 1000 * median(p99[name]), "ms", most=300))
    few, many = p99.values()
    figures.append(Figure("latency", "p99 with 100,000 / with 1,000 waiting", ratio(many, few), most=1.2))
    return figures


def _idle(folder: Path, url: str) -> list[float]:
    """Seconds from POST to the relay, one order at a time, at random intervals."""
    waits = []
    with Stamps(folder / "relay") as sink, Varsel(folder, url, sink.url, workers=2) as varsel:
        client = posts.Client(varsel.port, varsel.tokens[0])
        for number in range(SAMPLES + 2):
            time.sleep(random.uniform(*PAUSE))  # noqa: S311 random, so that it does not follow the clock's ticks
            address = f"ledig{number}@example.no"
            started = time.time()
            client.post(posts.html_order(number, [address]))
            wait_until(lambda: address in sink.arrived(), address, every=0.001)  # noqa: B023 called at once
            waits.append(sink.arrived()[address] - started)
    return waits[2:]  # the first ones open connections


def _spread(folder: Path, number: int) -> list[float]:
    """Seconds from the requested send time to the relay, for orders that become due one after another."""
    with Stamps(folder / "relay") as sink, Varsel(folder, "", sink.url, workers=2) as varsel:
        first = datetime.now(UTC) + AHEAD
        due = {
            f"runde{number}-{index}@example.no": first + SPREAD * random.random()  # noqa: S311 no secret
            for index in range(SPREAD_ORDERS)
        }
        client = posts.Client(varsel.port, varsel.tokens[0])
        for address, at in due.items():
            client.post(posts.html_order(7, [address], requestedSendTime=at.isoformat()))
        wait_until(lambda: sink.arrived().keys() >= due.keys(), "all mails in the sink", every=0.05)
        arrived = sink.arrived()
    return [arrived[address] - at.timestamp() for address, at in due.items()]


def _fill(folder: Path, count: int) -> None:
    """Make a database with so many orders that are due far ahead."""
    with Varsel(folder, "", "smtp://127.0.0.1:9", workers=0):
        pass
    store = Store(f"sqlite:///{folder}/varsel.db")
    now = datetime.now(UTC)
    for start in range(0, count, 1_000):
        with store.write() as connection:
            connection.execute(insert(orders), [_waiting(now, start + index) for index in range(min(1_000, count))])
    with store.read() as connection:
        stored = connection.execute(select(func.count()).select_from(orders)).scalar_one()
    store.close()
    say(f"latency: {stored:,} orders wait for next month")


def _waiting(now: datetime, number: int) -> dict[str, Any]:
    when = now + FAR + timedelta(seconds=number)
    return {
        "id": new_id(now),
        "creator": "ttd",
        "created": now,
        "requested_send_time": when,
        "due_at": when,
        "last_update": now,
        "state": OrderState.REGISTERED,
        "sender": "noreply@example.no",
        "subject": f"Vedtak i sak {number}",
        "body": posts.html(number),
        "content_type": "Html",
        "guarantee": DeliveryGuarantee.AT_LEAST_ONCE,
        "recipients": f'[{{"emailAddress":"siden{number}@example.no"}}]',
    }
