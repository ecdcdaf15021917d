"""Events: taken in, pushed to their subscribers, and both with a million stored, or one subscriber that hangs."""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import psycopg
from sqlalchemy import func, select

from bench import posts
from bench.figures import Figure, alternated, median, percentile, ratio, say
from bench.processes import WITHIN, Program, Receiver, free_port, listens, wait_until
from bench.varsel import Varsel
from bench.wrk import FRESH, write_script, wrk
from engine.db.store import Store
from engine.db.tables import events
from engine.events.fan_out import subject_key
from engine.events.storing import persist
from engine.webhooks.pusher import AT_ONCE
from tests.servers.postgres import Postgres
from tests.servers.rows import add_subscription

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from engine.models import CloudEvent

ROUNDS = 3
SECONDS = 2  # per run of wrk
BATCH = 100  # events
PUSHED = 1_000  # events of a round of fan-out
SUBSCRIBERS = 20  # each gets all of them
WARM_UP = 20  # events that open connections before the clock starts
CONNECTIONS = 32  # that post these events
PEER_POSTS = 1_000  # its rate does not depend on how many come
PEERS = {f"httpx, {count} at once": count for count in (SUBSCRIBERS * AT_ONCE, 10)}  # as many as ours; its best
SAMPLES = 50  # events posted to an idle installation
PAUSE = (0.15, 0.25)  # seconds between two of them; the two databases take turns
STORED, EMPTY = 1_000_000, 300  # events
SUBSCRIPTIONS = 10_000
RESOURCES = 500
PARTIES = 500
GROUP = 5_000  # events that are stored in one transaction
BEGINNING, STEP = datetime(2026, 1, 1, tzinfo=UTC), timedelta(seconds=2)  # the stored events' times
PAGE = 50  # events, when no size is asked for
PAGES, TURNS = 25, 10  # asked of an installation at a time, and how often
QUERIES = {
    "by resource": (posts.EVENTS_PATH, ("resource", "after")),
    "by app": (f"{posts.APP_PATH}/ttd/apps-test", ("from",)),
}
CROWD = 50  # subscribers, of whom one hangs
CROWD_SAMPLES = 30  # events that each of them gets
DATABASES = ("SQLite", "PostgreSQL")
NOWHERE = "smtp://127.0.0.1:9"


