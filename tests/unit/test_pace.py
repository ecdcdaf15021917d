"""The pace of e-mails: buckets, slowdowns, and what both do together. No test waits: the time is passed in."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.email.bucket import Bucket
from engine.email.pace import AHEAD, LEAST, Target
from engine.email.pressure import Kind, asks
from engine.email.slowdown import FORGOTTEN_AFTER, RISES_IN, SETTLES_IN, Recent, Slowdown
from engine.email.smtp import Phase
from tests.helpers.paces import RELAY, SLOWLY, go, outcome, pace_of, slow_down

if TYPE_CHECKING:
    from pathlib import Path


@given(st.floats(0.1, 500), st.lists(st.floats(0, 3), max_size=200))
def test_a_bucket_lets_no_more_through_than_its_rate_and_one_second(rate: float, steps: list[float]) -> None:
    bucket, now, gone = Bucket(0.0), 0.0, 0
    for step in steps:
        now += step
        while bucket.has(now, rate):
            bucket.take()
            gone += 1
    assert gone <= 1 + rate * now + 0.001


def test_a_slowdown_halves_the_pace_and_then_each_second_of_use_adds_the_same() -> None:
    slowdown = Slowdown(before=100.0, least=0.2, said="no", now=0.0)
    assert slowdown.rate == 50
    for _ in range(50):
        slowdown.taken()
    a_second = slowdown.rate - 50
    assert a_second == pytest.approx(100 / RISES_IN, rel=0.01)
    slowdown.asked("no", SETTLES_IN)
    before = slowdown.rate
    for _ in range(round(before)):
        slowdown.taken()
    assert slowdown.rate - before == pytest.approx(a_second, rel=0.05)


def test_replies_to_what_went_before_a_change_do_not_lower_the_pace_again() -> None:
    slowdown = Slowdown(before=100.0, least=0.2, said="no", now=0.0)
    slowdown.asked("no", SETTLES_IN - 0.1)
    assert slowdown.rate == 50
    slowdown.asked("no", SETTLES_IN)
    assert slowdown.rate == 25


def test_a_slowdown_ends_at_the_pace_before_or_when_it_is_long_ago() -> None:
    slowdown = Slowdown(before=10.0, least=0.2, said="no", now=0.0)
    assert not slowdown.is_over(FORGOTTEN_AFTER)
    assert slowdown.is_over(FORGOTTEN_AFTER + 1)
    while not slowdown.is_over(1.0):
        slowdown.taken()
    assert slowdown.rate >= 10


def test_what_is_recent_is_counted_and_what_is_old_is_forgotten() -> None:
    recent: Recent[str] = Recent(0.0)
    for tenth in range(80):
        recent.add("a", tenth / 10)
    assert recent.rate("a", 8.0) == pytest.approx(10, rel=0.1)
    assert recent.count("b", 8.0) == 0
    assert recent.count("a", 100.0) == 0


def test_nothing_waits_where_there_is_neither_limit_nor_pressure(tmp_path: Path) -> None:
    pace = pace_of(tmp_path)
    assert go(pace, "example.no", 0.0, 10_000) == 10_000
    assert pace.slowed(0.0) == []


def test_a_limit_of_a_domain_leaves_others_alone_and_one_of_the_relay_does_not(tmp_path: Path) -> None:
    pace = pace_of(tmp_path, f'[domain."Example.NO"]\nrate = 10\n[relay."{RELAY}"]\nrate = 100\n')
    assert go(pace, "example.no", 100.0, 1000) == 1, "nobody knows what went in the second before"
    assert go(pace, "example.no", 101.0, 1000) == 10
    assert go(pace, "other.no", 101.0, 1000) > 10
    assert go(pace, "example.no", 102.0, 1000) + go(pace, "other.no", 102.0, 1000) == 100
    assert {(slowed.kind, slowed.name, slowed.rate) for slowed in pace.slowed(102.0)} == {
        ("domain", "example.no", 10.0),
        ("relay", RELAY, 100.0),
    }
    assert pace.slowed(200.0) == [], "nothing has waited for long"


def test_an_e_mail_that_waits_for_the_relay_uses_up_nothing_of_its_domain(tmp_path: Path) -> None:
    pace = pace_of(tmp_path, f'[domain."example.no"]\nrate = 2\n[relay."{RELAY}"]\nrate = 1\n')
    go(pace, "other.no", 10.0, 5)
    for _ in range(5):
        assert pace.enter(RELAY, "example.no", 10.0) == (Kind.RELAY, RELAY)
    assert go(pace, "example.no", 11.0, 5) == 1


@pytest.mark.parametrize(("connections", "workers"), [(5, 2), (1, 3), (4, 4), (7, 3)])
def test_workers_divide_a_limit_without_a_rest(connections: int, workers: int, tmp_path: Path) -> None:
    pace = pace_of(tmp_path, f'[domain."example.no"]\nrate = 12\nconnections = {connections}\n')
    begun = sent = 0
    mine = pace.counter()
    for place in range(workers):
        pace.divide(workers, place)
        while not pace.is_full("example.no", 0.0):
            mine["example.no"] += 1
        begun += mine.pop("example.no", 0)
    assert begun == connections
    for place in range(workers):
        pace = pace_of(tmp_path, '[domain."example.no"]\nrate = 12\n')
        pace.divide(workers, place)
        go(pace, "example.no", 0.0, 100)
        sent += go(pace, "example.no", 10.0, 100)
    assert sent == 12


def test_no_worker_is_without_a_connection_to_all_domains_that_have_few(tmp_path: Path) -> None:
    names = [f"{number}.no" for number in range(30)]
    pace = pace_of(tmp_path, "".join(f'[domain."{name}"]\nconnections = 1\n' for name in names))
    shares = []
    for place in range(3):
        pace.divide(3, place)
        shares.append(sum(not pace.is_full(name, 0.0) for name in names))
    assert sum(shares) == len(names)
    assert min(shares) > 0


def test_a_worker_knows_how_many_may_go(tmp_path: Path) -> None:
    pace = pace_of(tmp_path, '[domain."example.no"]\nrate = 20\n[domain."few.no"]\nconnections = 3\n')
    example, other = Target(Kind.DOMAIN, "example.no"), Target(Kind.DOMAIN, "other.no")
    assert (pace.room(other, 0.0), pace.free("other.no")) == (inf, inf)
    assert pace.room(example, 0.0) == 1
    go(pace, "example.no", 0.0)
    assert [round(pace.room(example, second), 3) for second in (0.0, 0.5, 1.0, 9.0)] == [0, 10, 20, 20]
    assert pace.free("few.no") == 3
    pace.counter()["few.no"] = 2
    assert pace.free("few.no") == 1


def test_a_pace_that_is_raised_is_felt_at_once() -> None:
    bucket = Bucket(0.0)
    assert bucket.has(0.0, 0.01)
    bucket.take()
    assert bucket.room(1.0, 0.01) == 0.01
    assert bucket.room(1.0, 1000.0) == 1000


def test_the_faster_a_domain_takes_e_mails_the_more_stand_in_its_line(tmp_path: Path) -> None:
    pace = pace_of(tmp_path)
    assert pace.ahead("example.no", 0.0) == 1
    for tenth in range(100):
        go(pace, "example.no", tenth / 10)
    assert pace.ahead("example.no", 10.0) == 1 + int(10 * AHEAD)


def test_several_replies_that_ask_for_less_slow_their_domain_down_alone(tmp_path: Path) -> None:
    pace = pace_of(tmp_path)
    go(pace, "example.no", 0.0, 100)
    for _ in range(2):
        pace.heard("example.no", outcome(451, SLOWLY), 1.0)
    assert pace.slowed(1.0) == [], "two may be chance"
    pace.heard("example.no", outcome(451, SLOWLY), 1.0)
    [slowed] = pace.slowed(1.0)
    assert (slowed.kind, slowed.name, slowed.said, slowed.since) == ("domain", "example.no", f"451 {SLOWLY}", 1.0)
    assert slowed.rate == pytest.approx(50)
    assert go(pace, "example.no", 1.1, 1000) < 10
    assert go(pace, "other.no", 1.1, 1000) == 1000


def test_a_domain_that_takes_e_mails_again_gets_them_faster_until_nothing_waits(tmp_path: Path) -> None:
    pace = pace_of(tmp_path)
    now, rates = slow_down(pace, "example.no", 0.0), []
    while slowed := pace.slowed(now):
        now += 0.1
        for _ in range(go(pace, "example.no", now, 50)):
            pace.heard("example.no", outcome(), now)
        rates.append(slowed[0].rate or 0.0)
    assert rates == sorted(rates)
    assert now < RISES_IN
    assert go(pace, "example.no", now, 1000) == 1000


def test_a_domain_that_takes_nothing_still_gets_an_e_mail_now_and_then(tmp_path: Path) -> None:
    pace = pace_of(tmp_path)
    now = slow_down(pace, "example.no", 0.0)
    for _ in range(300):
        now += 1
        for _ in range(go(pace, "example.no", now, 50)):
            pace.heard("example.no", outcome(451, SLOWLY), now)
    [slowed] = pace.slowed(now)
    assert slowed.rate == LEAST[Kind.DOMAIN]
    assert sum(go(pace, "example.no", now + second, 50) for second in range(1, 101)) == pytest.approx(20, abs=2)


def test_a_pace_settles_below_what_a_domain_takes(tmp_path: Path) -> None:
    pace, taken, refused = pace_of(tmp_path), 0, 0
    takes = Bucket(0.0)
    for tenth in range(100, 6100):
        now = tenth / 10
        for _ in range(20):  # 200 a second want to go
            if go(pace, "example.no", now):
                if fits := takes.has(now, 20.0):
                    takes.take()
                pace.heard("example.no", outcome() if fits else outcome(451, SLOWLY), now)
                taken, refused = taken + fits, refused + (not fits)
    assert taken > 20 * 600 * 0.5, "at least half of what it would take"
    assert refused < taken / 10


def test_a_limit_that_is_lower_than_a_slowdown_goes_on(tmp_path: Path) -> None:
    pace = pace_of(tmp_path, '[domain."example.no"]\nrate = 3\n')
    slow_down(pace, "example.no", 0.0, rate=3)
    assert go(pace, "example.no", 20.0, 100) <= 3


@pytest.mark.parametrize(
    ("code", "text", "phase", "attempts", "whom"),
    [
        (421, "4.7.0 try again later", Phase.CONNECT, 0, Kind.RELAY),
        (421, "closing", Phase.MAIL, 0, Kind.RELAY),
        (421, "4.7.28 unusual rate", Phase.DOT, 0, Kind.DOMAIN),
        (421, "later", Phase.RCPT, 0, Kind.DOMAIN),
        (452, "4.3.1 insufficient system storage", Phase.RCPT, 0, Kind.RELAY),
        (451, "4.3.2 not now", Phase.DOT, 0, Kind.RELAY),
        (451, "4.7.1 try again later", Phase.DOT, 0, Kind.DOMAIN),
        (450, "4.7.1 try again later", Phase.RCPT, 0, None),  # greylisting, perhaps
        (450, "4.7.1 try again later", Phase.RCPT, 1, Kind.DOMAIN),
        (450, "4.7.1 too many mails, slow down", Phase.RCPT, 0, Kind.DOMAIN),
        (451, "4.7.1 Greylisted, try again in 300 s", Phase.RCPT, 3, None),
        (450, "4.2.0 <kari@example.no>: Recipient address rejected: Greylisted", Phase.DOT, 0, None),
        (452, "4.2.2 mailbox full", Phase.RCPT, 2, None),
        (450, "4.1.1 unverified address", Phase.RCPT, 2, None),
        (454, "4.7.0 TLS not available", Phase.CONNECT, 0, None),
        (None, "connection refused", Phase.CONNECT, 0, None),
        (250, "ok", Phase.DOT, 0, None),
    ],
    ids=str,
)
def test_who_asks_for_less(code: int | None, text: str, phase: Phase, attempts: int, whom: Kind | None) -> None:
    assert asks(outcome(code, text, phase, attempts=attempts)) is whom
