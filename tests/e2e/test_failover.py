"""A standby takes the primary's place under load: service goes on by itself, and says what is lost, if anything is."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Self

import httpx
import psycopg
import pytest

from tests.helpers import suite
from tests.helpers.counting import tell
from tests.helpers.ledger import Ledger
from tests.helpers.waiting import LEASE, wait_for
from tests.servers.event_site import EventSite, pairs
from tests.servers.http import Receiver, Slow
from tests.servers.installation import API, order
from tests.servers.postgres import Postgres, name_of
from tests.servers.sentinels import Sentinels
from tests.servers.site import FLAWLESS, Site, addresses
from tests.servers.smtp_script import Hang
from tests.servers.smtp_script import Slow as SlowReply
from tests.servers.standby import Standby

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.smtp_script import Script

pytestmark = pytest.mark.slow

RESOURCE = "urn:altinn:resource:failover"
SUBSCRIPTIONS = 3
MARK = "SELECT mark FROM installation"
SLOW: Script = {"dot": SlowReply(0.02)}


class Load:
    """What is ordered and published for as long as the context lives: each once, whatever the answer."""

    def __init__(self, site: EventSite) -> None:
        self._site = site
        self._enough = threading.Event()
        self.tried: dict[str, list[str]] = {"orders": [], "events": []}
        self.accepted: dict[str, list[str]] = {"orders": [], "events": []}
        self.resumed = 0.0  # when an order was accepted after one that was not

    def __enter__(self) -> Self:
        acts = {"orders": self._order, "events": self._publish}
        self._threads = [threading.Thread(target=self._go_on, args=each) for each in acts.items()]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def await_more(self, number: int) -> None:
        """Return when so many more of each were accepted."""
        before = {kind: len(its) for kind, its in self.accepted.items()}
        wait_for(lambda: all(len(its) >= before[kind] + number for kind, its in self.accepted.items()))

    def _go_on(self, kind: str, act: Callable[[str], httpx.Response]) -> None:
        refused = False
        while not self._enough.is_set():
            name = f"{kind}.{len(self.tried[kind])}@example.no"
            self.tried[kind].append(name)
            with suppress(httpx.HTTPError):
                if act(name).is_success:
                    self.accepted[kind].append(name)
                    if refused and kind == "orders":
                        self.resumed = time.monotonic()
                    refused = False
                    continue
            refused = True

    def _order(self, name: str) -> httpx.Response:
        return self._site.client.post(f"{API}/orders/email", json=order(name))

    def _publish(self, name: str) -> httpx.Response:
        return self._site.post_batch(RESOURCE, [name])


@contextmanager
def two_servers(*, synchronous: bool) -> Iterator[tuple[Postgres, Standby, str]]:
    """A primary, its standby, and the address of a database on whichever is the primary."""
    with ExitStack() as stack:
        primary = stack.enter_context(Postgres())
        standby = stack.enter_context(Standby(primary, synchronous=synchronous))
        yield primary, standby, standby.both(primary.database())


def test_with_a_synchronous_standby_nothing_that_was_accepted_is_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = addresses(1000)
    with (
        two_servers(synchronous=True) as (primary, standby, url),
        EventSite(tmp_path, database_url=url, lease=LEASE) as site,
        Receiver(Slow(0.02)) as receiver,
    ):
        site.subscribe(receiver, SUBSCRIPTIONS, RESOURCE)
        with Load(site) as load:
            site.post(*to)
            load.await_more(20)
            killed = time.monotonic()
            primary.kill()
            standby.await_replayed()
            with Ledger(standby.address(name_of(url))) as ledger:
                in_flight = ledger.in_flight()
                unsettled = site.unsettled(RESOURCE, ledger)
            standby.promote()
            wait_for(lambda: load.resumed > killed)
            load.await_more(20)
        site.settle(hurried=True)
        assert not told(site)
        pushed = site.count_pushes(RESOURCE, pairs(SUBSCRIPTIONS, load.accepted["events"]), receiver)

    mails = site.count([*to, *load.accepted["orders"]])
    tell(capsys, "synchronous standby promoted under load, e-mails", mails)
    tell(capsys, "likewise, pushes", pushed)
    took = f"orders are taken again {load.resumed - killed:.1f} s after the primary was killed"
    suite.tell(capsys.request.node, f"{took}; {len(in_flight)} e-mails and {len(unsettled)} pushes were open")
    assert (mails.lost, mails.renamed) == ([], [])
    assert set(mails.doubled) <= in_flight
    assert set(mails.unordered) <= set(load.tried["orders"])
    assert (pushed.lost, pushed.renamed) == ([], [])
    assert set(pushed.doubled) <= unsettled
    assert set(pushed.unordered) <= set(pairs(SUBSCRIPTIONS, load.tried["events"]))


def test_what_an_asynchronous_standby_lacks_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(50)
    with (
        two_servers(synchronous=False) as (primary, standby, url),
        Site(tmp_path, {"connect": Hang()}, database_url=url, lease=LEASE) as site,
    ):
        old, new = (each.address(name_of(url)) for each in (primary, standby))
        site.post(*to)
        wait_for(lambda: number(new, "SELECT count(*) FROM emails") == len(to))
        standby.cut_off()
        site.relay.script = {}
        site.relay.release()
        site.post("lost@example.no")
        site.await_mails(*to, "lost@example.no")
        site.settle()  # what no primary has recorded yet would be recorded by the new one
        wait_for(lambda: number(old, MARK) > number(new, MARK))
        primary.kill()
        standby.promote()
        site.settle(hurried=True)
        wait_for(lambda: told(site))
        site.post("after@example.no")
        site.settle()
        log = "".join(site.varsel.output)
        assert not site.ledger.overview()["pauses"]
        assert site.ledger.emails().keys() == {*to, "after@example.no"}

    mails = site.count([*to, "lost@example.no", "after@example.no"])
    tell(capsys, "asynchronous standby promoted that lacked 50 sent mails and an order", mails)
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])
    assert mails.doubled == sorted(to), "what was sent since the standby was cut off"
    assert log.count("the database lacks what was done from") == 1


def test_sentinels_choose_another_redis_while_mails_are_sent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = addresses(200)
    (tmp_path / "redis").mkdir()
    with Sentinels(tmp_path / "redis") as redis, Site(tmp_path, SLOW, redis_url=redis.url) as site:
        site.post(*to[:100])
        site.await_copies(20)
        redis.kill_master()
        for address in to[100:]:
            site.post(address)
        site.settle()
        assert site.client.get("/readyz").json()["redis"] == "ok"

    mails = site.count(to)
    tell(capsys, "Redis killed and replaced by its Sentinels in 200 mails", mails)
    assert mails == FLAWLESS


def told(site: Site) -> bool:
    """Whether the console says that something is missing."""
    return any("a server took over" in each["text"] for each in site.ledger.overview()["findings"])


def number(url: str, question: str) -> int:
    """The answer of one of the servers; 0 while there is none."""
    with psycopg.connect(url) as connection:
        [found] = connection.execute(question.encode()).fetchone() or [0]
        return int(found)
