"""When processes die, no event is lost, and only events in flight come twice, with the same webhook-id."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import redis

from engine.models import DeliveryState, EmailState
from tests.helpers.counting import Count, tell
from tests.helpers.ports import free_port
from tests.helpers.waiting import LEASE, LONG, wait_for
from tests.servers.event_site import API, WORKERS, EventSite, count_pushes, named, pairs
from tests.servers.http import Hang, Receiver, Reset, Say, Slow
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis
from tests.servers.site import FLAWLESS, addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

APP = "urn:altinn:resource:app_ttd_apps-test"
APP_EVENT = {
    "type": "app.instance.created",
    "source": "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
    "subject": "/party/50019855",
    "specversion": "1.0",
}
STATUS = "urn:altinn:resource:varsel:ttd"
HUNDREDS = 200  # calls in flight: fewer than a worker makes at once for a consumer, since each ends after a while


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventSite]:
    with EventSite(tmp_path_factory.mktemp("site"), lease=int(LONG.total_seconds())) as running:
        yield running


@pytest.fixture
def site(whole: EventSite) -> EventSite:
    """An installation with nothing left to do; tests break only what its supervisor repairs, and no worker."""
    whole.settle()
    return whole


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(Say(200)) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A database server that tests may stop."""
    with Postgres() as running:
        yield running


