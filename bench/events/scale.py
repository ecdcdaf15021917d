"""Whether the number of stored events matters."""

from __future__ import annotations

import json
import random
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import psycopg

from bench import posts
from bench.events.parts import DATABASES, RESOURCES, ROUNDS, Client, installations, load, resource
from bench.figures import Figure, alternated, median, ratio, say
from engine.db.store import Store
from engine.events.fan_out import subject_key
from engine.events.storing import persist
from tests.helpers.rows import add_subscription

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from engine.models import CloudEvent
    from tests.servers.postgres import Postgres

STORED, EMPTY = 1_000_000, 300  # events
SUBSCRIPTIONS = 10_000
PARTIES = 500
GROUP = 5_000  # events that are stored in one transaction
BEGINNING, STEP = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=2)  # the stored events' times
PAGE = 50  # events, when no size is asked for
PAGES, TURNS = 25, 10  # asked of an installation at a time, and how often
QUERIES = {
    "by resource": (posts.EVENTS_PATH, ("resource", "after")),
    "by app": (f"{posts.APP_PATH}/ttd/apps-test", ("from",)),
}


def ask(folder: Path, postgres: Postgres) -> list[Figure]:
    """Publish to, and query, a full installation of each database and an empty one in turns."""
    with ExitStack() as parts:
        systems = installations(parts, folder, postgres, workers=0, suffixes=(", empty", ", full"))
        full = [name for name in systems if name.endswith("full")]
        counts = {name: STORED if name in full else EMPTY * RESOURCES for name in systems}
        with ProcessPoolExecutor(len(DATABASES)) as pool:
            for filled in [
                pool.submit(_fill, name, varsel.database_url, range(0, counts[name], 1 if name in full else RESOURCES))
                for name, varsel in systems.items()
            ]:
                filled.result()
        clients = {name: Client(varsel) for name, varsel in systems.items()}
        bodies = [posts.app_event(party) for party in range(PARTIES)]
        rates: dict[str, list[float]] = {name: [] for name in systems}
        waits: dict[str, dict[str, list[float]]] = {what: {name: [] for name in systems} for what in QUERIES}
        for number in range(TURNS):
            for what, asked in waits.items():
                for name in alternated(list(systems), number):
                    asked[name] += [_query(clients[name], what, counts[name]) for _ in range(PAGES)]
        for number in range(ROUNDS):
            for name in alternated(list(systems), number):
                rates[name].append(load(folder, systems[name].port, systems[name].app_headers, bodies)[0])
                say(f"events {name}: {rates[name][-1]:,.0f} answers/s")
    figures = []
    for database in DATABASES:
        few, many = f"{database}, empty", f"{database}, full"
        figures.append(
            Figure("events", f"{database}: durable 201s, empty / full", ratio(rates[few], rates[many]), most=1.3)
        )
        for what, asked in waits.items():
            slower = median(asked[many]) / median(asked[few])
            figures.append(Figure("events", f"{many}: a page {what}", 1000 * median(asked[many]), "ms"))
            figures.append(Figure("events", f"{database}: a page {what}, full / empty", slower, most=1.3))
    return figures


def _fill(name: str, url: str, numbers: range) -> None:
    """Store the events with these numbers and, if they are STORED, the subscriptions."""
    store = Store(url)
    for start in range(0, len(numbers), GROUP):
        with store.write() as connection:
            persist(connection, [_event(number) for number in numbers[start : start + GROUP]])
        if (start + GROUP) % 200_000 == 0:
            say(f"events {name}: {start + GROUP:,} are stored")
    if len(numbers) == STORED:
        with store.write() as connection:
            for number in range(SUBSCRIPTIONS):
                _add_bystander(connection, number)
    if store.dialect.name == "postgresql":  # as it does by itself within minutes
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
    store.close()


def _event(number: int) -> CloudEvent:
    party = number // RESOURCES % PARTIES
    return posts.stored_event(number, f"/party/{party}", BEGINNING + number * STEP, resource(number))


def _add_bystander(connection: Connection, number: int) -> None:
    """A subscription that hears of nothing that is published here, except one per resource, of one party."""
    place = number // RESOURCES
    types = ("app.instance.*",) if place == 1 else (f"no.other.type{number}", "app.process.*")
    subject = subject_key(f"/party/{place}") if place % 2 else ""
    add_subscription(connection, "http://127.0.0.1:9/", subject=subject, types=types, resource_filter=resource(number))


def _query(client: Client, what: str, count: int) -> float:
    """Seconds for a page of the app's events behind a random one of the first `count`."""
    seen = random.randrange(0, count - (PAGE + 1) * RESOURCES, RESOURCES)  # noqa: S311 no secret
    event = _event(seen)
    path, asked = QUERIES[what]
    given = {"resource": posts.APP_RESOURCE, "after": event.id, "from": (BEGINNING + seen * STEP).isoformat()}
    took, page = client.ask("GET", f"{path}?{urlencode({name: given[name] for name in asked})}")
    if len(json.loads(page)) != PAGE:
        raise RuntimeError(f"{what}: a page has {len(json.loads(page))} events")
    return took
