"""E-mails that wait for a limit or a pace: others pass them, no attempt counts, and operators see why."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from redis import Redis
from sqlalchemy import func, select, update

from engine.admin import details
from engine.admin.exposition import exposition
from engine.admin.overview import overview
from engine.admin.slowness import slowness
from engine.db.dialects import Now
from engine.db.tables import emails
from engine.email import gate
from engine.email.limits import Limits
from engine.email.pace import Pace
from engine.email.pressure import Kind
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState, Priority, Slowed
from engine.observability import heartbeat
from engine.observability.heartbeat import Heartbeat
from engine.observability.heartbeat import Kind as ProcessKind
from engine.queue.fairness import ALL, Turns
from engine.runtime.clock import steady
from tests.helpers.command import varsel
from tests.helpers.mails import log
from tests.helpers.relaying import LEASE, Delivering
from tests.helpers.rows import add_email, add_order
from tests.helpers.several_relays import Worker, servers, setting
from tests.helpers.waiting import LONG, wait_for
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import ByAddress, Hang, Say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from engine.db.store import Store
    from tests.servers.smtp_script import Action, Phase, Script

SLOW, OTHER = "slow.no", "other.no"
MAILS = 40


class Hours:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hours:
    hours = Hours()
    monkeypatch.setattr(gate, "steady", hours)
    return hours


def fill(store: Store, *domains: str, count: int = MAILS) -> None:
    with store.write() as connection:
        for domain in domains:
            of = add_order(connection, state=OrderState.PROCESSED)
            for number in range(count):
                add_email(connection, of, address=f"kari.{number}@{domain}")


def states(store: Store, domain: str) -> Sequence[tuple[str, int]]:
    """State and attempts of the e-mails to a domain."""
    with store.read() as connection:
        chosen = select(emails.c.state, emails.c.attempts).where(emails.c.address.like(f"%@{domain}"))
        return [(row.state, row.attempts) for row in connection.execute(chosen.order_by(emails.c.seq))]


def sent(store: Store, domain: str) -> int:
    return sum(state == EmailState.SUCCEEDED for state, _ in states(store, domain))


def hurry(store: Store) -> None:
    """Make everything that waits due."""
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.due_at.is_not(None)).values(due_at=Now()))


def workers(
    store: Store,
    server: ScriptedSMTP,
    paces: Sequence[Pace],
    work: Callable[[Sequence[Delivering]], Awaitable[None]],
    turns: Turns = ALL,
) -> None:
    """A worker for each pace, with four connections."""

    async def opened() -> None:
        relays = [Relay(server.url, connections=4, connect_timeout=LONG, data_timeout=LONG) for _ in paces]
        try:
            await work(
                [Delivering(store, relay, 4, LEASE, pace, turns) for relay, pace in zip(relays, paces, strict=True)]
            )
        finally:
            for relay in relays:
                await relay.close()

    asyncio.run(opened())


async def run(at_work: Sequence[Delivering]) -> None:
    await asyncio.gather(*(worker.run() for worker in at_work))


def every(phase: Phase, action: Action) -> Script:
    """An action for all e-mails to SLOW."""
    return ByAddress({f"kari.{number}@{SLOW}": (phase, action) for number in range(MAILS)})


@pytest.mark.parametrize(
    ("phase", "action"),
    [("dot", Say(451, "4.7.0 slow down")), ("rcpt", Say(421, "4.7.0 too many", close=True))],
    ids=["451", "421"],
)
def test_a_domain_that_asks_for_less_gets_less_and_others_pass(
    phase: Phase, action: Action, store: Store, clock: Hours
) -> None:
    fill(store, SLOW, OTHER)
    pace = Pace(Limits(), clock())
    speeds: list[float] = []

    async def work(at_work: Sequence[Delivering]) -> None:
        await run(at_work)
        assert sent(store, OTHER) == MAILS
        untried = [attempts for _, attempts in states(store, SLOW) if not attempts]
        assert MAILS / 2 < len(untried) < MAILS, "most were handed back, and no attempt counts for them"
        server.script = {}
        for _ in range(100):
            speeds.extend(slowed.rate or 0.0 for slowed in pace.slowed(clock()))
            if sent(store, SLOW) == MAILS:
                break
            clock.now += 5
            hurry(store)
            await run(at_work)

    with ScriptedSMTP(every(phase, action)) as server:
        workers(store, server, [pace], work)
    assert sent(store, SLOW) == MAILS
    assert speeds == sorted(speeds), "each e-mail that is taken makes it faster"
    assert speeds[0] < speeds[-1]


def test_greylisting_slows_nothing_down(store: Store) -> None:
    fill(store, SLOW)
    with ScriptedSMTP(every("rcpt", Say(450, "4.7.1 try again later"))) as server:
        workers(store, server, [Pace(Limits(), steady())], run)
    assert [attempts for _, attempts in states(store, SLOW)] == [1] * MAILS


def test_two_workers_keep_to_a_limit_of_the_installation(store: Store, tmp_path: Path, clock: Hours) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nrate = 10\n')
    fill(store, SLOW, OTHER)
    paces = [Pace(Limits(file), clock()) for _ in range(2)]
    for place, pace in enumerate(paces):
        pace.divide(2, place)

    async def work(at_work: Sequence[Delivering]) -> None:
        await run(at_work)
        assert sent(store, OTHER) == MAILS
        for second in range(1, 20):
            clock.now += 1
            hurry(store)
            await run(at_work)
            assert sent(store, SLOW) <= 2 + 10 * second
        assert sent(store, SLOW) == MAILS

    with ScriptedSMTP() as server:
        workers(store, server, paces, work)
    assert [line.outcome for line in log(store)] == ["accepted"] * 2 * MAILS


def test_as_many_e_mails_to_a_domain_are_on_their_way_as_may_be_and_others_pass(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nconnections = 3\n')
    fill(store, SLOW, OTHER)
    paces = [Pace(Limits(file), steady()) for _ in range(2)]
    for place, pace in enumerate(paces):
        pace.divide(2, place)

    async def work(at_work: Sequence[Delivering]) -> None:
        running = asyncio.create_task(run(at_work))
        await asyncio.to_thread(server.wait_for, lambda: len(server.accepted) == MAILS)
        assert 1 <= sum(SLOW in line for _, line in server.commands) <= 3
        server.script = {}
        server.release()
        await running
        while sent(store, SLOW) < MAILS:
            hurry(store)
            await run(at_work)

    with ScriptedSMTP(every("dot", Hang())) as server:
        workers(store, server, paces, work)
    assert {line.outcome for line in log(store)} == {"accepted"}


def test_a_line_goes_on_without_the_database(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nconnections = 1\n')
    fill(store, SLOW, count=2)
    with ScriptedSMTP() as server:
        workers(store, server, [Pace(Limits(file), steady())], run)
    assert sent(store, SLOW) == 2, "nobody was handed back"
    with store.read() as connection:
        assert set(connection.scalars(select(emails.c.claim))) == {2}


def test_a_domain_that_takes_one_at_a_time_gets_many_with_a_claim_once_it_is_quick(
    store: Store, tmp_path: Path
) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nconnections = 1\n')
    fill(store, SLOW, count=300)
    rounds: list[int] = []

    async def work(at_work: Sequence[Delivering]) -> None:
        while not rounds or rounds[-1] < 300:
            await run(at_work)
            rounds.append(sent(store, SLOW))

    with ScriptedSMTP() as server:
        workers(store, server, [Pace(Limits(file), steady())], work)
    with store.read() as connection:
        assert (connection.scalar(select(func.sum(emails.c.claim))) or 0) < 2 * 3 * 300, "few were handed back"


def of_creators(store: Store, creators: Mapping[str, int], domain: str = SLOW) -> None:
    with store.write() as connection:
        for creator, count in creators.items():
            of = add_order(connection, state=OrderState.PROCESSED, creator=creator)
            for number in range(count):
                add_email(connection, of, address=f"{creator}.{number}@{domain}")


def sent_of(store: Store) -> Mapping[str, int]:
    with store.read() as connection:
        done = select(emails.c.creator).where(emails.c.state == EmailState.SUCCEEDED)
        return Counter(connection.scalars(done))


@pytest.mark.parametrize("target", [f'domain."{SLOW}"', 'relay."{relay}"'], ids=["domain", "relay"])
def test_creators_take_turns_under_a_limit_whoever_came_first(
    target: str, store: Store, tmp_path: Path, clock: Hours
) -> None:
    file = tmp_path / "limits.toml"
    of_creators(store, {"first": 400})

    async def work(at_work: Sequence[Delivering]) -> None:
        for _ in range(5):
            clock.now += 1
            await run(at_work)
        alone = sent_of(store)["first"]
        assert 40 <= alone <= 51
        of_creators(store, {"later": 5})
        await run(at_work)
        for _ in range(2):
            clock.now += 1
            await run(at_work)
        assert sent_of(store)["later"] == 5, "five of twenty, though hundreds came before"
        assert sent_of(store)["first"] > alone, "the other goes on"

    with ScriptedSMTP() as server:
        name = server.url.removeprefix("smtp://")
        file.write_text(f"[{target.format(relay=name)}]\nrate = 10\n")
        workers(store, server, [Pace(Limits(file), clock())], work)
    assert {line.outcome for line in log(store)} == {"accepted"}


def test_whoever_comes_later_all_the_time_gets_no_more_than_those_who_wait(
    store: Store, tmp_path: Path, clock: Hours
) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nrate = 10\n')
    of_creators(store, {"waits": 200})

    async def work(at_work: Sequence[Delivering]) -> None:
        await run(at_work)
        for _ in range(8):
            of_creators(store, {"comes": 10})
            clock.now += 1
            await run(at_work)

    with ScriptedSMTP() as server:
        workers(store, server, [Pace(Limits(file), clock())], work)
    sent = sent_of(store)
    assert sent["waits"] >= sent["comes"] - 5


def test_instant_e_mails_pass_others_that_wait_for_the_same(store: Store, tmp_path: Path, clock: Hours) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nrate = 10\n')
    of_creators(store, {"usual": 200})
    with store.write() as connection:
        of = add_order(connection, state=OrderState.PROCESSED, creator="code", priority=Priority.INSTANT.level)
        for number in range(20):
            add_email(connection, of, address=f"code.{number}@{SLOW}", creator="code")
        its = {"priority": Priority.INSTANT.level, "waits_for": f"domain {SLOW}", "rank": 1}
        connection.execute(update(emails).where(emails.c.order_seq == of).values(its))
    pace = Pace(Limits(file), clock())

    async def work(at_work: Sequence[Delivering]) -> None:
        usual = at_work[0]
        relay = Relay(server.url, connections=1, connect_timeout=LONG, data_timeout=LONG)
        in_a_hurry = Delivering(store, relay, 1, LEASE, pace, Turns((Priority.INSTANT,)))
        for _ in range(3):
            clock.now += 1
            await usual.run()  # the others would come first
            await in_a_hurry.run()
        await relay.close()

    with ScriptedSMTP() as server:
        workers(store, server, [pace], work, Turns((Priority.NORMAL, Priority.BULK)))
    assert sent_of(store)["code"] == 20


def test_what_waits_for_one_workers_pace_goes_by_another_that_has_none(store: Store, clock: Hours) -> None:
    fill(store, SLOW)
    slow, quick = Pace(Limits(), clock()), Pace(Limits(), clock())

    async def work(at_work: Sequence[Delivering]) -> None:
        await at_work[0].run()
        assert sent(store, SLOW) < MAILS
        server.script = {}
        await at_work[1].run()

    with ScriptedSMTP(every("rcpt", Say(421, "4.7.0 too many", close=True))) as server:
        workers(store, server, [slow, quick], work)
    untried = [state for state, attempts in states(store, SLOW) if attempts == 0]
    assert untried == []
    with store.read() as connection:
        assert (connection.scalar(select(func.max(emails.c.claim))) or 0) <= 6, "nobody hands them to and fro"


def test_what_waits_for_a_relay_takes_another_that_has_room(store: Store, tmp_path: Path, clock: Hours) -> None:
    file = tmp_path / "limits.toml"
    with servers({}, {}) as (slow, quick):
        file.write_text(f'[relay."{slow.url.removeprefix("smtp://")}"]\nrate = 1\n')
        fill(store, OTHER)
        both = ", ".join(each.url.removeprefix("smtp://") for each in (slow, quick))
        with store.write() as connection:
            connection.execute(update(emails).values(waits_for=f"relay {both}", rank=1, creator="ttd"))
        Worker(store, setting(slow, quick), pace=Pace(Limits(file), clock())).run()
        assert len(slow.accepted) <= 1
    assert sent(store, OTHER) == MAILS


def test_what_waits_for_somebody_whom_nobody_knows_goes(store: Store) -> None:
    fill(store, SLOW, count=3)
    with store.write() as connection:
        for seq, name in enumerate(("planet mars", "relay gone.no:25", "domain gone.no"), 1):
            connection.execute(update(emails).where(emails.c.seq == seq).values(waits_for=name, rank=1, creator="ttd"))
    with ScriptedSMTP() as server:
        workers(store, server, [Pace(Limits(), steady())], run)
    assert sent(store, SLOW) == 3


def test_what_waited_for_a_limit_goes_at_once_when_the_limit_is_lifted(
    store: Store, tmp_path: Path, clock: Hours
) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nrate = 0.01\n')
    fill(store, SLOW)

    async def work(at_work: Sequence[Delivering]) -> None:
        await run(at_work)
        assert sent(store, SLOW) <= 1
        file.write_text(f'[domain."{OTHER}"]\nrate = 1\n')
        await asyncio.to_thread(wait_for, lambda: limits.of(Kind.DOMAIN, SLOW).rate is None)
        await run(at_work)

    limits = Limits(file)
    with ScriptedSMTP() as server:
        workers(store, server, [Pace(limits, clock())], work)
    assert sent(store, SLOW) == MAILS


def test_what_stops_hands_back_what_stands_in_a_line(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nconnections = 1\n')
    fill(store, SLOW, count=30)

    async def work(at_work: Sequence[Delivering]) -> None:
        running = asyncio.create_task(run(at_work))
        await asyncio.to_thread(server.wait_for, lambda: server.count("dot") == 1)
        at_work[0].stop()
        server.script = {}
        server.release()
        await running

    with ScriptedSMTP({"dot": Hang()}) as server:
        workers(store, server, [Pace(Limits(file), steady())], work)
    assert states(store, SLOW) == [("Succeeded", 1)] + [("New", 0)] * 29


def test_an_e_mail_that_waited_too_long_is_settled_as_expired(store: Store, tmp_path: Path, clock: Hours) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(f'[domain."{SLOW}"]\nrate = 1\n')
    fill(store, SLOW, count=3)

    async def work(at_work: Sequence[Delivering]) -> None:
        await run(at_work)
        with store.read() as connection:
            left = connection.execute(
                select(emails.c.due_at, emails.c.expires_at).where(emails.c.waits_for.is_not(None))
            )
            for row in left:
                assert abs(row.due_at - row.expires_at) < timedelta(seconds=5), "nothing is late before"
        with store.write() as connection:
            connection.execute(update(emails).values(expires_at=Now()))
        clock.now += 1
        await run(at_work)

    with ScriptedSMTP() as server:
        workers(store, server, [Pace(Limits(file), clock())], work)
    assert sorted(state for state, _ in states(store, SLOW)) == ["Failed_TTL", "Failed_TTL", "Succeeded"]


def test_operators_see_who_is_approached_slowly_and_why(
    store: Store, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.02)
    told: list[tuple[int, int]] = []
    slow = [
        Slowed("domain", SLOW, steady() - 60, "451 4.7.0 slow down", rate=1.5),
        Slowed("domain", OTHER, steady() - 60, "", rate=20, connections=2),
        Slowed("domain", "third.no", steady() - 60, "", rate=0.01),
        Slowed("relay", "relay:25", steady() - 60, "421 busy", rate=25),
    ]
    kinds = [
        ProcessKind("worker", "relay:25", slowed=lambda: slow, peers=lambda *at: told.append(at)) for _ in range(2)
    ]
    beating = [Heartbeat(store, kind) for kind in kinds]
    with store.write() as connection:
        waits = add_email(connection, add_order(connection, creator="skd"), address=f"kari@{SLOW}", creator="skd")
        connection.execute(update(emails).values(waits_for=f"domain {SLOW}", rank=1_000))
        due = add_email(connection, add_order(connection), address="kari@third.no")
    for each in beating:
        each.start()
    try:
        wait_for(lambda: {(2, 0), (2, 1)} <= set(told))
        with store.read() as connection:
            why = [str(details.email(connection, name)["why"]) for name in ids(store, waits, due)]
            found = {finding["text"]: finding["advice"] for finding in overview(connection)["findings"]}
            since = {each.since for each in slowness(connection)}
        printed = varsel("lanes", database_url=database_url).stdout
        turned = varsel("turns", database_url=database_url).stdout
        shown = exposition(store, Redis.from_url(f"unix://{tmp_path}/nobody")).decode()
    finally:
        for each in beating:
            each.stop()
    answered = f"{SLOW} is approached slowly, with 3 e-mails a second, because it answered: 451 4.7.0 slow down"
    assert why[0].startswith(f"{answered}. So it has been since ")
    assert f"Those that wait for the domain {SLOW}: 1 e-mail, enough for 333 ms. Creators take turns" in why[0]
    assert re.search(rf"emails +Normal +skd +1 +1970-\S+ \S+ +domain {SLOW}", turned)
    assert why[1].startswith("The relay relay:25 is approached slowly, with 50 e-mails a second, because")
    limited = f"{OTHER} gets 20 e-mails a second and 2 at once at most, as the file of limits says"
    assert "by themselves" in found[answered]
    assert "VARSEL_LIMITS_FILE" in found[limited]
    assert f"{limited}, since " in printed
    assert "third.no gets 36 e-mails an hour at most, as the file of limits says" in found
    for line in ('varsel_slowed{kind="domain"} 3.0', 'varsel_relay_pace{relay="relay:25"} 50.0'):
        assert line in shown
    assert SLOW not in shown, "a domain can be a person's"
    assert all(datetime.now(UTC) - each > timedelta(seconds=50) for each in since)
    with store.read() as connection:
        assert slowness(connection) == []


def ids(store: Store, *seqs: int) -> list[UUID]:
    with store.read() as connection:
        return [connection.scalars(select(emails.c.id).where(emails.c.seq == seq)).one() for seq in seqs]
