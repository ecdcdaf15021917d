"""Orders with reminders: how fast they are taken in, and how long a page of the feed takes when many have ended."""

from __future__ import annotations

import json
import random
import tempfile
import time
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.chain_answers import Entry, Words
from bench import posts
from bench.figures import Figure, alternated, median, say
from bench.varsel import Varsel
from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.orders import shipments
from engine.resources import status_resource
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 3
CHAINS = 2_000  # posted in a round, each with two reminders; and three times as many orders
CONNECTIONS = 32
PATH = "/notifications/api/v1/future/orders"
ENDED = 1_000_000  # orders in the feed
STEP = 100_000  # rows of a statement
PAGES = 25
LATER = "2099-01-01T00:00:00Z"
IDS = {"sqlite": "printf('%032x', i)", "postgresql": "lpad(to_hex(i), 32, '0')::uuid"}
SERIES = {
    "sqlite": "WITH RECURSIVE s(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM s WHERE i < :last)",
    "postgresql": "WITH s AS (SELECT i FROM generate_series(:first, :last) i)",
}
FILLING = (
    """INSERT INTO orders (seq, id, creator, created, requested_send_time, last_update, state, claim, unresolved,
      attempts, sender, subject, body, content_type, guarantee, recipients)
      {series} SELECT i, {id}, 'org1', i, i, i, 'Completed', 1, 0, 0, 'noreply@varsel.example', 'Hei', 'Hei!', 'Plain',
      'AtLeastOnce', '[{{"emailAddress":"person' || i || '@example.no"}}]' FROM s""",
    """INSERT INTO emails (seq, id, order_seq, expires_at, last_update, state, claim, unresolved, attempts, address)
      {series} SELECT i, {id}, i, i, i, 'Succeeded', 1, 0, 1, 'person' || i || '@example.no' FROM s""",
    """INSERT INTO events (seq, id, source, type, subject, resource, time, registered, text)
      {series} SELECT i, {id} || '-completed', 'urn:varsel:orders', 'no.varsel.order.completed', '/orders/' || {id},
      '{resource}', i, i, '{{}}' FROM s""",
)


def run() -> list[Figure]:
    """Post chains and orders in turns, then read pages from a feed of a million entries; on both databases."""
    figures = []
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        for name, url in (("SQLite", ""), ("PostgreSQL", postgres.database())):
            with Varsel(folder / name, url, "smtp://127.0.0.1:9", workers=0) as varsel:
                figures.append(_posting(name, varsel))
        for name, url in (("SQLite", f"sqlite:///{folder}/feed.db"), ("PostgreSQL", postgres.database())):
            figures.append(_reading(name, url))
    return figures


def _posting(name: str, varsel: Varsel) -> Figure:
    """How many chains are taken in, to how many times three orders."""
    rates: dict[str, list[float]] = {"chains": [], "orders": []}
    for number in range(ROUNDS):
        for what in alternated(list(rates), number):
            requests = list(_chains(varsel, number) if what == "chains" else _orders(varsel))
            began = time.perf_counter()
            posts.post_all(varsel.port, requests, connections=CONNECTIONS)
            rates[what].append(CHAINS / (time.perf_counter() - began))
            say(f"chains {name}: {rates[what][-1]:,.0f} {'chains' if what == 'chains' else 'times three orders'}/s")
    ratio = median(rates["chains"]) / median(rates["orders"])
    return Figure("chains", f"{name}: a chain of three / three orders", ratio, least=0.5)


def _chains(varsel: Varsel, number: int) -> Iterator[bytes]:
    settings = {"subject": posts.SMALL["subject"], "body": posts.SMALL["body"]}
    to = {"recipientEmail": {"emailAddress": "kari.nordmann@example.no", "emailSettings": settings}}
    reminders = [{"delayDays": days, "recipient": to} for days in (3, 7)]
    for place, token in zip(range(CHAINS), cycle(varsel.tokens)):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        named = {"idempotencyId": f"{number}-{place}", "requestedSendTime": LATER}
        yield posts.request(PATH, headers, json.dumps(named | {"recipient": to, "reminders": reminders}))


def _orders(varsel: Varsel) -> Iterator[bytes]:
    return posts.wire([posts.SMALL | {"requestedSendTime": LATER}] * (3 * CHAINS), varsel.tokens)


def _reading(name: str, url: str) -> Figure:
    """How long a full page takes, from a random place."""
    store = Store(url)
    upgrade(store)
    dialect = store.dialect.name
    filled = {"series": SERIES[dialect], "id": IDS[dialect], "resource": status_resource("org1")}
    for statement in FILLING:
        for first in range(1, ENDED, STEP):
            with store.write() as connection:
                connection.execute(text(statement.format(**filled)), {"first": first, "last": first + STEP - 1})
        say(f"chains {name}: {ENDED:,} rows of {statement.split()[2]}")
    with store.write() as connection:
        connection.execute(text("ANALYZE"))
    chance, took = random.Random(1), []  # noqa: S311 no secret
    for _ in range(PAGES):
        began = time.perf_counter()
        with store.read() as connection:
            found = shipments.feed(connection, "org1", chance.randrange(ENDED - 500), 500, newest_first=False)
        page = [Entry.of(entry, Words(reports=False)).json_text() for entry in found]
        took.append(time.perf_counter() - began)
        if len(page) != shipments.MOST:
            raise RuntimeError(f"a page has {len(page)} entries")
    store.close()
    return Figure("chains", f"{name}: a page of 500 of {ENDED:,} entries", 1000 * median(took), "ms", most=50)