def run() -> list[Figure]:
    """One question after another, each on both databases."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        questions = (_publish, _push, _scale, _hanging)
        return [figure for ask in questions for figure in ask(folder / ask.__name__, postgres)]


def _installations(
    parts: ExitStack, folder: Path, postgres: Postgres, *, workers: int, suffixes: Sequence[str] = ("",)
) -> dict[str, Varsel]:
    """Running installations on each database, one for every suffix of their names."""
    found = {}
    for suffix in suffixes:
        for database in DATABASES:
            url = postgres.database() if database == "PostgreSQL" else ""
            name = database + suffix
            place = folder / name.replace(" ", "-").replace(",", "")
            found[name] = parts.enter_context(Varsel(place, url, NOWHERE, workers=workers))
    return found


# How many events a second are taken in.


def _publish(folder: Path, postgres: Postgres) -> list[Figure]:
    """Wrk on the constant and on both databases in turns: one event a request; then a batch."""
    with ExitStack() as parts:
        systems = _installations(parts, folder, postgres, workers=0)
        port = free_port()
        parts.enter_context(Program("constant", [sys.executable, "-m", "bench.peer_web", str(port)]))
        wait_until(lambda: listens(port), "the constant's server")
        ports = {"constant": port} | {name: varsel.port for name, varsel in systems.items()}
        rates: dict[str, list[float]] = {name: [] for name in ports}
        batches: dict[str, list[float]] = {name: [] for name in systems}
        cpu: dict[str, list[float]] = {name: [] for name in systems}
        stored = dict.fromkeys(systems, 0)
        for number in range(ROUNDS):
            for name in alternated(list(ports), number):
                varsel = systems.get(name)
                before = varsel.program("web").cpu() if varsel else 0.0
                headers = (varsel or systems["SQLite"]).app_headers
                rate, answered = _load(folder, ports[name], headers, [posts.app_event()])
                rates[name].append(rate)
                say(f"events {name}: {rate:,.0f} answers/s")
                if varsel:
                    cpu[name].append((varsel.program("web").cpu() - before) / answered)
                    stored[name] += answered
            for name in alternated(list(systems), number):
                rate, answered = _load_batches(folder, systems[name])
                batches[name].append(rate * BATCH)
                stored[name] += answered * BATCH
                say(f"events {name}: {rate * BATCH:,.0f} events/s in batches")
        for name, varsel in systems.items():
            _check_stored(name, varsel, stored[name])
    figures = [Figure("events", "constant answers", median(rates["constant"]), "/s")]
    for name in systems:
        figures += [
            Figure("events", f"{name}: durable 201s", median(rates[name]), "/s"),
            Figure("events", f"{name}: web process, CPU per event", 1000 * median(cpu[name]), "ms"),
            Figure("events", f"{name} / constant", ratio(rates[name], rates["constant"]), least=0.30),
            Figure(
                "events",
                f"{name}: in batches of {BATCH}",
                median(batches[name]),
                "events/s",
                least=10_000 if name == "SQLite" else None,
            ),
        ]
    return figures


def _load(folder: Path, port: int, headers: Mapping[str, str], bodies: Sequence[str]) -> tuple[float, int]:
    script = folder / "app.lua"
    write_script(script, [{"Content-Type": "application/json", **headers}], bodies)
    return wrk(f"http://127.0.0.1:{port}{posts.APP_PATH}", script, SECONDS)


def _load_batches(folder: Path, varsel: Varsel) -> tuple[float, int]:
    script = folder / "batch.lua"
    now = datetime.now(UTC)
    batch = [json.loads(posts.stored_event(n, "/party/50019855", now).text) for n in range(BATCH)]
    body = json.dumps([event | {"id": f"{FRESH}-{n}", "resource": _resource(1)} for n, event in enumerate(batch)])
    write_script(script, [{"Content-Type": "application/cloudevents-batch+json", **varsel.app_headers}], [body])
    return wrk(f"http://127.0.0.1:{varsel.port}{posts.EVENTS_PATH}", script, SECONDS)


def _check_stored(name: str, varsel: Varsel, answered: int) -> None:
    """Every event that was answered is a row; RuntimeError where one is missing."""
    store = Store(varsel.database_url)
    with store.read() as connection:
        stored = connection.execute(select(func.count()).select_from(events)).scalar_one()
    store.close()
    if stored < answered:
        raise RuntimeError(f"{name}: {stored} events are stored of {answered} that were answered")


# How fast they reach their subscribers.


def _push(folder: Path, postgres: Postgres) -> list[Figure]:
    """Many events for many subscribers, beside bare httpx; then one event at a time for one."""
    with ExitStack() as parts:
        systems = _installations(parts, folder, postgres, workers=2)
        receivers = {name: parts.enter_context(Receiver()) for name in systems}
        for name, varsel in systems.items():
            paths = [f"/{number}" for number in range(SUBSCRIBERS)]
            _subscribe(varsel, receivers[name], "/party/1", paths)
            _subscribe(varsel, receivers[name], "/party/2", ["/idle"])
            _push_all(varsel, receivers[name], WARM_UP)
        rates: dict[str, list[float]] = {name: [] for name in (*systems, *PEERS)}
        for number in range(ROUNDS):
            for name in alternated(list(rates), number):
                rate = _push_all(systems[name], receivers[name], PUSHED) if name in systems else _peer(PEERS[name])
                rates[name].append(rate)
                say(f"events {name}: {rate:,.0f} requests/s")
        waits = _idle(systems, receivers)
    figures = [Figure("events", f"fan-out, {name}", median(each), "requests/s") for name, each in rates.items()]
    figures += [
        Figure("events", f"fan-out, {name} / {peer}", ratio(rates[name], rates[peer]), least=0.5)
        for name in systems
        for peer in PEERS
    ]
    for name, times in waits.items():
        say(f"events {name}: POST to webhook {1000 * median(times):.0f} ms, worst {1000 * max(times):.0f} ms")
        figures.append(Figure("events", f"{name}: idle, POST to webhook", 1000 * median(times), "ms", most=80))
    return figures


def _subscribe(varsel: Varsel, receiver: Receiver, subject: str, paths: Sequence[str]) -> None:
    """Validated subscribers of the app's events about a subject, one for each path."""
    store = Store(varsel.database_url)
    with store.write() as connection:
        for path in paths:
            add_subscription(connection, receiver.url + path, subject=subject_key(subject))
    store.close()


