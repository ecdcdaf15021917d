"""/metrics: no sample twice, each process alone or all in one answer, and an answer whatever is down."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import redis
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route

from api.counting import CountAnswers
from engine.admin.exposition import exposition
from engine.db.store import Store
from engine.db.tables import deliveries, pauses
from engine.errors import Misconfigured, Unavailable
from engine.events.intake import Publisher
from engine.models import DeliveryState, EmailState
from engine.observability import metrics
from engine.queue.redis_client import prove
from engine.settings import Settings
from tests.helpers.client import ask
from tests.helpers.ports import free_port
from tests.helpers.processes import start
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import patience, wait_for
from tests.servers.installation import API, Installation, order
from tests.servers.redis import Redis
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from tests.servers.smtp_script import Step

pytestmark = pytest.mark.slow

Samples = dict[str, float]
HOUR = timedelta(hours=1)


def parse(text: str) -> Samples:
    """Samples by name and labels, as name{label=value,…}; AssertionError when one comes twice."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            name = f"{sample.name}{{{labels}}}" if labels else sample.name
            assert name not in found, name
            found[name] = sample.value
    return found


def scrape(address: str) -> Samples:
    return parse(ask("GET", f"{address}/metrics").raise_for_status().text)


def counted(name: str, **labels: str) -> float:
    """The metrics of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path) as server:
        yield server


@pytest.fixture
def client(broker: Redis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(broker.url) as client:
        yield client


def test_the_depth_of_each_lane_is_what_the_database_says(store: Store, client: redis.Redis) -> None:
    with store.write() as connection:
        seq = add_order(connection, due_in=HOUR)
        add_order(connection, due_in=-HOUR)
        add_email(connection, seq, due_in=timedelta(seconds=-90))
        add_email(connection, seq, due_in=HOUR)
        add_email(connection, seq, due_in=HOUR, attempts=2)
        add_email(connection, seq, due_in=HOUR, unresolved=1, state=EmailState.SENDING)
        add_email(connection, seq, due_at=None, state=EmailState.FAILED_BOUNCED)
        subscription = add_subscription(connection, "https://example.no")
        connection.execute(
            deliveries.insert().values(
                subscription_seq=subscription, created=now(), last_update=now(), state=DeliveryState.DEAD
            )
        )
        connection.execute(pauses.insert().values(kind="lane", value="webhooks", at=now(), who="anna", reason=""))
    found = parse(exposition(store, client).decode())
    emails = {state: found[f"varsel_depth{{lane=emails,state={state}}}"] for state in ("waiting", "due", "in_flight")}
    assert emails == {"waiting": 2, "due": 1, "in_flight": 1}
    assert found["varsel_stalled_seconds{lane=orders}"] >= HOUR.total_seconds()
    assert found["varsel_stalled_seconds{lane=emails}"] == 0  # a worker has one in hand
    assert found["varsel_depth{lane=emails,state=retrying}"] == 1
    assert found["varsel_depth{lane=emails,state=dead}"] == found["varsel_depth{lane=webhooks,state=dead}"] == 1
    assert found["varsel_depth{lane=orders,state=due}"] == found["varsel_due{lane=orders}"] == 1
    assert 90 <= found["varsel_oldest_due_seconds{lane=emails}"] < 120
    assert (found["varsel_lane_paused{lane=webhooks}"], found["varsel_lane_paused{lane=emails}"]) == (1, 0)


def test_redis_tells_its_lists(store: Store, client: redis.Redis) -> None:
    client.rpush("varsel:spool", "1", "2")
    client.rpush("varsel:spool:broken", "3")
    found = parse(exposition(store, client).decode())
    lists = {name: found[f"varsel_redis_entries{{list={name}}}"] for name in ("wakes", "spool", "broken")}
    assert lists == {"wakes": 0, "spool": 2, "broken": 1}
    assert found["varsel_redis_up"] == found["varsel_database_up"] == 1
    assert 0 < found["varsel_redis_ping_seconds"] < 10


@pytest.mark.parametrize(
    ("fault", "mended"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
    ],
    ids=["full", "a replica"],
)
def test_a_redis_that_takes_nothing_is_not_up_though_it_answers(
    store: Store, client: redis.Redis, fault: tuple[str, ...], mended: tuple[str, ...]
) -> None:
    client.execute_command(*fault)
    try:
        assert client.ping()
        with pytest.raises(redis.RedisError):
            prove(client)
        assert parse(exposition(store, client).decode())["varsel_redis_up"] == 0
    finally:
        client.execute_command(*mended)
    prove(client)
    assert parse(exposition(store, client).decode())["varsel_redis_up"] == 1


def test_without_database_and_redis_the_counts_are_shown_all_the_same(tmp_path: Path) -> None:
    gone = Store(f"postgresql+psycopg://varsel@127.0.0.1:{free_port()}/varsel")
    with redis.Redis.from_url(f"unix://{tmp_path}/none") as nobody:
        found = parse(exposition(gone, nobody).decode())
    gone.close()
    assert found["varsel_database_up"] == found["varsel_redis_up"] == 0
    assert "varsel_orders_total" in found
    assert not [name for name in found if name.startswith(("varsel_depth", "varsel_redis_entries"))]


def test_all_processes_of_a_machine_add_up_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    def refuse_ola(step: Step) -> Say | None:
        return Say(550, "5.1.1 no such user") if step.phase == "rcpt" and "ola@" in step.argument else None

    with (
        ScriptedSMTP(refuse_ola) as relay,
        Installation(tmp_path, smtp_url=relay.url) as installation,
        installation.client() as client,
    ):
        for _ in range(3):
            answer = client.post(f"{API}/orders/email", json=order("kari@example.no", "ola@example.no"))
            assert answer.status_code == 202
        client.post(f"{API}/orders/email", json={})
        client.get("/nothing")
        wait_for(lambda: scrape(installation.address).get("varsel_group_size_sum{group=emails}") == 6)
        wait_for(lambda: scrape(installation.address).get("varsel_requests_total{part=other,status=4xx}") == 1)
        found = scrape(installation.address)
    assert found["varsel_orders_total"] == 3
    assert found["varsel_attempts_total{outcome=accepted}"] == found["varsel_attempts_total{outcome=rejected}"] == 3
    assert found["varsel_smtp_seconds_count{outcome=accepted}"] == 3
    assert found["varsel_requests_total{part=orders,status=2xx}"] == 3
    assert found["varsel_requests_total{part=orders,status=4xx}"] == 1
    assert found["varsel_requests_total{part=other,status=4xx}"] == 1
    assert found["varsel_request_seconds_count{part=orders}"] == 4
    assert found["varsel_group_size_sum{group=orders}"] == 3
    assert found["varsel_group_size_sum{group=emails}"] == 6
    assert [value for name, value in found.items() if name.startswith("varsel_build_info")] == [1]


class Process:
    """A worker or scheduler with a port for its metrics, on the test's database and Redis."""

    def __init__(self, kind: str, settings: dict[str, str]) -> None:
        self.port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
        self._environment = environment | settings | {"VARSEL_METRICS_PORT": str(self.port)}
        self._command = [sys.executable, "-m", "engine", kind]

    def start(self) -> subprocess.Popen[str]:
        return start(self._command, env=self._environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def settings(store: Store, broker: Redis) -> dict[str, str]:
    url = store.engine.url.render_as_string(hide_password=False)
    return {
        "VARSEL_DATABASE_URL": url,
        "VARSEL_REDIS_URL": broker.url,
        "VARSEL_SMTP_URL": "smtp://127.0.0.1:9",
        "VARSEL_WEBHOOK_KEY": "the key of these tests, long enough",
    }


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["worker", "scheduler"])
def test_a_worker_and_a_scheduler_show_their_own_on_a_port(kind: str, settings: dict[str, str]) -> None:
    process = Process(kind, settings)
    with process.start() as running:

        def answer() -> Samples | None:
            try:
                return scrape(f"http://127.0.0.1:{process.port}")
            except httpx.TransportError:
                return None

        found = wait_for(answer)
        running.send_signal(signal.SIGTERM)
        assert running.wait(patience()) == 0
        assert running.stderr
        running.stderr.close()
    assert found
    assert "varsel_attempts_total{outcome=accepted}" in found if kind == "worker" else "varsel_orders_total" in found
    assert not [name for name in found if name.startswith(("varsel_depth", "varsel_database_up"))]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["worker", "scheduler"])
