"""Shared by the questions about events: installations on both databases, subscribers, publishers and readers."""

from __future__ import annotations

import http.client
import random
import time
from typing import TYPE_CHECKING

from bench import posts
from bench.figures import alternated
from bench.varsel import Varsel
from bench.wrk import write_script, wrk
from engine.db.store import Store
from engine.events.fan_out import subject_key
from tests.helpers.rows import add_subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from bench.processes import Receiver
    from tests.servers.postgres import Postgres

ROUNDS = 3
SECONDS = 2  # per run of wrk
RESOURCES = 500
PAUSE = (0.15, 0.25)  # seconds between two events that are posted slowly; the two databases take turns
DATABASES = ("SQLite", "PostgreSQL")
NOWHERE = "smtp://127.0.0.1:9"


def installations(
    parts: ExitStack, folder: Path, postgres: Postgres, *, workers: int, suffixes: Sequence[str] = ("",)
) -> dict[str, Varsel]:
    """Running installations on each database, one for each suffix of their names."""
    found = {}
    for suffix in suffixes:
        for database in DATABASES:
            url = postgres.database() if database == "PostgreSQL" else ""
            name = database + suffix
            place = folder / name.replace(" ", "-").replace(",", "")
            found[name] = parts.enter_context(Varsel(place, url, NOWHERE, workers=workers))
    return found


def load(folder: Path, port: int, headers: Mapping[str, str], bodies: Sequence[str]) -> tuple[float, int]:
    """Post these bodies in turns with wrk; returns the answers per second, and their number."""
    script = folder / "app.lua"
    write_script(script, [{"Content-Type": "application/json", **headers}], bodies)
    return wrk(f"http://127.0.0.1:{port}{posts.APP_PATH}", script, SECONDS)


def resource(number: int) -> str:
    """The resource of an event: the app that is published to and queried is one of many."""
    place = number % RESOURCES
    return f"urn:altinn:resource:app_ttd_app{place}" if place else posts.APP_RESOURCE


def subscribe(varsel: Varsel, receiver: Receiver, subject: str, paths: Sequence[str]) -> None:
    """Validated subscribers of the app's events about a subject, one for each path."""
    store = Store(varsel.database_url)
    with store.write() as connection:
        for path in paths:
            add_subscription(connection, receiver.url + path, subject=subject_key(subject))
    store.close()


def post_slowly(systems: Mapping[str, Varsel], party: int, samples: int) -> dict[str, list[float]]:
    """Post events about a party, to each installation in turn; returns when (Unix time) each was posted."""
    posted: dict[str, list[float]] = {name: [] for name in systems}
    clients = {name: Client(varsel) for name, varsel in systems.items()}
    for number in range(samples):
        for name in alternated(list(systems), number):
            time.sleep(random.uniform(*PAUSE))  # noqa: S311 random, so that it does not follow the clock's ticks
            posted[name].append(time.time())
            clients[name].ask("POST", posts.APP_PATH, posts.app_event(party))
    time.sleep(1)
    return posted


class Client:
    """Asks one thing after another over one connection."""

    def __init__(self, varsel: Varsel) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", varsel.port, timeout=30)
        self._headers = varsel.app_headers

    def ask(self, method: str, path: str, body: str | None = None) -> tuple[float, bytes]:
        """How long the answer took, in seconds, and its body; RuntimeError when it is not 2xx."""
        headers = self._headers | ({"Content-Type": "application/json"} if body else {})
        started = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - started
        if answer.status // 100 != 2:
            raise RuntimeError(f"{method} {path} was answered with {answer.status} {content!r}")
        return took, content
