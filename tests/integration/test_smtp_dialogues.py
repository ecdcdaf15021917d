"""Relays that break the protocol: the outcome is a value, no reply is taken for another message's, and it ends."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.email.smtp import Accepted, Deferred, InDoubt, Rejected
from engine.email.smtp.protocol import LONGEST_REPLY, MOST_LINES, Protocol, Response, read_reply
from tests.helpers.relay import relay_to, send_in_turn
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Pour, Raw, Say

if TYPE_CHECKING:
    from tests.servers import smtp_script

pytestmark = pytest.mark.usefixtures("pipelining")

AGES = timedelta(hours=1)  # no reply of these tests may end by its time
EVERYWHERE: tuple[smtp_script.Phase, ...] = ("connect", "ehlo", "mail", "rcpt", "data", "dot")
ENDLESS = {
    "lines": Pour(b"", b"250-on\r\n"),
    "lines that are empty": Pour(b"", b"250-\r\n"),
    "lines in a byte a packet": Pour(b"250", b"-"),
    "a line": Pour(b"250 ", b"a"),
    "a line with hyphen": Pour(b"250-", b"a" * 100),
    "zeros": Pour(b"", b"\0"),
    "carriage returns": Pour(b"250-a", b"\r"),
    "line ends": Pour(b"250-a\r\n", b"\n"),
}


@pytest.mark.parametrize("phase", EVERYWHERE)
@pytest.mark.parametrize("kind", ENDLESS)
def test_a_reply_without_end_ends_the_connection_by_its_size(
    kind: str, phase: smtp_script.Phase, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []
    receive = Protocol.data_received

    def count(protocol: Protocol, data: bytes) -> None:
        receive(protocol, data)
        taken.append((len(data), protocol._lines))  # noqa: SLF001

    monkeypatch.setattr(Protocol, "data_received", count)
    with ScriptedSMTP({phase: [ENDLESS[kind]]}) as server:
        outcome, after = send_in_turn(relay_to(server, connect_timeout=AGES, data_timeout=AGES), times=2)
    assert isinstance(outcome, InDoubt if phase == "dot" else Deferred)
    assert isinstance(after, Accepted)
    assert max(lines for _, lines in taken) <= MOST_LINES + 256 * 1024 // len(b"250-\r\n")  # one read's, at most


@pytest.mark.parametrize("pieces", [1, 3, 100_000])
def test_each_byte_of_a_reply_is_parsed_once_however_it_is_cut(pieces: int, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []

    def count(lines: bytes) -> Response:
        parsed.append(len(lines))
        return read_reply(lines)

    monkeypatch.setattr("engine.email.smtp.protocol.read_reply", count)
    reply = b"".join(b"250-%b\r\n" % (b"a" * 100) for _ in range(MOST_LINES - 2)) + b"250 end\r\n"
    assert len(reply) < LONGEST_REPLY

    async def feed() -> tuple[int, str]:
        protocol = Protocol()
        protocol.connection_made(asyncio.Transport())
        for at in range(0, len(reply), pieces):
            protocol.data_received(reply[at : at + pieces])
        response = await protocol.reply()
        return response.code, response.message

    code, text = asyncio.run(feed())
    assert (code, text.count("\n")) == (250, MOST_LINES - 2)
    assert parsed == [len(reply)]


@pytest.mark.parametrize("phase", EVERYWHERE)
@pytest.mark.parametrize(
    "reply",
    [
        b"\r\n",
        b"\n",
        b"25\r\n",
        b"2500\r\n",
        b"abc go on\r\n",
        b"-250 go on\r\n",
        b"+25 go on\r\n",
        b" 250 go on\r\n",
        b"\0\0\0 go on\r\n",
        b"\xb2\xb5\xb0 go on\r\n",
        b"000 go on\r\n",
        b"199 go on\r\n",
        b"600 go on\r\n",
        b"999 go on\r\n",
        b"250-go on\r\nabc\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"250-" + b"a" * (LONGEST_REPLY - 100) + b"\r\n250 go on\r\n",
        b"\x16\x03\x01\x02\x00\r\n",
    ],
    ids=lambda reply: repr(reply[:12]),
)
def test_a_reply_that_is_none_is_never_taken_for_a_yes(reply: bytes, phase: smtp_script.Phase) -> None:
    with ScriptedSMTP({phase: [Raw(reply, close=True)]}) as server:
        outcome, after = send_in_turn(relay_to(server, connect_timeout=AGES, data_timeout=AGES), times=2)
    assert isinstance(outcome, InDoubt if phase == "dot" else Deferred)
    assert isinstance(after, Accepted)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (b"250\r\n", Accepted),
        (b"250\n", Accepted),
        (b"250 taken\n", Accepted),
        (b"250 \xff\xfe\x00\x1b[2J\r\n", Accepted),
        (b"250-one\r\n250-two\r\n250 three\r\n", Accepted),
        (b"550 \xe2\x98\x83\r\n", Rejected),
        (b"450 not now\n", Deferred),
    ],
)
def test_a_reply_in_an_odd_form_still_counts(reply: bytes, kind: type) -> None:
    with ScriptedSMTP({"dot": [Raw(reply)]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert isinstance(outcome, kind)
    assert isinstance(after, Accepted)
    assert "\0" not in outcome.reply.text
    assert "\x1b" not in outcome.reply.text


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data"])
def test_replies_to_what_was_not_said_yet_end_the_connection(phase: smtp_script.Phase) -> None:
    usual = {"connect": b"220 hi\r\n", "data": b"354 go on\r\n"}.get(phase, b"250 ok\r\n")
    early = b"250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n"
    with ScriptedSMTP({phase: [Raw(usual + early)]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)
    assert isinstance(outcome, Deferred)
    assert isinstance(after, Accepted)
    assert len(server.accepted) == 1


@pytest.mark.parametrize(
    "injected",
    [
        b"250 ok\r\n",
        b"250-SIZE 1\r\n250 ok\r\n",
        b"535 no\r\n",
        b"250 relay\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n",
    ],
)
def test_what_is_injected_behind_starttls_is_not_heard(injected: bytes) -> None:
    with ScriptedSMTP({"starttls": [Raw(b"220 go on\r\n" + injected)]}, tls="starttls") as server:
        (outcome,) = send_in_turn(relay_to(server, ca_file=server.ca_file))
    assert isinstance(outcome, Accepted)
    assert server.verbs(1)[:3] == ["EHLO", "STARTTLS", "EHLO"]  # what was offered in clear is asked again
    assert len(server.accepted) == 1


def test_a_relay_that_speaks_to_a_connection_at_rest_loses_it() -> None:
    with ScriptedSMTP({"dot": [Say(250, "taken", close=True)]}) as server:
        first, second = send_in_turn(relay_to(server), times=2)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert server.sessions == 2
