"""A storm of SIGKILLs: each second a random process of an installation is killed while orders come in."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.figures import Figure, say
from bench.processes import wait_until
from tests.servers.installation import API, ORDERING, chain, composed, instant, order
from tests.servers.postgres import Postgres
from tests.servers.site import Site, addresses

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.helpers.counting import Count

MAILS = 3_000
CLIENTS = 4
KILLED = ("web", "worker 1", "worker 2", "scheduler", "redis")
EVERY = 1.0  # seconds
LEASE = 3  # seconds: rows of a killed worker are due again soon
AGAIN = 0.1  # seconds until an order that was not answered is posted again
WITHIN = 600.0  # seconds for everything to settle


def run() -> list[Figure]:
    """The storm on each database; what was accepted must arrive."""
    figures = []
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        for name, url in (("SQLite", ""), ("PostgreSQL", postgres.database())):
            (folder / name).mkdir()
            with Site(folder / name, lease=LEASE, worker_processes=2, database_url=url) as site:
                figures += _measure(name, site)
    return figures


def _measure(name: str, site: Site) -> list[Figure]:
    to = addresses(MAILS, "storm")
    over = threading.Event()
    killed: list[str] = []
    storm = threading.Thread(target=_kill, args=(site, over, killed))
    posters = [threading.Thread(target=_post, args=(site, to[number::CLIENTS])) for number in range(CLIENTS)]
    for thread in (storm, *posters):
        thread.start()
    for thread in posters:
        thread.join()
    over.set()
    storm.join()
    wait_until(site.ledger.settled, "the last e-mail", WITHIN)
    counted = site.count(to)
    say(f"storm {name}: {len(counted.lost)} lost, {len(counted.doubled)} doubled of {MAILS:,}; {len(killed)} killed")
    return [
        Figure("storm", f"{name}: mails lost", len(counted.lost), most=1),
        Figure("storm", f"{name}: mails doubled", len(counted.doubled)),
        Figure("storm", f"{name}: mails with another Message-ID, or that nobody ordered", _strange(counted), most=1),
    ]


def _strange(counted: Count) -> int:
    return len(counted.renamed) + len(counted.unordered)


def _kill(site: Site, over: threading.Event, killed: list[str]) -> None:
    """Kill until it is over; note whom."""
    chance = random.Random(0)  # noqa: S311 the same storm each time
    while not over.wait(EVERY):
        with suppress(ProcessLookupError):  # it was killed before, and has not been started again yet
            site.varsel.kill(name := chance.choice(KILLED))
            killed.append(name)


def _post(site: Site, to: list[str]) -> None:
    """Of each five addresses, one gets an order, one an instant, one a composed one, and two one with a reminder."""
    with site.varsel.client(scope=ORDERING) as client:
        for begin in range(0, len(to), 5):
            single, urgent, large, *others = to[begin : begin + 5]
            _insist(client, "orders/email", partial(order, single), key=single)
            _insist(client, "future/orders/instant/email", partial(instant, urgent))
            _insist(client, "future/orders/composed-email", partial(composed, large))
            _insist(client, "future/orders", partial(chain, *others))


def _insist(client: httpx.Client, path: str, body: Callable[[], object], key: str | None = None) -> None:
    """Post an order under the same name again and again, until it is accepted; `key`: if its body has none."""
    headers = {"Idempotency-Key": key} if key else None
    while True:
        with suppress(httpx.HTTPError):
            if client.post(f"{API}/{path}", json=body(), headers=headers).is_success:
                return
        time.sleep(AGAIN)
