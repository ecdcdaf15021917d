"""`make test-upgrade FROM=COMMIT`: an upgrade from that release to this checkout, and back, under load.

Two of each process, PostgreSQL and Redis. The new release migrates while the old one works; then each process is
replaced, and again on the way back. No request may be refused, and each order and event must arrive once.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from engine.auth.tokens import DevelopmentKey
from tests.helpers.client import ask
from tests.helpers.counting import count
from tests.helpers.ledger import Ledger
from tests.helpers.waiting import wait_for
from tests.servers.event_site import SCOPES, count_pushes, pairs
from tests.servers.http import Receiver, Say
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis
from tests.servers.smtp import ScriptedSMTP
from tests.upgrade.fleet import Fleet
from tests.upgrade.load import EVENTS, RESOURCE, Load
from tests.upgrade.releases import ROOT, Release, installed, of_commit

if TYPE_CHECKING:
    from collections.abc import Callable

MORE = 100  # orders and events in each phase
ERROR = re.compile(r"^.* ERROR .*|^    [\w.]+Error: .*", re.MULTILINE)  # and what a traceback ends with
BEGAN = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - BEGAN:6.1f} s  {text}", flush=True)  # noqa: T201 it is what one runs it for


def settings(folder: Path, key: DevelopmentKey, database: str, redis: str, relay: str) -> dict[str, object]:
    """What all processes have."""
    own = {"database_url": database, "redis_url": redis, "smtp_url": relay, "metrics_dir": folder / "metrics"}
    tokens = {"jwks": key.jwks, "platform_keys": key.platform, "webhook_key": "a key of this trial, 32 characters"}
    return own | tokens | {"allow_private_endpoints": "true", "base_url": "http://127.0.0.1:5090"}


def subscribe(address: str, token: str, receiver: Receiver) -> None:
    body = {"endPoint": f"{receiver.url}/0", "resourceFilter": RESOURCE}
    headers = {"Authorization": f"Bearer {token}"}
    answer = ask("POST", f"{address}{EVENTS}/subscriptions", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    its = f"{address}{EVENTS}/subscriptions/{answer.json()['id']}"
    wait_for(lambda: ask("GET", its, headers=headers).json()["validated"])


def roll(fleet: Fleet, load: Load, old: Release, new: Release) -> None:
    """There and back."""

    def phase(name: str, act: Callable[[], object] = lambda: None) -> None:
        load.begin(name)
        began = time.monotonic()
        act()
        took = time.monotonic() - began
        load.more(MORE)
        say(f"{name}: {took:.1f} s; {load.requests[name]} requests, the longest {load.longest[name] * 1000:.0f} ms")

    phase(f"{old.name} works")
    phase("the new release migrates, the old one works on", lambda: fleet.run(new, "migrate"))
    phase("each process is replaced", lambda: fleet.replace(new))
    phase("going back: each process is replaced", lambda: fleet.replace(old))


def judge(load: Load, relay: ScriptedSMTP, receiver: Receiver, fleet: Fleet) -> None:
    """Print what became of all, and end with 1 if it is not what was promised."""
    mails, pushes = count(relay.messages, load.to), count_pushes(pairs(1, load.ids), receiver)
    errors = [f"{log.name}: {line}" for log in fleet.logs for line in ERROR.findall(log.read_text())]
    asked = sum(load.requests.values())
    say(f"{asked} requests: {len(load.refused)} refused, {load.turned_away} went to the other address")
    say(f"{len(load.to)} orders: {len(mails.lost)} e-mails lost, {len(mails.doubled)} doubled")
    say(f"{len(load.ids)} events: {len(pushes.lost)} pushes lost, {len(pushes.doubled)} doubled")
    wrong = [*load.refused, *mails.lost, *mails.doubled, *mails.renamed, *pushes.lost, *pushes.doubled, *errors]
    if wrong:
        sys.exit("\n".join(wrong[:20]))


def main(commit: str) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="varsel-upgrade-")))
        old = of_commit(commit, folder / "old")
        new = installed("this checkout", ROOT, folder / "new")
        say(f"built and installed: {old.name}, {new.name}")
        postgres = stack.enter_context(Postgres(hasty=False))
        redis = stack.enter_context(Redis(folder))
        relay = stack.enter_context(ScriptedSMTP())
        receiver = stack.enter_context(Receiver(Say(200)))
        key, database = DevelopmentKey(folder), postgres.database()
        fleet = Fleet(folder, settings(folder, key, database, redis.url, relay.url), old)
        fleet.run(old, "migrate")
        stack.enter_context(fleet)
        say(f"two of each process of {old.name} are ready")
        token = key.bearer("ttd", SCOPES, timedelta(hours=1))
        subscribe(fleet.addresses[0], token, receiver)
        with Load(fleet.addresses, token) as load:
            roll(fleet, load, old, new)
        with Ledger(database) as ledger:
            wait_for(ledger.settled)
        judge(load, relay, receiver, fleet)
    say("all is well")


if __name__ == "__main__":
    main(sys.argv[1])
