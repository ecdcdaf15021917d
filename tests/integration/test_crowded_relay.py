"""A relay that takes fewer connections than there are senders: no message is deferred, and the log is short."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from engine.db.dialects import Now
from engine.db.tables import emails
from engine.email.smtp import Accepted, Deferred, Outcome, Relay, concurrency
from engine.models import EmailState
from tests.helpers.mails import fill, log, rows
from tests.helpers.relay import KARI, SENDER, message, with_relay
from tests.helpers.relaying import LEASE, Delivering
from tests.helpers.rows import now
from tests.helpers.waiting import LONG
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Raw, Say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.db.store import Store
    from tests.servers import smtp_script

pytestmark = pytest.mark.usefixtures("pipelining")

SENDERS = 20
MAILS = 250
TAKES = 2
TURNED_AWAY: list[tuple[smtp_script.Phase, smtp_script.Action]] = [
    ("connect", Say(421, "4.7.0 127.0.0.1 Error: too many connections from 127.0.0.1", close=True)),
    ("connect", Say(554, "5.7.1 no", close=True)),
    ("connect", Close()),
    ("connect", Raw(b"", close=True)),
    ("ehlo", Say(421, "4.3.2 The maximum number of concurrent connections has exceeded a limit", close=True)),
    ("ehlo", Close()),
    ("mail", Say(421, "4.7.0 later", close=True)),
    ("mail", Say(451, "4.7.0 Too many connections, try again later")),
    ("mail", Say(450, "4.3.2 connection limit", close=True)),
]


def relay_to(server: ScriptedSMTP) -> Relay:
    return Relay(server.url, connections=SENDERS, connect_timeout=LONG, data_timeout=LONG)


def deliver(store: Store, relay: Relay, work: Callable[[Delivering], Awaitable[None]]) -> None:
    async def opened() -> None:
        try:
            await work(Delivering(store, relay, SENDERS, LEASE))
        finally:
            await relay.close()

    asyncio.run(opened())


async def send_all(relay: Relay) -> list[Outcome]:
    return list(await asyncio.gather(*(relay.send(SENDER, KARI, message(number)) for number in range(MAILS))))


async def everything(deliverer: Delivering) -> None:
    """Deliver everything that is due, as a worker does."""
    await deliverer.run()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pool try no further connection during the test."""
    monkeypatch.setattr(concurrency, "AGAIN_AFTER", timedelta(hours=1))


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("turn_away", TURNED_AWAY, ids=lambda way: f"{way[0]}-{way[1]}"[:40])
def test_what_the_relay_takes_is_learned_from_few_refusals_and_no_message_is_one(
    turn_away: tuple[smtp_script.Phase, smtp_script.Action], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with ScriptedSMTP(most=TAKES, turn_away=turn_away) as server:
        outcomes = asyncio.run(with_relay(relay_to(server), send_all))
    assert {type(outcome) for outcome in outcomes} == {Accepted}
    assert len(server.accepted) == MAILS
    assert 0 < server.turned_away <= 4 * TAKES  # twice as many were tried as worked; those that MAIL tells, once more
    assert len({envelope.session for envelope in server.accepted}) <= TAKES
    told = [record.getMessage() for record in caplog.records if record.name == "engine.email.smtp.relay"]
    numbers = [int(text.split()[3]) for text in told]
    assert numbers == sorted(set(numbers), reverse=True)  # a line for each change
    assert numbers[-1] == TAKES


@pytest.mark.usefixtures("unhurried")
def test_every_email_is_delivered_in_its_first_claim_and_no_line_tells_of_a_refusal(store: Store) -> None:
    fill(store, *(f"kari.{number}@example.no" for number in range(MAILS)))
    with ScriptedSMTP(most=TAKES) as server:
        deliver(store, relay_to(server), everything)
    assert {(row.state, row.attempts, row.claim) for row in rows(store).values()} == {(EmailState.SUCCEEDED, 1, 2)}
    assert [line.outcome for line in log(store)] == ["accepted"] * MAILS
    assert server.turned_away <= 2 * TAKES


@pytest.mark.usefixtures("unhurried")
def test_of_two_workers_at_a_relay_that_takes_one_connection_the_other_takes_no_email(store: Store) -> None:
    fill(store, "kari@example.no", "ola@example.no")

    with ScriptedSMTP(most=0) as server:  # others have it
        deliver(store, relay_to(server), everything)
        assert server.turned_away == 1
    assert log(store) == []
    assert {(row.state, row.attempts, row.unresolved) for row in rows(store).values()} == {(EmailState.NEW, 0, 0)}
    with ScriptedSMTP() as server:
        deliver(store, relay_to(server), everything)  # they are due at once
    assert len(server.accepted) == 2


def test_more_connections_are_used_when_the_relay_takes_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "AGAIN_AFTER", timedelta(0))
    monkeypatch.setattr(concurrency, "NEXT_AFTER", timedelta(0))

    async def work(relay: Relay) -> list[Outcome]:
        first = await send_all(relay)
        server.most = 6
        return first + await send_all(relay)

    with ScriptedSMTP(most=TAKES) as server:
        outcomes = asyncio.run(with_relay(relay_to(server), work))
    assert {type(outcome) for outcome in outcomes} == {Accepted}
    assert TAKES < server.peak - 1 <= 6


