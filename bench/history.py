"""History: what ten million stored e-mails, attempts and events cost intake, delivery, publishing and pruning.

A PostgreSQL has two installations: a full one, and one that has nothing stored. They do the same in turns, each after a
checkpoint. CPU time is that of the database's processes: what waits for rows and indexes is its work, not Varsel's.
"""

from __future__ import annotations

import random
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import create_engine, select, text

from bench import archive, posts, stored
from bench.figures import Figure, alternated, median, ratio, say
from bench.processes import Sink, cpu_of
from bench.varsel import Varsel
from engine.db.dialects import now
from engine.db.retention import Reached, prune_some
from engine.db.store import Store
from engine.db.tables import orders
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAILS = 10_000_000
ROUNDS = 5
COUNT = 5_000  # orders, e-mails of one order, or events of a turn
PRUNED = 50_000  # e-mails of a turn, with what belongs to them
ROWS = PRUNED * 3 + PRUNED // stored.PER_ORDER * 2  # e-mails, attempts, events; orders, deliveries
CONNECTIONS = 32
WITHIN = 180.0  # seconds for a turn
FULL, EMPTY = "full", "empty"
SYSTEMS = (EMPTY, FULL)
MOST, LEAST = 1.10, 0.9  # of what it costs, and of the rate, when nothing is stored


@dataclass(frozen=True, slots=True)
class _Turn:
    rate: float  # a second
    database: float  # seconds of CPU for each, of the database's processes


def run() -> list[Figure]:
    """Fill one installation; let both do everything in turns."""
    turns: dict[str, dict[str, list[_Turn]]] = {}
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        folder.chmod(0o755)
        postgres = parts.enter_context(Postgres(hasty=False))
        systems = {name: parts.enter_context(_Installation(name, folder / name, postgres)) for name in SYSTEMS}
        for number in range(ROUNDS):
            for what, act in WORK.items():
                for name in alternated(SYSTEMS, number):
                    turn = act(systems[name])
                    turns.setdefault(what, {}).setdefault(name, []).append(turn)
                    cost = f"{1e6 * turn.database:.0f} us of the database's CPU each"
                    say(f"history {name}: {what}: {turn.rate:,.0f}/s, {cost}")
    return [figure for what, both in turns.items() for figure in _figures(what, both)]


def _figures(what: str, both: dict[str, list[_Turn]]) -> Sequence[Figure]:
    full, empty = both[FULL], both[EMPTY]
    rates = ratio([turn.rate for turn in full], [turn.rate for turn in empty])
    costs = ratio([turn.database for turn in full], [turn.database for turn in empty])
    return [
        Figure("history", f"{what}, full", median(turn.rate for turn in full), "/s"),
        Figure("history", f"{what}: rate, full / empty", rates, least=LEAST),
        Figure("history", f"{what}: the database's CPU, full", 1e6 * median(turn.database for turn in full), "us"),
        Figure("history", f"{what}: the database's CPU, full / empty", costs, most=MOST),
    ]


