"""A storm of SIGKILLs: each second a random process of an installation is killed while orders come in."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from bench.figures import Figure, say
from bench.processes import wait_until
from tests.servers.installation import API, order
from tests.servers.postgres import Postgres
from tests.servers.site import Site, addresses

if TYPE_CHECKING:
    from tests.helpers.counting import Count

ORDERS = 3_000
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
    to = addresses(ORDERS, "storm")
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
    say(f"storm {name}: {len(counted.lost)} lost, {len(counted.doubled)} doubled of {ORDERS:,}; {len(killed)} killed")
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
    """Post an order to each address, again and again with the same key until it is accepted."""
    with site.varsel.client() as client:
        for address in to:
            while not _accepted(client, address):
                time.sleep(AGAIN)


def _accepted(client: httpx.Client, address: str) -> bool:
    with suppress(httpx.HTTPError):
        answer = client.post(f"{API}/orders/email", json=order(address), headers={"Idempotency-Key": address})
        return answer.status_code in (200, 202)
    return False
