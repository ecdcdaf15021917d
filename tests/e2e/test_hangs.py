"""When parts hang without closing: requests are answered, processes start and end, nothing is lost or doubled."""

from __future__ import annotations

import signal
from contextlib import ExitStack, closing
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from engine.auth.tokens import DevelopmentKey
from engine.db.migrations import upgrade
from engine.db.store import Store
from tests.helpers.client import ask, connect
from tests.helpers.counting import tell
from tests.helpers.ledger import Ledger
from tests.helpers.ports import free_port
from tests.helpers.single_process import SingleProcess
from tests.helpers.waiting import wait_for
from tests.servers.event_site import API as EVENTS
from tests.servers.event_site import SCOPES, EventSite, pairs
from tests.servers.http import Receiver, Slow
from tests.servers.installation import API, order
from tests.servers.postgres import Postgres
from tests.servers.postgres_door import ClosedDoor
from tests.servers.redis import Redis
from tests.servers.site import FLAWLESS, addresses
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Hang
from tests.servers.smtp_script import Slow as Drip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESOURCE = "urn:altinn:resource:hangs"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A database server that tests may stop."""
    with Postgres() as running:
        yield running


def unavailable(answer: httpx.Response) -> bool:
    return answer.status_code == 503 and int(answer.headers["retry-after"]) > 0


def test_the_database_hangs_and_goes_on(server: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(100)
    ids = [f"e{n}" for n in range(20)]
    with (
        EventSite(tmp_path, database_url=server.database(), lease=120) as site,
        Receiver(Slow(0.05)) as receiver,
    ):
        site.relay.script = {"dot": Drip(0.02)}
        site.subscribe(receiver, 2, RESOURCE)
        site.publish(RESOURCE, ids[:10])
        site.post(*to)
        site.await_copies(20)
        server.hang()
        answers = [
            site.client.post(f"{API}/orders/email", json=order("refused@example.no")),
            site.events.get(f"{EVENTS}/events", params={"resource": RESOURCE, "after": "0"}),
            site.client.get("/readyz"),
        ]
        site.publish(RESOURCE, ids[10:])
        answers += [site.client.post(f"{API}/orders/email", json=order("refused@example.no")) for _ in range(20)]
        alive = site.client.get("/livez")
        metrics = site.client.get("/metrics")
        server.resume()
        site.await_events(RESOURCE, len(ids))
        wait_for(lambda: site.client.get("/readyz").is_success)
        pushed = site.count_pushes(RESOURCE, pairs(2, ids), receiver)

    assert [answer.status_code for answer in answers if not unavailable(answer)] == []
    assert alive.is_success
    assert "varsel_database_up 0.0" in metrics.text
    mails = site.count(to)
    tell(capsys, "database hung in 100 mails", mails)
    tell(capsys, "database hung in 40 pushes", pushed)
    assert mails == FLAWLESS
    assert pushed == FLAWLESS
    assert " Traceback" not in "".join(site.varsel.output)


def test_redis_hangs_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(20)
    with Redis(tmp_path) as cache, EventSite(tmp_path, redis_url=cache.url) as site:
        cache.hang()
        for address in to:
            site.post(address)
        ready = site.client.get("/readyz")
        metrics = site.client.get("/metrics")
        cache.resume()
        site.settle()

    assert ready.status_code == 200
    assert ready.json()["redis"] != "ok"
    assert "varsel_redis_up 0.0" in metrics.text
    mails = site.count(to)
    tell(capsys, "20 orders while Redis hung", mails)
    assert mails == FLAWLESS
    assert "Traceback" not in "".join(site.varsel.output)


class Services:
    """The servers that single processes use, and their settings."""

    def __init__(self, folder: Path, server: Postgres, relay: ScriptedSMTP, cache: Redis) -> None:
        self.server, self.relay, self.cache = server, relay, cache
        self.key = DevelopmentKey(folder / "keys")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "database_url": server.database(),
            "redis_url": cache.url,
            "smtp_url": relay.url,
            "jwks": str(self.key.jwks),
            "webhook_key": "a key of these tests, 32 characters",
        }

    def client(self) -> httpx.Client:
        token = self.key.bearer("ttd", f"altinn:notifications.create {SCOPES}", timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}"}
        return connect(self.url, headers=headers)

    def migrate(self) -> None:
        with closing(Store(self.settings["database_url"])) as store:
            upgrade(store)

    def answers(self) -> bool:
        try:
            return ask("GET", f"{self.url}/livez").is_success
        except httpx.TransportError:
            return False


@pytest.fixture
def services(server: Postgres, tmp_path: Path) -> Iterator[Services]:
    with ScriptedSMTP() as relay, Redis(tmp_path) as cache:
        yield Services(tmp_path, server, relay, cache)
        relay.release()


def test_every_process_ends_though_the_relay_the_database_and_redis_hang(services: Services, tmp_path: Path) -> None:
    services.migrate()
    services.relay.script = {"dot": Hang()}
    with ExitStack() as stack:
        web = stack.enter_context(SingleProcess(tmp_path, "web", "--port", services.port, **services.settings))
        worker = stack.enter_context(SingleProcess(tmp_path, "worker", **services.settings))
        scheduler = stack.enter_context(SingleProcess(tmp_path, "scheduler", **services.settings))
        wait_for(services.answers)
        client = stack.enter_context(services.client())
        assert client.post(f"{API}/orders/email", json=order()).status_code == 202
        wait_for(lambda: services.relay.count("dot"))
        services.server.hang()
        services.cache.hang()
        for process in (web, worker, scheduler):
            process.terminate()
        wait_for(lambda: None not in (web.ended, worker.ended, scheduler.ended))
        services.server.resume()
        services.cache.resume()
        assert "Traceback" not in web.output + worker.output + scheduler.output
    assert "something hangs" in worker.output


def test_processes_start_without_the_database_and_redis_and_work_when_they_come(
    services: Services, tmp_path: Path
) -> None:
    services.migrate()
    services.server.stop()
    with ExitStack() as stack:
        web = stack.enter_context(SingleProcess(tmp_path, "web", "--port", services.port, **services.settings))
        worker = stack.enter_context(SingleProcess(tmp_path, "worker", **services.settings))
        scheduler = stack.enter_context(SingleProcess(tmp_path, "scheduler", **services.settings))
        for waiting in (worker, scheduler):
            assert "the database does not answer" in waiting.await_line("waiting for the database")
        wait_for(services.answers)
        client = stack.enter_context(services.client())
        event = {"specversion": "1.0", "id": "1", "source": "https://example.no", "type": "t", "resource": RESOURCE}
        headers = {"Content-Type": "application/cloudevents+json"}
        published = client.post(f"{EVENTS}/events", json=event, headers=headers)
        asked = client.post(f"{API}/orders/email", json=order())
        ready = client.get("/readyz")
        services.cache.stop()
        services.server.start()
        wait_for(lambda: client.get("/readyz").is_success)
        assert client.post(f"{API}/orders/email", json=order()).status_code == 202
        services.cache.start()
        with Ledger(services.settings["database_url"]) as ledger:
            wait_for(ledger.settled)
        processes = (web, worker, scheduler)
        for process in processes:
            process.terminate()
        wait_for(lambda: all(process.ended is not None for process in processes))
    assert published.is_success
    assert unavailable(asked)
    assert unavailable(ready)
    assert [process.ended for process in processes] == [-signal.SIGTERM, 0, 0]  # uvicorn ends by the signal itself
    assert len(services.relay.messages) == 1


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_what_waits_for_the_database_ends_when_it_is_told_to(command: str, services: Services, tmp_path: Path) -> None:
    nowhere = services.settings | {"database_url": f"postgresql://varsel@/varsel?host={tmp_path}"}
    with SingleProcess(tmp_path, command, **nowhere) as waiting:
        waiting.await_line("waiting for the database")
        waiting.terminate()
        wait_for(lambda: waiting.ended is not None)
        assert len(waiting.output.splitlines()) == 1


def test_a_database_that_refuses_in_other_words_each_time_is_a_line_a_minute(
    services: Services, tmp_path: Path
) -> None:
    with (
        ClosedDoor() as door,
        SingleProcess(tmp_path, "scheduler", **services.settings | {"database_url": door.url}) as waiting,
    ):
        waiting.await_line("waiting for the database")
        before = door.knocks
        wait_for(lambda: door.knocks > before + 20)
        assert len(waiting.output.splitlines()) == 1
        waiting.terminate()
        wait_for(lambda: waiting.ended is not None)