def _push_all(varsel: Varsel, receiver: Receiver, count: int) -> float:
    """Post events, each with a request of its own; requests per second from the first POST to the last webhook."""
    request = posts.request(
        posts.APP_PATH, {"Content-Type": "application/json", **varsel.app_headers}, posts.app_event(1)
    )
    (before, _), started = receiver.count(), time.time()
    posts.post_all(varsel.port, [request] * count, connections=CONNECTIONS)
    expected = count * SUBSCRIBERS
    ended = receiver.wait_for(before + expected, WITHIN)
    time.sleep(0.5)  # the last outcomes are recorded; whatever is pushed twice comes
    if (came := receiver.count()[0] - before) != expected:
        raise RuntimeError(f"{came} requests came, not {expected}")
    return expected / (ended - started)


def _peer(at_once: int) -> float:
    with Receiver() as receiver:
        command = [sys.executable, "-m", "bench.peer_posts", receiver.url, str(PEER_POSTS), str(at_once)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=WITHIN)
        count, last = receiver.count()
        if count != PEER_POSTS:
            raise RuntimeError(f"{count} requests came, not {PEER_POSTS}")
        return PEER_POSTS / (last - float(done.stdout))


def _idle(systems: Mapping[str, Varsel], receivers: Mapping[str, Receiver]) -> dict[str, list[float]]:
    """Seconds from POST to webhook, one event at a time, at no fixed rhythm."""
    posted = _post_slowly(systems, party=2, samples=SAMPLES + 2)
    waits = {}
    for name, times in posted.items():
        arrived = receivers[name].arrivals()["/idle"]
        waits[name] = [at - since for since, at in zip(times, arrived, strict=True)][2:]  # the first open connections
    return waits


def _post_slowly(systems: Mapping[str, Varsel], party: int, samples: int) -> dict[str, list[float]]:
    """Post events about a party, to each installation in turn; returns when (Unix time) each was posted."""
    posted: dict[str, list[float]] = {name: [] for name in systems}
    clients = {name: _Client(varsel) for name, varsel in systems.items()}
    for number in range(samples):
        for name in alternated(list(systems), number):
            time.sleep(random.uniform(*PAUSE))  # noqa: S311 so that it falls in step with no tick
            posted[name].append(time.time())
            clients[name].ask("POST", posts.APP_PATH, posts.app_event(party))
    time.sleep(1)
    return posted


# Whether it matters how much is stored.


def _scale(folder: Path, postgres: Postgres) -> list[Figure]:
    """Publish to, and query, a full installation of each database and an empty one in turns."""
    with ExitStack() as parts:
        systems = _installations(parts, folder, postgres, workers=0, suffixes=(", empty", ", full"))
        full = [name for name in systems if name.endswith("full")]
        counts = {name: STORED if name in full else EMPTY * RESOURCES for name in systems}
        with ProcessPoolExecutor(len(DATABASES)) as pool:
            for filled in [
                pool.submit(_fill, name, varsel.database_url, range(0, counts[name], 1 if name in full else RESOURCES))
                for name, varsel in systems.items()
            ]:
                filled.result()
        clients = {name: _Client(varsel) for name, varsel in systems.items()}
        bodies = [posts.app_event(party) for party in range(PARTIES)]
        rates: dict[str, list[float]] = {name: [] for name in systems}
        waits: dict[str, dict[str, list[float]]] = {what: {name: [] for name in systems} for what in QUERIES}
        for number in range(TURNS):
            for what, asked in waits.items():
                for name in alternated(list(systems), number):
                    asked[name] += [_query(clients[name], what, counts[name]) for _ in range(PAGES)]
        for number in range(ROUNDS):
            for name in alternated(list(systems), number):
                rates[name].append(_load(folder, systems[name].port, systems[name].app_headers, bodies)[0])
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
    """Store the events of these numbers and, where these are all, the subscriptions."""
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
    if store.dialect.name == "postgresql":  # what it would do by itself within minutes
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")
    store.close()


