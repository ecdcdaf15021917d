"""Checks of everything that Varsel needs; nothing is printed here, and nothing is changed or sent.

findings.py   what a check says
asking.py     what the processes of this machine were started with
database.py   SQLite or PostgreSQL, the schema, the processes' heartbeats
rights.py     the rights of PostgreSQL's user
broker.py     Redis
relay.py      the SMTP relay, as delivery would use it
sender.py     the DNS of the sender's domain
provider.py   the OpenID provider of operators
scraping.py   where metrics can be scraped
files.py      settings, keys, tracing, disks
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from engine.diagnosis import of_database
from engine.doctor import broker, database, files, provider, relay, scraping, sender
from engine.doctor.asking import ask
from engine.doctor.findings import Finding, Level, Place, problem, wrong
from engine.errors import VarselError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Check = Callable[[Place], Iterable[Finding]]

__all__ = ["CHECKS", "Finding", "Level", "Place", "ask", "examine"]

WITHIN = 10.0  # seconds that each check has

CHECKS: Mapping[str, Check] = {
    "settings": files.settings,
    "database": database.database,
    "redis": broker.redis_server,
    "relay": relay.relay,
    "sender": sender.sender,
    "keys": files.keys,
    "provider": provider.provider,
    "metrics": scraping.scraping,
    "tracing": files.traces,
    "disk": files.disk,
    "processes": database.processes,
}


def examine(place: Place, checks: Mapping[str, Check] = CHECKS, within: float = WITHIN) -> list[Finding]:
    """The findings of all checks, in order; they run at the same time. A check that fails or hangs is a problem."""
    found: dict[str, list[Finding]] = {}

    def run(name: str, check: Check) -> None:
        try:
            result = list(check(place))
        except VarselError as error:
            result = [problem(name, str(error), "Correct it, and ask again.")]
        except DBAPIError as error:
            result = [wrong(name, of_database(error))]
        except Exception as error:  # noqa: BLE001 whatever breaks a check is what the check has found
            # Its text may hold a password.
            result = [problem(name, f"the check failed: {type(error).__name__}", "Look at its settings.")]
        found[name] = result

    threads = [threading.Thread(target=run, args=each, daemon=True) for each in checks.items()]
    for thread in threads:
        thread.start()
    give_up = time.monotonic() + within
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    late = "Look whether it is reachable from here: a firewall that drops packets looks like this."
    return [
        finding
        for name in checks
        for finding in found.get(name, [problem(name, f"no answer within {within:g} s", late)])
    ]
