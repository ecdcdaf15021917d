"""Messages on the wire, and the tests' own server that reads them."""

from __future__ import annotations

import asyncio
import socket
from typing import Literal

import pytest

from engine.email.smtp import Accepted, Deferred, Outcome, Rejected, Relay
from engine.email.smtp.protocol import POURED, Protocol
from engine.models import EmailState
from tests.helpers.relay import KARI, MESSAGE, SENDER, relay_to, send, with_relay
from tests.servers.smtp import EXTENSIONS, ScriptedSMTP
from tests.servers.smtp_script import Say

pytestmark = pytest.mark.usefixtures("pipelining")


# What goes on the wire


def test_the_size_is_declared_where_the_relay_wants_it() -> None:
    data = b"Subject: x\r\n\r\n.dots do not count twice\r\n"
    with ScriptedSMTP() as server:
        send(relay_to(server), data=data)
    assert server.accepted[0].options == [f"SIZE={len(data)}"]

    with ScriptedSMTP(extensions=()) as server:
        send(relay_to(server), data=data)
    assert server.accepted[0].options == []


@pytest.mark.parametrize("tls", [None, "implicit"])
def test_what_messages_share_follows_each_of_them(tls: Literal["implicit"] | None) -> None:
    own, shared = b"Subject: x\r\n\r\n.Hei\r\n", b"A" * 76 + b"\r\n"
    shared *= 40_000  # more than any buffer on the way takes
    with ScriptedSMTP(tls=tls) as server:

        async def work(relay: Relay) -> list[Outcome]:
            return [await relay.send(SENDER, KARI, own, shared=shared) for _ in range(2)]

        outcomes = asyncio.run(with_relay(relay_to(server, ca_file=server.ca_file if tls else None), work))
    assert [type(outcome) for outcome in outcomes] == [Accepted] * 2
    assert [message.data for message in server.accepted] == [own + shared] * 2
    assert server.accepted[0].options == [f"SIZE={len(own + shared)}"]
    assert server.sessions == 1


def test_a_relay_has_time_for_each_part_of_a_large_message() -> None:
    parts: list[int] = []

    async def work() -> None:
        async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.set_result(len(await reader.read(-1)))
            writer.close()

        taken: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_server(read, "127.0.0.1")
        place = server.sockets[0].getsockname()
        _, protocol = await asyncio.get_running_loop().create_connection(Protocol, *place)
        assert await protocol.pour(b"A" * (10 * POURED + 1), lambda: parts.append(1))
        protocol.transport.write_eof()  # type: ignore[union-attr]
        assert await taken == 10 * POURED + 1
        server.close()

    asyncio.run(work())
    assert len(parts) == 11, "the deadline begins anew with each of them"