def _resource(number: int) -> str:
    """Where an event belongs: the app that is published to and queried is one of many."""
    place = number % RESOURCES
    return f"urn:altinn:resource:app_ttd_app{place}" if place else posts.APP_RESOURCE


def _event(number: int) -> CloudEvent:
    party = number // RESOURCES % PARTIES
    return posts.stored_event(number, f"/party/{party}", BEGINNING + number * STEP, _resource(number))


def _add_bystander(connection: Connection, number: int) -> None:
    """A subscription that hears of nothing that is published here, except one per resource, of one party."""
    place = number // RESOURCES
    types = ("app.instance.*",) if place == 1 else (f"no.other.type{number}", "app.process.*")
    subject = subject_key(f"/party/{place}") if place % 2 else ""
    add_subscription(connection, "http://127.0.0.1:9/", subject=subject, types=types, resource_filter=_resource(number))


def _query(client: _Client, what: str, count: int) -> float:
    """Seconds for a page of the app's events behind a random one of the first `count`."""
    seen = random.randrange(0, count - (PAGE + 1) * RESOURCES, RESOURCES)  # noqa: S311 no secret
    event = _event(seen)
    path, asked = QUERIES[what]
    given = {"resource": posts.APP_RESOURCE, "after": event.id, "from": (BEGINNING + seen * STEP).isoformat()}
    took, page = client.ask("GET", f"{path}?{urlencode({name: given[name] for name in asked})}")
    if len(json.loads(page)) != PAGE:
        raise RuntimeError(f"{what}: a page has {len(json.loads(page))} events")
    return took


# Whether a subscriber that hangs delays the others.


def _hanging(folder: Path, postgres: Postgres) -> list[Figure]:
    """One event at a time for a crowd of subscribers, with and without one that never answers."""
    with ExitStack() as parts:
        systems = _installations(parts, folder, postgres, workers=2, suffixes=(", all answer", ", one hangs"))
        receivers = {name: parts.enter_context(Receiver()) for name in systems}
        paths = [f"/{number}" for number in range(1, CROWD)]
        for name, varsel in systems.items():
            _subscribe(varsel, receivers[name], "/party/1", [*paths, "/hang" if "hangs" in name else "/last"])
        posted = _post_slowly(systems, 1, CROWD_SAMPLES + 2)
        arrivals = {name: receiver.arrivals() for name, receiver in receivers.items()}
    waits: dict[str, list[float]] = {name: [] for name in systems}
    for name, times in posted.items():
        for path in paths:
            came = [at - since for since, at in zip(times, arrivals[name][path], strict=True)]
            waits[name] += came[2:]  # the first open connections
    figures = []
    for database in DATABASES:
        calm, hanging = waits[f"{database}, all answer"], waits[f"{database}, one hangs"]
        for what, of in (("median", median), ("p95", lambda each: percentile(each, 0.95))):
            say(f"events {database}: {what} {1000 * of(calm):.0f} ms, {1000 * of(hanging):.0f} ms where one hangs")
            title = f"{database}: POST to {CROWD - 1} webhooks, {what}"
            figures.append(Figure("events", title, 1000 * of(calm), "ms"))
            figures.append(Figure("events", f"{title}, one hangs / all answer", of(hanging) / of(calm), most=1.3))
    return figures


class _Client:
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
