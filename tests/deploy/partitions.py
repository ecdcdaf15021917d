"""`make test-partitions`: three machines, a database and a relay; each link is cut in turn under orders and events.

On each of three machines run `web`, a worker and a scheduler; PostgreSQL and Redis are on a fourth, the relay and a
subscriber on a fifth. Whoever orders and publishes sits at a sixth, from which no link is cut. It needs root.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import redis

from engine.admin.processes import KEPT
from engine.auth.tokens import DevelopmentKey
from engine.models import DeliveryState, EmailState
from tests.deploy.network import Network
from tests.deploy.podman import say
from tests.helpers.client import connect
from tests.helpers.counting import count
from tests.helpers.ledger import Ledger
from tests.helpers.processes import start
from tests.helpers.waiting import patience, wait_for
from tests.servers.event_site import API as EVENTS
from tests.servers.event_site import SCOPES, count_pushes, pairs
from tests.servers.http import Receiver, Say
from tests.servers.installation import API, ORDERING, order
from tests.servers.postgres import Postgres, name_of
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from subprocess import Popen

    Act = Callable[[httpx.Client, str], httpx.Response]

MACHINES = ("m1", "m2", "m3")
DATABASE, RELAY, SENDERS = "database", "relay", "senders"
ORDERS, PUBLISHED = 2_000, 1_000
REST = 10.0  # seconds between two cuts
LOOK_EVERY = 0.2  # seconds
SLOW = 5.0  # seconds from an order to the relay, above which it is counted
PORT = 5090
RESOURCE = "urn:altinn:resource:partitions"
CALL = 20.0  # seconds that a sender waits for an answer
Way = tuple[str, str]
CUTS: Sequence[tuple[str, str, tuple[Way, ...]]] = (  # name, the machine that is cut off, what is dropped
    *((f"{each} - {DATABASE}", each, ((each, DATABASE), (DATABASE, each))) for each in MACHINES),
    *((f"{each} - {RELAY}", each, ((each, RELAY), (RELAY, each))) for each in MACHINES),
    (f"m1 → {DATABASE}", "m1", (("m1", DATABASE),)),
    (f"{DATABASE} → m2", "m2", ((DATABASE, "m2"),)),
    (f"m3 → {RELAY}", "m3", (("m3", RELAY),)),
    (f"{RELAY} → m1", "m1", ((RELAY, "m1"),)),
)


class NetworkedPostgres(Postgres):
    """Lets the machines of the network in."""

    def _make(self) -> None:
        super()._make()
        with (self._data / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet trust\n")


@dataclass
class Answers:
    """What was ordered or published, when, at which machine, and whether it was accepted."""

    tried: list[tuple[float, str, str]] = field(default_factory=list)  # when, machine, name
    accepted: dict[str, tuple[float, str]] = field(default_factory=dict)  # by name

    def between(self, began: float, ended: float, machines: Sequence[str]) -> tuple[int, list[str]]:
        """How many were tried at these machines in a time, and the names of those that were accepted."""
        names = [name for at, machine, name in self.tried if began <= at < ended and machine in machines]
        return len(names), [name for name in names if name in self.accepted]


class Senders:
    """Orders and events, in turn at each machine, at an even pace."""

    def __init__(self, network: Network, key: DevelopmentKey) -> None:
        self._network = network
        scopes = f"{ORDERING} {SCOPES}"
        self._headers = {"Authorization": f"Bearer {key.bearer('ttd', scopes, timedelta(hours=2))}"}
        self._enough = threading.Event()
        self.orders, self.events = Answers(), Answers()

    def begin(self, seconds: float) -> None:
        """Order and publish in so much time what is to be ordered and published."""
        pause = seconds * len(MACHINES) / ORDERS
        with self._network.on(SENDERS):
            self._threads = [threading.Thread(target=self._send, args=(each, pause), daemon=True) for each in MACHINES]
            for thread in self._threads:
                thread.start()

    def end(self) -> None:
        """Order and publish what is missing, then end."""
        enough = (self.orders, ORDERS), (self.events, PUBLISHED)
        wait_for(lambda: all(len(answers.accepted) >= number for answers, number in enough))
        self._enough.set()
        for thread in self._threads:
            thread.join(patience())

    def _send(self, machine: str, pause: float) -> None:
        url = f"http://{self._network.address(machine)}:{PORT}"
        with connect(url, headers=self._headers) as client:
            number = 0
            while not self._enough.is_set():
                began = time.monotonic()
                self._try(client, machine, f"{machine}.{number}@example.no", self.orders, self._order)
                if number % 2:
                    self._try(client, machine, f"{machine}.{number}", self.events, self._publish)
                number += 1
                self._enough.wait(max(0.0, began + pause - time.monotonic()))

    @staticmethod
    def _try(client: httpx.Client, machine: str, name: str, answers: Answers, act: Act) -> None:
        at = time.monotonic()
        answers.tried.append((at, machine, name))
        with suppress(httpx.HTTPError):
            if act(client, name).is_success:
                answers.accepted[name] = at, machine

    @staticmethod
    def _order(client: httpx.Client, name: str) -> httpx.Response:
        return client.post(f"{API}/orders/email", json=order(name), timeout=CALL)

    @staticmethod
    def _publish(client: httpx.Client, name: str) -> httpx.Response:
        event = {"specversion": "1.0", "id": name, "source": "https://example.no/1", "type": "t", "resource": RESOURCE}
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        return client.post(f"{EVENTS}/events", json=[event], headers=headers, timeout=CALL)

    def subscribe(self, endpoint: str) -> None:
        with self._network.on(SENDERS), connect(headers=self._headers) as client:
            url = f"http://{self._network.address('m1')}:{PORT}{EVENTS}/subscriptions"
            answer = client.post(url, json={"endPoint": endpoint, "resourceFilter": RESOURCE})
            assert answer.is_success, answer.text


@dataclass
class Cut:
    """One link that was cut, and what was in flight then."""

    name: str
    machine: str
    began: float
    ended: float
    emails: set[str]
    pushes: set[str]
    silent: float  # seconds until the console said that the machine's scheduler is silent; 0: it never said so


class Arrivals:
    """When each mail reached the relay."""

    def __init__(self, relay: ScriptedSMTP) -> None:
        self._relay = relay
        self.at: dict[str, float] = {}
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        seen = 0
        while True:
            new = self._relay.messages[seen:]
            seen += len(new)
            for envelope in new:
                for address in envelope.rcpt_tos:
                    self.at.setdefault(address, time.monotonic())
            time.sleep(0.05)


def varsel(network: Network, machine: str, command: Sequence[str], settings: dict[str, str], log: Path) -> Popen[bytes]:
    """A process of Varsel's on a machine, with the machine's name as its host's."""
    own = {"VARSEL_BASE_URL": f"http://{network.address(machine)}:{PORT}"}
    named_so = ["unshare", "--uts", "sh", "-c", f'hostname {machine}; exec "$@"', "sh"]
    with network.on(machine), log.open("ab") as output:
        whole = [*named_so, sys.executable, "-m", "engine", *command]
        return start(whole, env=os.environ | settings | own, stdout=output, stderr=output)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long each link is cut")
    seconds: float = parser.parse_args().seconds
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    names = (*MACHINES, DATABASE, RELAY, SENDERS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = stack.enter_context(Network(names))
        address = network.address
        with network.on(DATABASE):
            server = stack.enter_context(NetworkedPostgres(f"listen_addresses={address(DATABASE)}"))
            bind = ["--bind", address(DATABASE), "--protected-mode", "no", "--save", ""]
            cache = start(["redis-server", *bind], stdout=(folder / "redis.log").open("wb"), cwd=folder)
            stack.callback(cache.wait)
            stack.callback(cache.terminate)
            wait_for(lambda: answers(address(DATABASE)))
        with network.on(RELAY):
            relay = stack.enter_context(ScriptedSMTP(host=address(RELAY)))
            receiver = stack.enter_context(Receiver(Say(200), host=address(RELAY)))
        url = server.database()
        key = DevelopmentKey(folder)
        settings = {
            "VARSEL_DATABASE_URL": f"postgresql://varsel@{address(DATABASE)}/{name_of(url)}",
            "VARSEL_REDIS_URL": f"redis://{address(DATABASE)}/0",
            "VARSEL_SMTP_URL": relay.url,
            "VARSEL_JWKS": str(key.jwks),
            "VARSEL_PLATFORM_KEYS": str(key.platform),
            "VARSEL_WEBHOOK_KEY": "a key of these machines, of 32 characters",
            "VARSEL_ALLOW_PRIVATE_ENDPOINTS": "true",
        }
        assert varsel(network, "m1", ["migrate"], settings, folder / "migrate.log").wait(patience()) == 0
        running = []
        for machine in MACHINES:
            for command in (["web", "--host", address(machine)], ["worker"], ["scheduler"]):
                log = folder / f"{machine}-{command[0]}.log"
                running.append(varsel(network, machine, command, settings, log))
        for each in running:
            stack.callback(each.wait, patience())
            stack.callback(each.terminate)
        stack.callback(relay.release)
        ledger = stack.enter_context(Ledger(url))
        wait_for(lambda: alive(ledger).count(":") == len(MACHINES) * 3)
        say(f"three machines work: {alive(ledger)}")
        senders, arrivals = Senders(network, key), Arrivals(relay)
        senders.subscribe(f"{receiver.url}/0")
        wait_for(lambda: receiver.answered and ledger.settled())  # the endpoint is validated
        senders.begin(len(CUTS) * (seconds + REST))
        cuts = [cut_off(network, ledger, senders, *each, seconds) for each in CUTS]
        senders.end()
        wait_for(ledger.settled)
        say("everything has settled")
        report(ledger, relay, receiver, senders, arrivals, cuts)


def answers(host: str) -> bool:
    with suppress(redis.RedisError), redis.Redis(host) as client:
        return bool(client.ping())
    return False


def alive(ledger: Ledger) -> str:
    """The processes that live, as the console lists them."""
    return ", ".join(sorted(f"{its['kind']}:{its['host']}" for its in ledger.overview()["processes"]))


def clocks(ledger: Ledger) -> set[str]:
    """The machines whose schedulers keep the clock, likewise."""
    return {its["host"] for its in ledger.overview()["processes"] if its["clock"] == KEPT}


def waiting(ledger: Ledger) -> set[str]:
    """The pushes without an outcome, and those of which an attempt got no answer, named as `pairs` does."""
    rows = ledger.deliveries(RESOURCE)
    return {f"/0 {row.event_id}" for row in rows if row.state == DeliveryState.WAITING or row.attempts > 1}


def cut_off(  # noqa: PLR0913, PLR0917
    network: Network, ledger: Ledger, senders: Senders, name: str, machine: str, ways: tuple[Way, ...], seconds: float
) -> Cut:
    """Cut a link for so long, and let it rest afterwards."""
    silent = 0.0
    with network.cut(*ways):
        began = time.monotonic()
        in_flight, pushes = ledger.in_flight(), waiting(ledger)
        while time.monotonic() < began + seconds:
            if not silent and machine not in clocks(ledger):
                silent = time.monotonic() - began
            time.sleep(LOOK_EVERY)
        ended = time.monotonic()
    told = f"its scheduler was silent after {silent:.1f} s" if silent else "its scheduler kept the clock"
    say(f"{name} was cut for {ended - began:.0f} s; {len(senders.orders.accepted)} orders so far; {told}")
    time.sleep(REST)
    return Cut(name, machine, began, ended, in_flight, pushes, silent)


def report(  # noqa: PLR0913, PLR0917
    ledger: Ledger,
    relay: ScriptedSMTP,
    receiver: Receiver,
    senders: Senders,
    arrivals: Arrivals,
    cuts: Sequence[Cut],
) -> None:
    mails = count(relay.messages, senders.orders.accepted)
    say("cut | orders there | elsewhere | from order to relay elsewhere, median, longest | doubled | scheduler silent")
    for cut in cuts:
        others = [each for each in MACHINES if each != cut.machine]
        there, taken = senders.orders.between(cut.began, cut.ended, [cut.machine])
        elsewhere, accepted = senders.orders.between(cut.began, cut.ended, others)
        waits = [arrivals.at[name] - senders.orders.accepted[name][0] for name in accepted if name in arrivals.at]
        slow = sum(wait > SLOW for wait in waits)
        took = f"{statistics.median(waits):.2f} s, {max(waits):.1f} s, {slow} above {SLOW:.0f} s" if waits else "none"
        doubled = len([name for name in mails.doubled if name in cut.emails])
        line = f"{cut.name} | {len(taken)} of {there} | {len(accepted)} of {elsewhere} | {took} | {doubled}"
        line += f" | {cut.silent:.1f} s" if cut.silent else " | no"
        say(line)
    pushed = count_pushes(pairs(1, senders.events.accepted), receiver)
    unanswered = failed_attempts(ledger)
    false = falsely_reported(ledger, relay)
    in_flight = {name for cut in cuts for name in cut.emails | cut.pushes} | waiting(ledger)
    beyond = [name for name in mails.doubled + pushed.doubled if name not in in_flight]
    say(f"{len(senders.orders.accepted)} orders: {len(mails.lost)} lost, {len(mails.doubled)} doubled, {false} false")
    say(f"{len(senders.events.accepted)} events: {len(pushed.lost)} lost, {len(pushed.doubled)} pushed twice")
    say(f"attempts that were not accepted: {unanswered}; doubled, and not in flight: {beyond}; lost: {pushed.lost}")
    assert not mails.lost
    assert not mails.renamed
    assert not false
    assert not beyond
    assert not pushed.lost
    assert not pushed.renamed


def failed_attempts(ledger: Ledger) -> dict[str, int]:
    """How many attempts had which outcome, beside those that were accepted."""
    mails = Counter(f"mail {row.outcome}" for row in ledger.attempts() if row.outcome != "accepted")
    return {**mails, "push deferred": ledger.pushes(RESOURCE, "deferred")}


def falsely_reported(ledger: Ledger, relay: ScriptedSMTP) -> list[str]:
    """Addresses whose e-mail is said to have been sent, or not, and the relay knows better."""
    has = {address for envelope in relay.accepted for address in envelope.rcpt_tos}
    said = {address: row.state == EmailState.SUCCEEDED for address, row in ledger.emails().items()}
    return [address for address, sent in said.items() if sent != (address in has)]


if __name__ == "__main__":
    main()