def test_a_relay_that_hangs_up_before_the_message_ends_does_not_have_it() -> None:
    with ScriptedSMTP({"data": Say(354, "go ahead", close=True)}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            return [await relay.send(SENDER, KARI, MESSAGE, shared=(b"A" * 76 + b"\r\n") * 200_000)]

        [outcome] = asyncio.run(with_relay(relay_to(server), work))
    assert isinstance(outcome, Deferred)


def test_an_international_domain_needs_nothing_from_the_relay() -> None:
    with ScriptedSMTP(extensions=()) as server:
        assert isinstance(send(relay_to(server), "kari@blåbær.no"), Accepted)
    assert server.accepted[0].rcpt_tos == ["kari@xn--blbr-roah.no"]


def test_a_non_ascii_local_part_goes_as_it_is_where_smtputf8_is_offered() -> None:
    with ScriptedSMTP() as server:
        assert isinstance(send(relay_to(server), "kåre@blåbær.no"), Accepted)
    assert server.accepted[0].rcpt_tos == ["kåre@xn--blbr-roah.no"]
    assert "SMTPUTF8" in server.accepted[0].options


def test_a_non_ascii_local_part_is_rejected_where_smtputf8_is_not_offered() -> None:
    without = [extension for extension in EXTENSIONS if extension != "SMTPUTF8"]
    with ScriptedSMTP(extensions=without) as server:

        async def work(relay: Relay) -> list[Outcome]:
            return [await relay.send(SENDER, address, MESSAGE) for address in ("kåre@example.no", KARI, "kåre@b.no")]

        first, plain, second = asyncio.run(with_relay(relay_to(server), work))

    for outcome in (first, second):
        assert isinstance(outcome, Rejected)
        assert outcome.state is EmailState.FAILED_INVALID_EMAIL_FORMAT
        assert outcome.reply.code is None
        assert "SMTPUTF8" in outcome.reply.text
    assert isinstance(plain, Accepted)
    assert server.sessions == 1


@pytest.mark.parametrize(
    "address",
    ["", "kari", "kari@example.no>\r\nRCPT TO:<eve@example.no", "kari@example.no> SIZE=1", "a\x00@b.no", "a\x85@b.no"],
)
def test_an_address_that_could_say_more_than_an_address_is_never_sent(address: str) -> None:
    with ScriptedSMTP() as server:
        outcome = send(relay_to(server), address)

    assert isinstance(outcome, Rejected)
    assert outcome.state is EmailState.FAILED_INVALID_EMAIL_FORMAT
    assert server.commands == []


@pytest.mark.parametrize(
    "data",
    [
        b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
        b"Subject: x\r\n\r\n.\r\nMAIL FROM:<eve@example.no>\r\n.\r\n",
        b"Subject: x\r\n\r\n" + b".\r\n" * 1000,
        b"Subject: x\r\n\r\n" + b"x" * 900_000 + b"\r\n",
        b"\r\n",
    ],
    ids=["dots", "commands", "many dots", "large", "empty"],
)
def test_what_was_sent_is_what_arrives(data: bytes) -> None:
    with ScriptedSMTP() as server:
        outcomes = [send(relay_to(server), data=data)]

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert [envelope.data for envelope in server.messages] == [data]


def test_a_message_without_a_last_line_end_gets_one() -> None:
    with ScriptedSMTP() as server:
        assert isinstance(send(relay_to(server), data=b"Subject: x\r\n\r\nhei"), Accepted)
    assert server.accepted[0].data == b"Subject: x\r\n\r\nhei\r\n"
    assert server.accepted[0].options == [f"SIZE={len(server.accepted[0].data)}"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r", b"\r\r\n"])
def test_a_bare_line_end_smuggles_no_second_message(end: bytes) -> None:
    smuggled = b"MAIL FROM:<eve@example.no>\r\nRCPT TO:<ola@example.no>\r\nDATA\r\nSubject: smuggled\r\n\r\nhei\r\n"
    data = b"Subject: x\r\n\r\nhei" + end + b"." + end + smuggled + b"." + end
    with ScriptedSMTP(lenient=True) as server:
        outcome = send(relay_to(server), data=data)

    assert isinstance(outcome, Accepted)
    (envelope,) = server.messages
    assert envelope.data.count(b"\r\n") == envelope.data.count(b"\n") == envelope.data.count(b"\r")
    assert b"smuggled" in envelope.data
    assert server.verbs().count("MAIL") == 1


# The test server itself


def test_the_script_can_change_while_the_server_runs() -> None:
    with ScriptedSMTP({"rcpt": Say(450, "later")}) as server:
        assert isinstance(send(relay_to(server)), Deferred)
        server.script = {}
        assert isinstance(send(relay_to(server)), Accepted)


def test_the_server_answers_pipelined_commands_in_order() -> None:
    with ScriptedSMTP() as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"EHLO x\r\nMAIL FROM:<a@b.no>\r\nRCPT TO:<c@d.no>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n"
        )
        with client.makefile("rb") as replies:
            codes = [line[:3] for line in replies if line[3:4] == b" "]

    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert server.accepted[0].data == b"Subject: x\r\n\r\n.\r\n"


def test_the_lenient_server_can_be_smuggled_past() -> None:
    with ScriptedSMTP(lenient=True) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@b.no>\r\nRCPT TO:<c@d.no>\r\nDATA\r\nx\n.\nQUIT\r\n")
        with client.makefile("rb") as replies:
            assert replies.readlines()[-1].startswith(b"221")
    assert len(server.messages) == 1
