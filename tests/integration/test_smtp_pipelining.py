"""MAIL, RCPT and DATA in one write (RFC 2920), and relays that answer them in odd ways.

All other tests of the relay run with and without PIPELINING; these are about what it adds.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.email.smtp import Accepted, Deferred, InDoubt, Outcome, Phase, Refused, Rejected, Relay, Reply
from tests.helpers.relay import KARI, MESSAGE, SENDER, message, relay_to, send, send_in_turn, with_relay
from tests.helpers.waiting import LONG, SHORT
from tests.servers.smtp import EXTENSIONS, ScriptedSMTP
from tests.servers.smtp_script import Close, Hang, KeepBack, Pour, Raw, Say, Slow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.servers import smtp_script

AGES = timedelta(hours=1)  # no reply may end by its time
NOBODY = Say(550, "5.1.1 no such user")
WITHOUT = [extension for extension in EXTENSIONS if extension != "PIPELINING"]


def lines(server: ScriptedSMTP) -> list[list[str]]:
    """The commands' verbs, by the piece in which they came."""
    return [[line.split(" ")[0] for line in piece.decode().splitlines()] for piece in server.pieces]


# What is said at once


def test_mail_rcpt_and_data_are_said_at_once_where_that_is_offered() -> None:
    with ScriptedSMTP() as server:
        outcomes = send_in_turn(relay_to(server), times=2)
    assert [type(outcome) for outcome in outcomes] == [Accepted, Accepted]
    assert lines(server).count(["MAIL", "RCPT", "DATA"]) == 2
    assert lines(server)[-1] == ["QUIT"]  # some relays skip what came with it


@pytest.mark.parametrize("why", ["not offered", "switched off"])
def test_each_command_waits_for_the_reply_to_the_last_where_that_is_not_offered_or_switched_off(why: str) -> None:
    with ScriptedSMTP(extensions=WITHOUT if why == "not offered" else EXTENSIONS) as server:
        outcome = send(relay_to(server, pipelining=why == "not offered"))
    assert isinstance(outcome, Accepted)
    assert [verb for [verb, *rest] in lines(server) if verb.isupper() and not rest] == [
        *("EHLO", "MAIL", "RCPT", "DATA", "QUIT")
    ]


