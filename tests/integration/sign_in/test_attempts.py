"""How often somebody may try to sign in."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import redis

from api.console import browsers, sign_in
from engine.auth.attempts import FIRST_WAIT, FREE, LONGEST_WAIT, Attempt, Attempts
from tests.helpers.console import PASSWORD
from tests.helpers.sign_in import ELSEWHERE, Browser, Site, settings
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from engine.db.store import Store

pytestmark = pytest.mark.slow


def test_after_five_failures_a_name_has_to_wait_wherever_the_next_try_comes_from(audited: Site) -> None:
    for number in range(FREE):
        assert Browser(audited, address=f"203.0.113.{number}").sign_in(password="wrong").status_code == 403
    browser = Browser(audited, address="198.51.100.1")
    answer = browser.sign_in()  # even with the right password
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 15
    assert re.search(rf"Wait {answer.headers['retry-after']} seconds?, then", answer.text)
    assert audited.audit() == [("anna", "sign-in-refused", {"source": "file", "from": "203.0.113.4"})]


def fail_elsewhere(site: Site, name: str = "anna") -> None:
    """Strangers try until the name is locked for a while."""
    for number in range(FREE):
        assert Browser(site, address=f"203.0.113.{number}").sign_in(name, "wrong").status_code == 403
    assert Browser(site, address="198.51.100.1").sign_in(name).status_code == 429


def test_strangers_lock_nobody_out_of_a_browser_in_which_the_name_has_signed_in(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    assert browser.sign_in().status_code == 303
    fail_elsewhere(site)
    neighbour = Browser(site, address=ELSEWHERE)  # behind the same proxy, say
    for number in range(FREE):
        assert neighbour.sign_in(f"nobody{number}").status_code == 403
    assert neighbour.sign_in().status_code == 429
    assert browser.sign_in().status_code == 303
    moved = Browser(site, address="198.51.100.2")
    moved.client.cookies = browser.client.cookies
    assert moved.sign_in().status_code == 303


def test_strangers_lock_nobody_out_at_an_address_from_which_the_name_has_signed_in(site: Site) -> None:
    assert Browser(site, address="2001:db8::1").sign_in().status_code == 303
    fail_elsewhere(site)
    assert Browser(site, address="2001:db8::2").sign_in().status_code == 303
    assert Browser(site, address="2001:db8:0:1::1").sign_in().status_code == 429


def test_behind_a_trusted_proxy_strangers_lock_out_nobody_at_another_address(
    kept: Store, client: redis.Redis, file: Path
) -> None:
    site = Site(kept, client, settings(operators_file=file, trusted_proxies="10.0.0.0/24"))

    def behind(proxy: str, said: str) -> Browser:
        return Browser(site, address=proxy, **{"X-Forwarded-For": said})

    for number in range(FREE):
        assert behind("10.0.0.7", f"198.51.100.{number}, {ELSEWHERE}").sign_in(f"n{number}").status_code == 403
    assert behind("10.0.0.8", f"{ELSEWHERE}:4711").sign_in().status_code == 429
    assert behind("10.0.0.7", "198.51.100.1").sign_in().status_code == 303
    assert site.audit()[-1] == ("anna", "sign-in", {"from": "198.51.100.1", "source": "file"})

    for number in range(FREE):  # whoever is no proxy makes up nothing
        assert behind("198.51.100.9", f"203.0.113.{number}").sign_in(f"m{number}").status_code == 403
    assert behind("198.51.100.9", "203.0.113.200").sign_in().status_code == 429


def test_a_browser_that_is_known_has_five_tries_of_its_own(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    browser.sign_in()
    for _ in range(FREE):
        assert browser.sign_in(password="wrong").status_code == 403
    assert browser.sign_in().status_code == 429
    assert Browser(site, address="198.51.100.1").sign_in().status_code == 303


def test_a_browser_is_known_by_nothing_that_others_can_make(site: Site) -> None:
    kari, anna = Browser(site, address="198.51.100.7"), Browser(site)
    kari.sign_in("kari")
    anna.sign_in()
    value = str(anna.client.cookies.get(browsers.COOKIE))
    fail_elsewhere(site)
    assert kari.sign_in().status_code == 429
    stranger = Browser(site, address="198.51.100.8")
    for forged in (value[:-1], value[::-1], f"x{value}", anna.cookie, ""):
        stranger.client.cookies.set(browsers.COOKIE, forged, "127.0.0.1", browsers.PATH)
        assert stranger.sign_in().status_code == 429


def test_strangers_wait_for_each_other_in_a_short_queue_and_nobody_who_is_known_waits_for_them(site: Site) -> None:
    known = Browser(site)
    known.sign_in()
    strangers = [Browser(site, address=f"203.0.113.{number}") for number in range(30)]
    forms = [{"name": f"n{number}", "password": "x", "csrf": each.token()} for number, each in enumerate(strangers)]
    mine = {"name": "anna", "password": PASSWORD, "csrf": known.token()}

    async def run() -> list[int]:
        with site.app.state.entrance.strangers_hashing.turn() as limiter:
            async with limiter:  # somebody's password is being looked at
                posts = [
                    asyncio.ensure_future(each.client.post("/console/sign-in", data=form))
                    for each, form in zip(strangers, forms, strict=True)
                ]
                refused: set[asyncio.Future[httpx.Response]] = set()
                while len(refused) < len(posts) - sign_in.QUEUE:
                    done, _ = await asyncio.wait(set(posts) - refused, return_when=asyncio.FIRST_COMPLETED)
                    refused |= done
                assert {post.result().status_code for post in refused} == {429}
                assert (await known.client.post("/console/sign-in", data=mine)).status_code == 303
            return sorted(answer.status_code for answer in await asyncio.gather(*posts))

    assert asyncio.run(run()) == [403] * sign_in.QUEUE + [429] * (30 - sign_in.QUEUE)


def test_after_five_failures_an_address_has_to_wait_whatever_the_name(audited: Site) -> None:
    browser = Browser(audited, address=ELSEWHERE)
    for name in ("a", "b", "c", "<script>", "e" * 500):
        assert browser.sign_in(name).status_code == 403
    for _ in range(20):
        assert browser.sign_in().status_code == 429
    assert audited.audit() == [("unknown", "sign-in-refused", {"source": "file", "from": ELSEWHERE})]
    assert Browser(audited).sign_in().status_code == 303


def test_a_good_sign_in_forgets_the_failures_of_its_name_but_not_those_of_its_address(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    for _ in range(FREE - 1):
        assert browser.sign_in(password="wrong").status_code == 403
    assert browser.sign_in().status_code == 303
    assert Browser(site).sign_in(password="wrong").status_code == 403
    assert Browser(site).sign_in().status_code == 303
    assert browser.sign_in("bob").status_code == 403
    assert browser.sign_in("bob").status_code == 429


def test_neighbours_in_an_ipv6_network_count_as_one(site: Site) -> None:
    network = ipaddress.ip_network("2001:db8:0:1::/64")
    for number in range(FREE):
        assert Browser(site, address=str(network[number])).sign_in("bob").status_code == 403
    assert Browser(site, address=str(network[2**63])).sign_in().status_code == 429
    assert Browser(site, address="2001:db8:0:2::1").sign_in().status_code == 303


def test_every_further_failure_doubles_the_wait_up_to_a_bound(client: redis.Redis) -> None:
    attempts = Attempts(client)
    waits = []
    for number in range(14):
        assert attempts.begin(["name:anna"]) == Attempt(timedelta(0), last_free=number == FREE - 1)
        if number >= FREE - 1:
            waits.append(attempts.begin(["name:anna"]).wait.total_seconds())
            client.delete("varsel:sign-in:name:anna:wait")  # as if it had passed
    expected = [min(FIRST_WAIT * 2**number, LONGEST_WAIT).total_seconds() for number in range(10)]
    assert waits == pytest.approx(expected, abs=1)
    assert 0 < client.pttl("varsel:sign-in:name:anna") <= 3_600_000


def test_many_tries_at_once_are_no_way_around_the_count(site: Site) -> None:
    browser = Browser(site, address=ELSEWHERE)
    fields = {"name": "anna", "password": "wrong", "csrf": browser.token()}

    async def run() -> list[int]:
        posts = (browser.client.post("/console/sign-in", data=fields) for _ in range(20))
        return sorted(answer.status_code for answer in await asyncio.gather(*posts))

    assert asyncio.run(run()) == [403] * FREE + [429] * (20 - FREE)


def test_while_redis_does_not_answer_each_process_counts_for_itself(kept: Store, file: Path, tmp_path: Path) -> None:
    with Redis(tmp_path) as server, redis.Redis.from_url(server.url, retry=None) as client:
        site = Site(kept, client, settings(operators_file=file))
        server.stop()
        browser = Browser(site, address=ELSEWHERE)
        assert browser.sign_in().status_code == 303
        for _ in range(FREE):
            assert browser.sign_in(password="wrong").status_code == 403
        answer = browser.sign_in()
        assert answer.status_code == 429
        assert 1 <= int(answer.headers["retry-after"]) <= 15
        assert Browser(site, address="198.51.100.1").sign_in("bob").status_code == 403