def test_an_unlimited_relay_gets_all_the_connections_there_are() -> None:
    with ScriptedSMTP() as server:
        outcomes = asyncio.run(with_relay(relay_to(server), send_all))
    assert {type(outcome) for outcome in outcomes} == {Accepted}
    assert server.turned_away == 0
    assert server.peak > SENDERS // 2


def test_a_relay_that_is_down_is_tried_once_for_all_who_wait() -> None:
    with ScriptedSMTP({"connect": Say(421, "4.3.2 closed", close=True)}) as server:
        outcomes = asyncio.run(with_relay(relay_to(server), send_all))
    assert {type(outcome) for outcome in outcomes} == {Deferred}
    assert not any(outcome.reached for outcome in outcomes if isinstance(outcome, Deferred))
    assert server.sessions == 1


def test_the_same_refusal_of_a_connection_is_one_line_of_an_emails_log(store: Store) -> None:
    fill(store, "kari@example.no")
    for text in ("4.3.2 closed", "4.3.2 closed", "4.3.2 closed", "4.3.2 still closed", "4.3.2 closed"):
        with ScriptedSMTP({"connect": Say(421, text, close=True)}, port=0) as server:
            relay = relay_to(server)
            deliver(store, relay, lambda deliverer: deliverer.run())
        with store.write() as connection:
            connection.execute(update(emails).values(due_at=Now()))
    assert [line.reply for line in log(store)] == ["4.3.2 closed", "4.3.2 still closed", "4.3.2 closed"]


def test_emails_that_are_not_to_be_sent_wait_for_no_connection(store: Store) -> None:
    gone = {f"kari.{number}@example.no" for number in range(60)}
    fill(store, *gone, expires_at=now() - timedelta(seconds=1))
    fill(store, "ola@example.no", "nils@example.no")
    with ScriptedSMTP(most=0) as server:
        deliver(store, relay_to(server), lambda deliverer: deliverer.run())
    assert {address for address, row in rows(store).items() if row.state == EmailState.FAILED_TTL} == gone
    assert {line.outcome for line in log(store)} == {"expired"}


def test_a_sender_that_is_cancelled_while_it_waits_leaves_its_place_to_the_others() -> None:
    async def work(relay: Relay) -> list[Outcome]:
        async with relay.turn():
            waiting = [asyncio.create_task(relay.send(SENDER, KARI, message(number))) for number in range(10)]
            await asyncio.sleep(0)
            for task in waiting[::2]:
                task.cancel()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        return [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]

    with ScriptedSMTP() as server:
        relay = Relay(server.url, connections=1, connect_timeout=LONG, data_timeout=LONG)
        outcomes = asyncio.run(with_relay(relay, work))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 5
    assert server.peak == 1
