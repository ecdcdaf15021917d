"""E-mails that wait for a limit or a pace: others pass them, no attempt counts, and operators see why."""

from __future__ import annotations

import asyncio
import re
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
from engine.models import Slowed
from engine.observability import heartbeat
from engine.observability.heartbeat import Heartbeat
from engine.observability.heartbeat import Kind as ProcessKind
from engine.runtime.clock import steady
from tests.helpers.command import varsel
from tests.helpers.mails import log
from tests.helpers.rows import add_email, add_order
from tests.helpers.waiting import wait_for
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Hang, Say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from engine.db.store import Store
    from tests.helpers.relaying import Delivering
    from tests.servers.smtp_script import Action, Phase

from tests.helpers.paced import MAILS, OTHER, SLOW, Hours, every, fill, run, sent, states, workers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hours:
    hours = Hours()
    monkeypatch.setattr(gate, "steady", hours)
    return hours


def hurry(store: Store) -> None:
    """Make everything that waits due."""
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.due_at.is_not(None)).values(due_at=Now()))


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