@pytest.mark.parametrize("action", [Hang(), Slow(0.1)], ids=repr)
def test_no_byte_of_the_message_is_said_before_the_relay_wants_it(action: smtp_script.Action) -> None:
    with ScriptedSMTP({"data": [action]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            task = asyncio.create_task(relay.send(SENDER, KARI, message(1)))
            await asyncio.to_thread(server.wait_for, lambda: server.count("data") == 1)
            assert lines(server) == [["EHLO"], ["MAIL", "RCPT", "DATA"]]
            server.release()
            return [await task]

        [outcome] = asyncio.run(with_relay(relay_to(server), work))
    assert isinstance(outcome, Accepted)


def test_tls_and_signing_in_are_never_said_with_other_commands() -> None:
    with ScriptedSMTP(tls="starttls", credentials=("varsel", "secret")) as server:
        outcome = send(relay_to(server, ca_file=server.ca_file))
    assert isinstance(outcome, Accepted)
    clear = [verbs for verbs in lines(server) if verbs[0] in ("EHLO", "STARTTLS", "AUTH", "MAIL")]
    assert clear == [["EHLO"], ["STARTTLS"], ["EHLO"], ["AUTH"], ["MAIL", "RCPT", "DATA"]]


def test_what_was_offered_in_clear_does_not_hold_behind_tls() -> None:
    offers = [Say(250, "relay.example\nPIPELINING\nSTARTTLS"), Say(250, "relay.example")]
    with ScriptedSMTP({"ehlo": offers}, tls="starttls") as server:
        outcome = send(relay_to(server, ca_file=server.ca_file))
    assert isinstance(outcome, Accepted)
    assert ["MAIL"] in lines(server)


# Replies


def test_replies_that_come_together_belong_to_their_commands_in_order() -> None:
    with ScriptedSMTP({"mail": [KeepBack()] * 3, "rcpt": [NOBODY, KeepBack()]}) as server:
        refused, accepted, again = send_in_turn(relay_to(server), times=3)
    assert (type(refused), refused.phase, refused.reply.code) == (Rejected, Phase.RCPT, 550)
    assert isinstance(accepted, Accepted)
    assert isinstance(again, Accepted)
    assert server.sessions == 1


@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_replies_of_several_lines_belong_to_their_commands_however_they_are_cut(pieces: int) -> None:
    data = b"250-2.1.0 a\r\n250 2.1.0 b\r\n250-2.1.5 c\r\n250-\r\n250 2.1.5 d\r\n354-e\r\n354 f\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await reader.readuntil(b"DATA\r\n")
        for at in range(0, len(data), pieces):
            writer.write(data[at : at + pieces])
            await asyncio.sleep(0)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250-2.0.0 queued\r\n250 2.0.0 as 1\r\n")
        writer.close()

    outcome = asyncio.run(sent_to(serve))
    assert isinstance(outcome, Accepted)
    assert outcome.reply.text == "2.0.0 queued 2.0.0 as 1"


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_more_replies_than_were_asked_for_end_the_connection_however_many(phase: smtp_script.Phase) -> None:
    with ScriptedSMTP({phase: [Pour(b"", b"250 ok\r\n")]}) as server:
        outcome, after = send_in_turn(relay_to(server, connect_timeout=AGES, data_timeout=AGES), times=2)
    assert isinstance(outcome, Deferred)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


def test_a_relay_that_keeps_replies_back_has_the_time_of_all_the_commands() -> None:
    slow = Slow(0.7 * SHORT.total_seconds())

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await reader.readuntil(b"DATA\r\n")
        await asyncio.sleep(2 * slow.seconds)
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")
        writer.close()

    assert isinstance(asyncio.run(sent_to(serve, connect_timeout=SHORT)), Accepted)


def test_a_refusal_in_the_middle_of_a_large_message_is_heard_though_the_relay_reads_no_further() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await reader.readexactly(10)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport has it
        writer.write(b"552 5.3.4 too large\r\n")

    outcome = asyncio.run(sent_to(serve, data=b"Subject: x\r\n\r\n" + b"x\r\n" * 10_000_000))
    assert isinstance(outcome, Rejected)
    assert (outcome.phase, outcome.reply) == (Phase.DOT, Reply(552, "5.3.4 too large"))


# Refusals


@pytest.mark.parametrize("close", [False, True])
@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_a_goodbye_in_the_middle_is_the_reply_of_its_phase(phase: smtp_script.Phase, *, close: bool) -> None:
    with ScriptedSMTP({phase: [Say(421, "4.3.2 going down", close=close)]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert isinstance(outcome, Deferred)
    assert (outcome.phase, outcome.reply.code) == (Phase(phase), 421)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


@pytest.mark.parametrize("phase", ["mail", "rcpt"])
def test_nothing_more_is_expected_of_a_relay_that_says_goodbye(phase: smtp_script.Phase) -> None:
    with ScriptedSMTP({phase: [Say(421, "4.3.2 going down")], "data": [Hang()]}) as server:
        outcome, after = send_in_turn(relay_to(server, connect_timeout=AGES), times=2)
    assert (outcome.phase, outcome.reply.code) == (Phase(phase), 421)
    assert isinstance(after, Accepted)


@pytest.mark.parametrize("dot", [Say(250, "2.0.0 ok"), Say(554, "5.5.1 no recipients"), Close(), Hang()], ids=repr)
def test_a_relay_that_wants_a_message_for_nobody_gets_an_empty_one(dot: smtp_script.Action) -> None:
    with ScriptedSMTP({"rcpt": [NOBODY], "data": [Say(354, "go ahead")], "dot": [dot]}) as server:
        outcome, after = send_in_turn(relay_to(server, connect_timeout=SHORT if dot == Hang() else AGES), times=2)
    assert isinstance(outcome, Rejected)
    assert (outcome.phase, outcome.reply) == (Phase.RCPT, Reply(550, NOBODY.text))
    assert isinstance(after, Accepted)
    assert [(mail.rcpt_tos, mail.data) for mail in server.messages] == [([], b""), ([KARI], message(1))]
    assert server.sessions == (1 if isinstance(dot, Say) else 2)


def test_a_relay_that_refuses_the_sender_and_wants_a_message_for_nobody_gets_an_empty_one() -> None:
    with ScriptedSMTP({"mail": [Say(550, "5.1.8 no")], "data": [Say(354, "go ahead")]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert (type(outcome), outcome.phase, outcome.reply.code) == (Refused, Phase.MAIL, 550)
    assert isinstance(after, Accepted)
    assert [(mail.rcpt_tos, mail.data) for mail in server.messages] == [([], b""), ([KARI], message(1))]
    assert server.verbs() == ["EHLO", *["MAIL", "RCPT", "DATA"], "RSET", *["MAIL", "RCPT", "DATA"], "QUIT"]


def test_a_relay_that_refuses_the_sender_but_takes_the_recipient_gets_no_message_at_all() -> None:
    taken: dict[smtp_script.Phase, smtp_script.Action | list[smtp_script.Action]] = {
        "mail": [Say(550, "5.1.8 no")],
        "rcpt": [Say(250, "ok")],
        "data": [Say(354, "go ahead")],
    }
    with ScriptedSMTP(taken) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert (type(outcome), outcome.phase, outcome.reply.code) == (Refused, Phase.MAIL, 550)
    assert isinstance(after, Accepted)
    assert [mail.data for mail in server.messages] == [message(1)]
    assert server.sessions == 2


@pytest.mark.parametrize("phase", ["mail", "rcpt"])
@pytest.mark.parametrize("then", [Close(), Hang(), Raw(b"hei\r\n"), Say(421, "4.7.0 bye", close=True)], ids=repr)
def test_a_refusal_stands_whatever_comes_of_the_commands_behind_it(
    phase: smtp_script.Phase, then: smtp_script.Action
) -> None:
    with ScriptedSMTP({phase: [Say(450, "4.2.0 later")], "data": [then]}) as server:
        limit = SHORT if isinstance(then, Hang) else AGES
        outcome, after = send_in_turn(relay_to(server, connect_timeout=limit), times=2)
    assert isinstance(outcome, Deferred)
    assert (outcome.phase, outcome.reply) == (Phase(phase), Reply(450, "4.2.0 later"))
    assert isinstance(after, Accepted)
    assert server.sessions == 2


def test_a_relay_that_hangs_up_with_its_refusal_has_refused() -> None:
    with ScriptedSMTP({"rcpt": [Say(550, NOBODY.text, close=True)]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert (type(outcome), outcome.phase, outcome.reply.code) == (Rejected, Phase.RCPT, 550)
    assert isinstance(after, Accepted)


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "dot"])
def test_only_a_message_whose_dot_was_said_is_in_doubt(phase: smtp_script.Phase) -> None:
    """All replies of a group may be lost with the first; none of its commands hands the message over."""
    with ScriptedSMTP({"mail": [KeepBack()], "rcpt": [KeepBack()], phase: [Close()]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert isinstance(outcome, InDoubt if phase == "dot" else Deferred)
    assert isinstance(after, Accepted)
    assert [mail.message_id for mail in server.accepted] == ["<1@varsel.example>"]


# A relay by hand


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 hi\r\n")
    await reader.readuntil(b"\r\n")
    writer.write(b"250-relay\r\n250 PIPELINING\r\n")


async def sent_to(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
    data: bytes = MESSAGE,
    connect_timeout: timedelta = LONG,
) -> Outcome:
    """What becomes of a message to a relay with one session."""
    writers: list[asyncio.StreamWriter] = []

    async def session(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    async with await asyncio.start_server(session, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        relay = Relay(f"smtp://127.0.0.1:{port}", connections=1, connect_timeout=connect_timeout, data_timeout=LONG)
        try:
            return await relay.send(SENDER, KARI, data)
        finally:
            await relay.close()
            writers[0].transport.abort()
            with suppress(OSError):
                await writers[0].wait_closed()