class _Installation:
    """Varsel with two workers, its relay, and its database."""

    def __init__(self, name: str, folder: Path, postgres: Postgres) -> None:
        self._name = name
        self._folder = folder
        self._postgres = postgres
        self._pruned = 0  # the last e-mail that was removed

    def __enter__(self) -> Self:
        with ExitStack() as starting:
            self._url = self._postgres.database()
            if self._name == FULL:
                archive.make(self._url, MAILS)
            with archive.filling(self._url) as connection:
                archive.number_from(connection, 2 * MAILS)
            self._store = Store(self._url)
            starting.callback(self._store.close)
            self._sink = starting.enter_context(Sink(self._folder / "sink"))
            self._varsel = starting.enter_context(Varsel(self._folder / "varsel", self._url, self._sink.url, workers=2))
            self._running = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def intake(self) -> _Turn:
        """Take in orders that are due much later."""
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        return self._measured(COUNT, self._poster([_order(later) for _ in range(COUNT)]))

    def one_order(self) -> _Turn:
        """Deliver one order to many."""
        return self._delivered([posts.html_order(0, [_address() for _ in range(COUNT)])])

    def single_orders(self) -> _Turn:
        """Take in and deliver many orders."""
        return self._delivered([posts.html_order(number, [_address()]) for number in range(COUNT)])

    def publishing(self) -> _Turn:
        """Publish events of an app."""
        headers = {**self._varsel.app_headers, "Content-Type": "application/json"}
        parties = [random.randrange(500_000) for _ in range(COUNT)]  # noqa: S311 no secret
        requests = [posts.request(posts.APP_PATH, headers, posts.app_event(party)) for party in parties]
        return self._measured(COUNT, partial(posts.post_all, self._varsel.port, requests, connections=CONNECTIONS))

    def pruning(self) -> _Turn:
        """Remove the oldest rows."""
        return self._measured(ROWS, self._pruner())

    def one_order_beside(self) -> _Turn:
        """Deliver one order to many while the oldest rows are removed."""
        pruning = threading.Thread(target=self._pruner())
        pruning.start()
        turn = self.one_order()
        if not pruning.is_alive():
            say("history: pruning ended before the delivery")
        pruning.join()
        return turn

    def _poster(self, given: Sequence[dict[str, Any]]) -> Callable[[], object]:
        requests = list(posts.wire(given, self._varsel.tokens))
        return partial(posts.post_all, self._varsel.port, requests, connections=CONNECTIONS)

    def _delivered(self, given: Sequence[dict[str, Any]]) -> _Turn:
        post, before = self._poster(given), self._sink.count()
        return self._measured(COUNT, lambda: (post(), self._sink.wait_for(before + COUNT, WITHIN)))

    def _measured(self, count: int, act: Callable[[], object]) -> _Turn:
        """Do what is done to so many rows."""
        engine = create_engine(self._store.engine.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CHECKPOINT"))
        engine.dispose()
        before, started = cpu_of(self._postgres.pid), time.monotonic()
        act()
        took = time.monotonic() - started
        time.sleep(1)  # the last outcomes are recorded: their CPU time counts
        return _Turn(count / took, (cpu_of(self._postgres.pid) - before) / count)

    def _pruner(self) -> Callable[[], None]:
        """What removes the next of the oldest rows; who has none of them gets the same ones before."""
        first, self._pruned = self._pruned + 1, self._pruned + PRUNED
        if self._name == EMPTY:
            with archive.filling(self._url) as connection:
                archive.fill(connection, first, self._pruned, MAILS)
                connection.execute(text("VACUUM ANALYZE"))
        newest = select(orders.c.last_update).where(orders.c.seq == self._pruned // stored.PER_ORDER)
        with self._store.read() as connection:
            kept: timedelta = now(connection) - connection.execute(newest).scalar_one()
        return partial(self._prune, kept)

    def _prune(self, kept: timedelta) -> None:
        more, reached = True, Reached()
        while more:
            with self._store.write() as connection:
                more = prune_some(connection, kept, reached)


def _order(later: str) -> dict[str, Any]:
    reference = f"sak-{random.getrandbits(64):x}"
    members = {"sendersReference": reference, "requestedSendTime": later}
    return posts.SMALL | members | {"recipients": [{"emailAddress": _address()}]}


def _address() -> str:
    """One of those who had mail before, as most have: see bench/archive.py."""
    person = random.randrange(3_000_000)  # noqa: S311 no secret
    return f"person{person}@example{person % 100}.no"


WORK: dict[str, Callable[[_Installation], _Turn]] = {
    "intake": _Installation.intake,
    "one order": _Installation.one_order,
    "single orders, POSTs included": _Installation.single_orders,
    "publishing": _Installation.publishing,
    "pruning": _Installation.pruning,
    "one order while pruning": _Installation.one_order_beside,
}
