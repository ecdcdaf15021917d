"""Whose turn it is among e-mails that wait for the same pace, and when they go."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from engine.db.dialects import Now
from engine.db.tables import emails
from engine.email import gate
from engine.email.limits import Limits
from engine.email.pace import Pace
from engine.email.pressure import Kind
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState, Priority
from engine.queue.fairness import Turns
from engine.runtime.clock import steady
from tests.helpers.mails import log
from tests.helpers.relaying import LEASE, Delivering
from tests.helpers.rows import add_email, add_order
from tests.helpers.several_relays import Worker, servers, setting
from tests.helpers.waiting import LONG, wait_for
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from engine.db.store import Store

from tests.helpers.paced import MAILS, OTHER, SLOW, Hours, every, fill, run, sent, states, workers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Hours:
    hours = Hours()
    monkeypatch.setattr(gate, "steady", hours)
    return hours


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