def test_a_port_that_is_taken_ends_the_process_with_the_reason(kind: str, settings: dict[str, str]) -> None:
    process = Process(kind, settings)
    with socket.create_server(("127.0.0.1", process.port)), process.start() as running:
        _, told = running.communicate(timeout=patience())
    assert running.returncode == 1
    assert f"VARSEL_METRICS_PORT {process.port}" in told
    assert "Traceback" not in told


def test_a_folder_and_a_port_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="VARSEL_METRICS_PORT: not together with VARSEL_METRICS_DIR"):
        Settings(metrics_port=9100, metrics_dir=tmp_path)
    metrics.serve(Settings())  # neither: nothing listens


def test_a_port_that_cannot_be_had_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Misconfigured, match=f"VARSEL_METRICS_PORT {port}"):
            metrics.serve(Settings(metrics_port=port))


def test_an_answer_that_a_bug_prevented_is_counted_as_an_error() -> None:
    async def broken(_request: Request) -> Response:
        raise RuntimeError("a bug")

    app = Starlette(routes=[Route("/", broken)], middleware=[Middleware(CountAnswers)])

    async def ask() -> int:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://varsel") as anybody:
            return (await anybody.get("/")).status_code

    async def answered() -> None:
        before = counted("varsel_requests_total", part="other", status="5xx")
        assert await ask() == 500
        await asyncio.to_thread(
            wait_for, lambda: counted("varsel_requests_total", part="other", status="5xx") == before + 1
        )

    asyncio.run(answered())


def test_an_event_is_counted_once_it_is_kept_wherever_that_is(store: Store) -> None:
    kept: list[bytes] = []

    def refuse(_entry: bytes) -> None:
        raise Unavailable("Redis")

    async def publish(into: Store, spool: Callable[[bytes], None]) -> None:
        publisher = Publisher(into, spool, lambda _lane: None)
        try:
            await publisher.publish([an_event(), an_event()], "ttd")
        finally:
            await publisher.close()

    gone = Store(f"postgresql+psycopg://varsel@127.0.0.1:{free_port()}/varsel")
    before = counted("varsel_events_total")
    asyncio.run(publish(store, refuse))
    assert counted("varsel_events_total") == before + 2
    asyncio.run(publish(gone, kept.append))
    assert counted("varsel_events_total") == before + 4
    with pytest.raises(Unavailable):
        asyncio.run(publish(gone, refuse))
    assert counted("varsel_events_total") == before + 4
    assert len(kept) == 1
    gone.close()
