"""When processes die, no mail is lost, and only mails in flight come twice, with the same Message-ID."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
import redis

from api.recipients import NDJSON
from tests.helpers.command import varsel
from tests.helpers.counting import tell
from tests.helpers.waiting import KEPT, slowness, wait_for
from tests.servers.installation import API, at, order
from tests.servers.postgres import Postgres
from tests.servers.redis import Redis
from tests.servers.site import FLAWLESS, Site, addresses, stopped
from tests.servers.smtp_script import Slow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.smtp_script import Script

SLOW: Script = {"dot": Slow(0.02)}  # so that a test can meet work in the middle


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), SLOW) as running:
        yield running


@pytest.fixture
def site(whole: Site) -> Site:
    """An installation with nothing left to do; tests break only what its supervisor repairs."""
    whole.settle()
    whole.relay.messages.clear()
    return whole


def test_a_worker_is_killed_in_the_middle_of_4100_mails(
    database: str, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to, followed = addresses(2000), addresses(2100, "followed")  # these are two portions
    with Site(tmp_path, SLOW, database_url=database_url, lease=KEPT) as site:
        location, followed_by = site.post(*to[:1800]), site.follow(*followed)
        site.post_each_kind(to[1800:1900])
        site.await_copies(500)
        site.post_each_kind(to[1900:1950])
        assert site.client.put(f"{followed_by}/close").is_success
        site.varsel.kill(site.busiest(site.relay.port))
        in_flight = site.ledger.in_flight()
        site.post_each_kind(to[1950:])
        site.settle()
        status = site.client.get(f"{location}/status").json()

    mails = site.count(to + followed)
    tell(capsys, f"worker killed in 4,100 mails on {database}", mails)
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])
    assert set(mails.doubled) <= in_flight
    assert len(mails.doubled) == len(set(mails.doubled)), "a third copy"
    assert status["processingStatus"]["status"] == "Completed"
    summary = status["notificationsStatusSummary"]["email"]
    assert (summary["generated"], summary["succeeded"]) == (1800, 1800)


def test_web_is_killed_in_the_middle_of_an_upload(site: Site) -> None:
    its = site.follow()
    lines = [b'{"emailAddress":"mottaker%d@example.no"}\n' % number for number in range(20_000)]

    def body() -> Iterator[bytes]:
        yield b"".join(lines[:15_000])
        with site.varsel.client() as another:
            wait_for(lambda: another.get(f"{its}/recipients").json()["valid"])
        site.restart("web")
        yield b"".join(lines[15_000:])

    with pytest.raises(httpx.HTTPError):
        site.client.post(f"{its}/recipients", content=body(), headers={"Content-Type": NDJSON})
    wait_for(lambda: answered(site, its))
    next_line = site.client.get(f"{its}/recipients").json()["nextLine"]
    assert 1 < next_line <= 15_001
    rest = b"".join(lines[next_line - 1 :])
    told = site.client.post(
        f"{its}/recipients", params={"fromLine": next_line}, content=rest, headers={"Content-Type": NDJSON}
    ).json()
    assert (told["valid"], told["duplicate"], told["nextLine"]) == (20_000, 0, 20_001)
    assert site.client.put(f"{its}/cancel").is_success


def answered(site: Site, its: str) -> bool:
    with suppress(httpx.HTTPError):
        return site.client.get(its).is_success
    return False


def test_redis_forgets_everything_while_mails_are_sent(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(1000, "flushed")
    with redis.Redis.from_url(site.varsel.environment()["VARSEL_REDIS_URL"]) as forgetful:
        for start in range(0, 1000, 50):
            site.post(*to[start : start + 45])
            site.post_each_kind(to[start + 45 : start + 50])
            forgetful.flushall()
            site.await_copies(start - 200)
            forgetful.flushall()
        site.settle()

    mails = site.count(to)
    tell(capsys, "Redis flushed 40 times in 1,000 mails", mails)
    assert mails == FLAWLESS


def test_redis_is_killed_and_started_again(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(500, "before") + addresses(100, "after")
    site.post(*to[:500])
    site.await_copies(50)
    site.varsel.kill("redis")
    for address in to[500:]:
        site.post(address)
    site.settle()

    mails = site.count(to)
    tell(capsys, "Redis killed in 600 mails", mails)
    assert mails == FLAWLESS


def test_the_scheduler_is_killed(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(30, "later")
    for start in range(0, 30, 10):
        soon = timedelta(seconds=2 * slowness())
        for address in to[start : start + 5]:
            site.post(address, requestedSendTime=at(soon))
        site.post_chain(*to[start + 5 : start + 10], after=soon)
        site.restart("scheduler")
    site.settle()

    mails = site.count(to)
    tell(capsys, "scheduler killed 3 times before send times", mails)
    assert mails == FLAWLESS


def test_of_two_schedulers_one_stands_still_and_the_other_keeps_the_clock(site: Site) -> None:
    def clocks() -> list[str]:
        found = json.loads(varsel("processes", "--json", data=str(site.varsel.folder)).stdout)["items"]
        return sorted(each["clock"] for each in found if each["kind"] == "scheduler")

    with site.another("scheduler"):
        wait_for(lambda: clocks() == ["kept", "kept"])
        with stopped(site.varsel.pid("scheduler")):
            wait_for(lambda: clocks() == ["kept", "silent"])
            site.post("kept@example.no", requestedSendTime=at(timedelta(seconds=1)))
            site.settle()
        wait_for(lambda: clocks() == ["kept", "kept"])
    wait_for(lambda: clocks() == ["kept"])
    assert site.count(["kept@example.no"]) == FLAWLESS


def test_the_web_process_is_killed_right_after_each_answer(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    def answers() -> bool:
        try:
            return site.client.get("/livez").is_success
        except httpx.TransportError:
            return False

    to = addresses(5, "web")
    for post, some in ((site.post, to[:1]), (site.post_instant, to[1:2]), (site.post_chain, to[2:])):
        post(*some)
        site.restart("web")
        wait_for(answers)
    site.settle()

    mails = site.count(to)
    tell(capsys, "web killed right after each of 3 answers", mails)
    assert mails == FLAWLESS


def test_orders_are_accepted_while_redis_is_down_and_delivered_when_it_is_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = addresses(20)
    with Redis(tmp_path) as cache, Site(tmp_path, redis_url=cache.url) as site:
        cache.stop()
        for address in to:
            site.post(address)
        ready = site.client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["status"] == "degraded"
        assert ready.json()["redis"] != "ok"
        cache.start()
        site.settle()

    mails = site.count(to)
    tell(capsys, "20 orders while Redis was down", mails)
    assert mails == FLAWLESS


def test_the_database_goes_away_and_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(300)
    with Postgres() as server, Site(tmp_path, SLOW, database_url=server.database(), lease=60) as site:
        location = site.post(*to)
        site.await_copies(50)
        server.stop()
        posted = site.client.post(f"{API}/orders/email", json=order("refused@example.no"))
        asked = site.client.get(f"{location}/status")
        ready = site.client.get("/readyz")
        server.start()
        to.append("again@example.no")
        site.post(to[-1])
        site.settle()

    for answer in (posted, asked, ready):
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
    assert ready.json()["database"] != "ok"
    assert ready.json()["redis"] == "ok"
    mails = site.count(to)
    tell(capsys, "database gone in 300 mails", mails)
    assert mails == FLAWLESS  # the leases outlast the outage: what was sent meanwhile is recorded, not sent again