def test_a_worker_is_killed_with_hundreds_of_calls_in_flight(
    database: str, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{n}" for n in range(50)]
    resource = "urn:altinn:resource:killed"
    with EventSite(tmp_path, database_url=database_url, lease=LEASE) as site, Receiver(Slow(0.3)) as receiver:
        site.subscribe(receiver, 30, resource)
        site.publish(resource, ids)
        wait_for(lambda: len(receiver.answered) > 500)  # each subscriber has earned many at once
        receiver.act(Hang())

        def hundreds_hang() -> bool:
            recorded = site.ledger.pushes(resource, "accepted") == len(receiver.answered)
            all_others = len(receiver.requests) == len(receiver.answered) + len(receiver.hung)
            return len(receiver.hung) >= HUNDREDS and all_others and recorded

        wait_for(hundreds_hang)
        killed = site.busiest(receiver.port)
        pid = site.varsel.pid(killed)
        site.varsel.kill(killed)
        wait_for(lambda: site.varsel.pid(killed) != pid)
        receiver.catch_up()
        receiver.act(Slow(0.3))
        site.settle(hurried=True)
        in_flight = Counter(name for name, _ in named(receiver.hung))
        states = Counter(row.state for row in site.ledger.deliveries(resource))

    pushed = count_pushes(pairs(30, ids), receiver)
    tell(capsys, f"worker killed in 1,500 pushes, {in_flight.total()} in flight, on {database}", pushed)
    assert (pushed.lost, pushed.renamed, pushed.unordered) == ([], [], [])
    assert Counter(pushed.doubled) - in_flight == Counter(), "a copy too many for the calls that got no answer"
    assert states == {DeliveryState.DELIVERED: 1530}  # with the validation events


def test_redis_forgets_everything_while_events_are_pushed(
    site: EventSite, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{n}" for n in range(100)]
    resource = "urn:altinn:resource:flushed"
    site.subscribe(receiver, 10, resource)
    with redis.Redis.from_url(site.varsel.environment()["VARSEL_REDIS_URL"]) as forgetful:
        for start in range(0, 100, 5):
            site.publish(resource, ids[start : start + 5])
            forgetful.flushall()
            site.await_requests(receiver, 10 * start - 200)
            forgetful.flushall()
        site.settle()

    pushed = site.count_pushes(resource, pairs(10, ids), receiver)
    tell(capsys, "Redis flushed 40 times in 1,000 pushes", pushed)
    assert pushed == FLAWLESS


def test_redis_is_killed_and_started_again(
    site: EventSite, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{n}" for n in range(60)]
    resource = "urn:altinn:resource:redis"
    site.subscribe(receiver, 10, resource)
    site.publish(resource, ids[:30])
    site.await_requests(receiver, 30)
    site.varsel.kill("redis")
    for id_ in ids[30:]:
        site.publish(resource, [id_])
    site.settle()

    pushed = site.count_pushes(resource, pairs(10, ids), receiver)
    tell(capsys, "Redis killed in 600 pushes", pushed)
    assert pushed == FLAWLESS


def test_the_receiver_is_down_and_comes_back_and_the_scheduler_is_killed_meanwhile(
    site: EventSite, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{n}" for n in range(30)]
    resource = "urn:altinn:resource:down"
    port = free_port()
    with Receiver(Say(200), port=port) as receiver:
        site.subscribe(receiver, 10, resource)
    site.publish(resource, ids)
    wait_for(lambda: site.ledger.pushes(resource, "deferred") >= 50)  # their circuits are open
    site.restart("scheduler")
    with Receiver(Say(200), port=port) as back:
        site.settle(hurried=True)

    pushed = site.count_pushes(resource, pairs(10, ids), back)
    tell(capsys, "receiver down in 300 pushes, scheduler killed", pushed)
    assert pushed == FLAWLESS


def test_the_receiver_resets_connections(
    site: EventSite, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{n}" for n in range(30)]
    resource = "urn:altinn:resource:reset"
    site.subscribe(receiver, 10, resource)
    receiver.act(*(action for _ in range(100) for action in (Reset(), Say(200))))
    site.publish(resource, ids)
    site.settle(hurried=True)

    reset = Counter(named(receiver.requests)) - Counter(named(receiver.answered))
    pushed = site.count_pushes(resource, pairs(10, ids), receiver)
    tell(capsys, f"receiver reset {reset.total()} connections in 300 pushes", pushed)
    assert reset.total() == 100
    assert (pushed.lost, pushed.renamed, pushed.unordered) == ([], [], [])
    assert Counter(pushed.doubled) == Counter(name for name, _ in reset.elements())


def test_the_receiver_takes_longer_than_a_lease(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = ["e1", "e2"]
    resource = "urn:altinn:resource:slow"
    with EventSite(tmp_path, lease=LEASE) as site, Receiver(Say(200)) as receiver:
        site.subscribe(receiver, 30, resource)
        receiver.act(Slow(LEASE + 1))
        site.publish(resource, ids)
        site.settle()
        pushed = site.count_pushes(resource, pairs(30, ids), receiver)

    tell(capsys, "receiver slower than the lease in 60 pushes", pushed)
    assert pushed == FLAWLESS


def test_the_web_process_is_killed_right_after_each_201(
    site: EventSite, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    def answers() -> bool:
        try:
            return site.client.get("/livez").is_success
        except httpx.TransportError:
            return False

    site.subscribe(receiver, 3, APP)
    ids = []
    for _ in range(3):
        ids.append(post_app(site))
        site.restart("web")
        wait_for(answers)
    site.settle()

    pushed = site.count_pushes(APP, pairs(3, ids), receiver)
    tell(capsys, "web killed right after each of 3 201s", pushed)
    assert pushed == FLAWLESS
    assert [event["id"] for event in site.read(APP)] == ids


@pytest.mark.parametrize("killed", [(), WORKERS], ids=["workers live", "workers are killed"])
def test_events_are_accepted_while_the_database_is_down(
    server: Postgres, tmp_path: Path, receiver: Receiver, killed: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    batched = [f"e{n}" for n in range(200)]
    with EventSite(tmp_path, database_url=server.database(), lease=LEASE) as site:
        site.subscribe(receiver, 3, APP)
        server.stop()
        for start in range(0, 200, 2):
            site.publish(APP, batched[start : start + 2])
        ids = batched + [post_app(site) for _ in range(5)]
        asked = site.events.get(f"{API}/events", params={"resource": APP, "after": "0"})
        for name in killed:
            site.restart(name)
        server.start()
        wait_for(lambda: site.ledger.events(APP))
        for name in killed:  # in the middle of storing
            site.varsel.kill(name)
        stored = len(site.ledger.events(APP))
        unsettled = site.unsettled(APP) if killed else set()
        site.await_events(APP, len(ids))
        found = [event["id"] for event in site.read(APP)]
        pushed = site.count_pushes(APP, pairs(3, ids), receiver)

    assert asked.status_code == 503
    assert int(asked.headers["retry-after"]) > 0
    assert Counter(found) == Counter(ids)
    when = f", workers killed at once and when {stored} were stored" if killed else ""
    tell(capsys, f"database down for 205 events{when}", pushed)
    assert (pushed.lost, pushed.renamed, pushed.unordered) == ([], [], [])
    assert set(pushed.doubled) <= unsettled
    assert len(pushed.doubled) == len(set(pushed.doubled)), "a third copy"


def test_events_are_refused_while_the_database_and_redis_are_down(
    server: Postgres, tmp_path: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    with Redis(tmp_path) as cache, EventSite(tmp_path, database_url=server.database(), redis_url=cache.url) as site:
        site.subscribe(receiver, 3, APP)
        cache.stop()
        server.stop()
        refused = [site.post_batch(APP, [f"refused{n}"]) for n in range(3)] + [send_app(site)]
        server.start()
        cache.start()
        site.publish(APP, ["after"])
        site.settle()
        found = [event["id"] for event in site.read(APP)]
        pushed = site.count_pushes(APP, pairs(3, ["after"]), receiver)

    for answer in refused:
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    assert found == ["after"]
    tell(capsys, "database and Redis down for 4 events, all refused", pushed)
    assert pushed == FLAWLESS


def test_an_event_becomes_one_email_though_workers_are_killed(
    database: str, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [f"e{n}" for n in range(200)]
    resource = "urn:altinn:resource:mailed"
    with EventSite(tmp_path, database_url=database_url, lease=LEASE) as site:
        site.add_subscription(endPoint="mailto:kari@example.no", resourceFilter=resource, template="event")
        for start in range(0, 200, 10):
            site.publish(resource, ids[start : start + 10])
        wait_for(lambda: len(site.ledger.orders()) >= 50)
        for name in WORKERS:
            site.varsel.kill(name)
        recorded = site.ledger.email_ids(EmailState.SUCCEEDED)  # on the short way, what is sent has no row yet
        site.settle()
        orders = site.ledger.orders()
        emails = site.ledger.email_ids()

    copies = Counter(message.message_id for message in site.relay.messages)
    mails = {email_id: copies.pop(f"<{email_id}@varsel.example>", 0) for email_id in emails}
    doubled = sorted(email_id for email_id, number in mails.items() for _ in range(number - 1))
    tell(
        capsys,
        f"workers killed while 200 events become mails on {database}",
        Count([email_id for email_id, number in mails.items() if not number], doubled, [], sorted(copies)),
    )
    assert Counter(order.senders_reference for order in orders) == Counter(ids)
    assert len(mails) == len(ids)
    assert min(mails.values()) == 1
    assert not copies, "mails that nobody ordered"
    assert not set(doubled) & set(recorded), "what was recorded is not sent again"
    assert len(doubled) == len(set(doubled)), "a third copy"


def test_the_end_of_an_order_is_one_event_though_workers_are_killed(
    database: str, database_url: str, tmp_path: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    to = addresses(300)
    with EventSite(tmp_path, database_url=database_url, lease=LEASE) as site:
        site.subscribe(receiver, 2, STATUS)
        for start in range(0, 300, 10):
            site.post(*to[start : start + 10])
        site.await_copies(50)
        for name in WORKERS:
            site.varsel.kill(name)
        unsettled = site.unsettled(STATUS)
        site.settle()
        events = site.read(STATUS)
        orders = [f"{row.id}-completed" for row in site.ledger.orders()]
        emails = [f"{email_id}-succeeded" for email_id in site.ledger.email_ids()]
        pushed = site.count_pushes(STATUS, pairs(2, orders + emails), receiver)

    assert len(orders) == 30
    assert len(emails) == 300
    assert Counter(event["id"] for event in events) == Counter(orders + emails)
    types = Counter(event["type"] for event in events)
    assert types == {"no.varsel.order.completed": 30, "no.varsel.email.succeeded": 300}
    tell(capsys, f"workers killed while 30 orders end on {database}", pushed)
    assert (pushed.lost, pushed.renamed, pushed.unordered) == ([], [], [])
    assert set(pushed.doubled) <= unsettled
    assert len(pushed.doubled) == len(set(pushed.doubled)), "a third copy"


def post_app(site: EventSite) -> str:
    """Publish an app's event; returns its id."""
    answer = send_app(site)
    assert answer.status_code == 201, answer.text
    return str(answer.json())


def send_app(site: EventSite) -> httpx.Response:
    token = site.varsel.key.platform_token("ttd", "apps-test", timedelta(hours=1))
    return site.events.post(f"{API}/app", json=APP_EVENT, headers={"PlatformAccessToken": token})
