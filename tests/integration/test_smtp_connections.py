"""The relay's connections to a real SMTP server: how they are shared, used again, and replaced."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import uvloop

from engine.email.smtp import Accepted, Deferred, InDoubt, Outcome, Phase, Rejected, Relay, Reply
from tests.helpers.relay import KARI, MESSAGE, SENDER, message, relay_to, send, send_in_turn, with_relay
from tests.helpers.waiting import SHORT
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Hang, Raw, Say, Slow, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import smtp_script

pytestmark = pytest.mark.usefixtures("pipelining")


def test_a_connection_is_used_again_and_says_goodbye() -> None:
    with ScriptedSMTP() as server:
        outcomes = send_in_turn(relay_to(server), times=3)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.verbs() == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]
    assert [envelope.message_id for envelope in server.accepted] == [
        f"<{number}@varsel.example>" for number in range(3)
    ]


def test_a_refused_transaction_is_reset_before_the_connection_is_used_again(*, pipelining: bool) -> None:
    with ScriptedSMTP({"rcpt": [Say(550, "5.1.1 no such user")], "dot": [Say(554, "5.6.0 no")]}) as server:
        send_in_turn(relay_to(server), times=3)

    reset, sent = ["RSET"], ["MAIL", "RCPT", "DATA"]
    refused = sent if pipelining else ["MAIL", "RCPT"]
    assert server.verbs() == ["EHLO", *refused, *reset, *sent, *reset, *sent, "QUIT"]


def test_a_connection_whose_reset_fails_is_replaced_at_once() -> None:
    with ScriptedSMTP({"rcpt": [Say(550, "5.1.1 no")], "rset": [Say(500, "what?")]}) as server:
        _, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(after, Accepted)
    assert server.sessions == 2


def test_a_connection_ends_after_its_number_of_messages() -> None:
    with ScriptedSMTP() as server:
        send_in_turn(relay_to(server, messages_per_connection=2), times=5)

    assert server.sessions == 3
    assert server.verbs(session=1) == ["EHLO", *["MAIL", "RCPT", "DATA"] * 2, "QUIT"]
    assert server.verbs().count("QUIT") == 3


def test_a_connection_ends_at_its_age() -> None:
    with ScriptedSMTP() as server:
        send_in_turn(relay_to(server, connection_age=timedelta(0)), times=3)

    assert server.sessions == 3


def test_an_idle_connection_says_goodbye_by_itself() -> None:
    with ScriptedSMTP() as server:

        async def work(relay: Relay) -> list[Outcome]:
            outcome = await relay.send(SENDER, KARI, MESSAGE)
            await asyncio.to_thread(server.wait_for, lambda: server.sessions == 1 and server.open == 0)
            return [outcome, await relay.send(SENDER, KARI, MESSAGE)]

        outcomes = asyncio.run(with_relay(relay_to(server, idle=timedelta(seconds=0.05)), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.verbs(session=1)[-1] == "QUIT"
    assert server.sessions == 2


def test_a_connection_that_the_relay_closes_between_messages_is_replaced() -> None:
    with ScriptedSMTP({"dot": [Say(250, "ok", close=True)]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            first = await relay.send(SENDER, KARI, message(0))
            await asyncio.to_thread(server.wait_for, lambda: server.sessions == 1 and server.open == 0)
            return [first, await relay.send(SENDER, KARI, message(1))]

        outcomes = asyncio.run(with_relay(relay_to(server), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.accepted) == 2


def test_a_command_has_its_own_time_limit_behind_a_slow_reply_to_a_message() -> None:
    with ScriptedSMTP({"dot": [Slow(1.5 * SHORT.total_seconds())], "rcpt": [Say(250, "ok"), Hang()]}) as server:
        slow, silent = send_in_turn(relay_to(server, connect_timeout=SHORT, data_timeout=timedelta(hours=1)), times=2)

    assert isinstance(slow, Accepted)
    assert isinstance(silent, Deferred)
    assert silent.reply == Reply(None, "no reply in time")


@pytest.mark.parametrize("action", [Close(), Say(500, "what?")], ids=repr)
def test_an_odd_goodbye_changes_nothing(action: smtp_script.Action) -> None:
    with ScriptedSMTP({"quit": action}) as server:
        assert isinstance(send(relay_to(server)), Accepted)


def test_a_connection_that_is_leaving_still_counts() -> None:
    with ScriptedSMTP({"quit": Slow(0.2)}) as server:
        outcomes = send_in_turn(relay_to(server, messages_per_connection=1, connections=1), times=3)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.sessions == 3
    assert server.peak == 1


def test_a_relay_that_does_not_answer_quit_holds_nobody_up_for_long() -> None:
    with ScriptedSMTP({"quit": Hang()}) as server:
        outcomes = send_in_turn(relay_to(server, messages_per_connection=1, connections=2), times=2)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("messages_per_connection", [7, 500])
def test_two_hundred_messages_at_once_share_four_connections(
    run: Callable[..., list[Outcome]], messages_per_connection: int
) -> None:
    async def work(relay: Relay) -> list[Outcome]:
        return list(await asyncio.gather(*(relay.send(SENDER, KARI, message(number)) for number in range(200))))

    with ScriptedSMTP() as server:
        outcomes = run(with_relay(relay_to(server, messages_per_connection=messages_per_connection), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert sorted(envelope.message_id for envelope in server.accepted) == sorted(
        f"<{number}@varsel.example>" for number in range(200)
    )
    assert server.peak == 4
    assert server.sessions == 4 if messages_per_connection == 500 else server.sessions >= 200 / 7


def test_those_who_wait_for_a_connection_are_served_in_order() -> None:
    async def work(relay: Relay) -> list[Outcome]:
        return list(await asyncio.gather(*(relay.send(SENDER, KARI, message(number)) for number in range(20))))

    with ScriptedSMTP() as server:
        asyncio.run(with_relay(relay_to(server, connections=1), work))

    assert [envelope.message_id for envelope in server.accepted] == [
        f"<{number}@varsel.example>" for number in range(20)
    ]


@pytest.mark.parametrize("action", [Close(), Say(421, "4.4.2 idle", close=True)], ids=repr)
def test_a_reused_connection_that_died_before_mail_is_replaced_without_anybody_noticing(
    action: smtp_script.Action,
) -> None:
    def second_mail(step: Step) -> smtp_script.Action | None:
        return action if (step.phase, step.n) == ("mail", 1) else None

    with ScriptedSMTP(second_mail) as server:
        outcomes = send_in_turn(relay_to(server), times=2)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.sessions == 2
    assert len(server.accepted) == 2


def test_a_connection_that_the_relay_closed_while_idle_is_not_used() -> None:
    with ScriptedSMTP({"dot": Raw(b"250 ok\r\n421 4.4.2 that is all\r\n", close=True)}) as server:
        outcomes = send_in_turn(relay_to(server), times=3)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.accepted) == server.sessions == 3


def test_a_replacement_that_dies_too_is_not_replaced() -> None:
    def later_mails(step: Step) -> smtp_script.Action | None:
        return Close() if step.phase == "mail" and step.n > 0 else None

    with ScriptedSMTP(later_mails) as server:
        _, outcome = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, Deferred)
    assert outcome.phase is Phase.MAIL
    assert server.count("mail") == 3


@pytest.mark.parametrize("phase", ["rcpt", "data", "dot"])
def test_a_reused_connection_that_dies_later_is_not_tried_again(phase: smtp_script.Phase) -> None:
    def second(step: Step) -> smtp_script.Action | None:
        return Close() if (step.phase, step.n) == (phase, 1) else None

    with ScriptedSMTP(second) as server:
        _, outcome = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, InDoubt if phase == "dot" else Deferred)
    assert server.sessions == 1


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "dot"])
def test_a_reply_that_comes_too_late_is_never_taken_for_another_messages(phase: smtp_script.Phase) -> None:
    with ScriptedSMTP({phase: [Hang(then=Say(550, "5.1.1 late"))]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            late = await relay.send(SENDER, "ola@example.no", message(0))
            server.release()
            return [late, *[await relay.send(SENDER, KARI, message(number)) for number in (1, 2)]]

        late, *others = asyncio.run(with_relay(relay_to(server, connect_timeout=SHORT, data_timeout=SHORT), work))

    assert isinstance(late, InDoubt if phase == "dot" else Deferred)
    assert all(isinstance(outcome, Accepted) for outcome in others)
    assert [envelope.rcpt_tos for envelope in server.accepted] == [[KARI], [KARI]]


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_a_reply_too_many_ends_the_connection(phase: smtp_script.Phase) -> None:
    first = b"354 go\r\n" if phase == "data" else b"250 ok\r\n"
    with ScriptedSMTP({phase: [Raw(first + b"250 and another\r\n")]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, Deferred)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


@pytest.mark.parametrize(("code", "kind"), [(250, Accepted), (554, Rejected)])
def test_a_reply_too_many_to_the_dot_ends_the_connection_behind_the_message(code: int, kind: type[Outcome]) -> None:
    with ScriptedSMTP({"dot": [Raw(b"%d first\r\n550 second\r\n" % code)]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, kind)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
def test_a_cancelled_sender_takes_its_connection_along(phase: smtp_script.Phase) -> None:
    with ScriptedSMTP({phase: [Hang()]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            task = asyncio.create_task(relay.send(SENDER, KARI, message(0)))
            await asyncio.to_thread(server.wait_for, lambda: server.count(phase) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_for, lambda: server.open == 0)
            return [await relay.send(SENDER, KARI, message(1))]

        (after,) = asyncio.run(with_relay(relay_to(server, connections=1), work))

    assert isinstance(after, Accepted)
    assert server.sessions == 2
