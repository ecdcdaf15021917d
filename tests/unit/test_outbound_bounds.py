"""Answers without end: a call ends by its counts, long before its time is over; and look-ups that hang."""

from __future__ import annotations

import asyncio
import socket
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.outbound import Answer, Failure, Outbound
from engine.outbound import lookups as lookups_
from engine.outbound.exchange import LONGEST_ANSWER, LONGEST_HEAD, MOST_STEPS, Connection
from engine.outbound.lookups import LOOKUPS, Lookups, resolve
from tests.helpers.outbound import LATE, LENIENT, Names, closing, get
from tests.helpers.waiting import SHORT, patience
from tests.servers.http import Pour, Raw, Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Callable

AGES = timedelta(hours=1)  # no call of these tests may end by its time
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ENDLESS = {
    "interim answers": Pour(b"", CONTINUE),
    "interim answers, one in a packet": Pour(b"", CONTINUE, apart=True),
    "early hints": Pour(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "early hints with long headers": Pour(b"", b"HTTP/1.1 103 Early Hints\r\nLink: %b\r\n\r\n" % (b"a" * 9_000)),
    "a status line": Pour(b"HTTP/1.1 200 ", b"O"),
    "one header": Pour(b"HTTP/1.1 200 OK\r\nA: ", b"a"),
    "one header, a byte in a packet": Pour(b"HTTP/1.1 200 OK\r\nA: ", b"a", apart=True),
    "headers": Pour(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n"),
    "a folded header": Pour(b"HTTP/1.1 200 OK\r\nA: b\r\n", b" c\r\n"),
    "empty lines": Pour(b"", b"\r\n"),
    "nothing but zeros": Pour(b"", b"\0"),
    "a chunk's size": Pour(CHUNKED, b"0"),
    "a chunk's extension": Pour(CHUNKED + b"1;a=", b"a"),
    "trailers": Pour(CHUNKED + b"0\r\n", b"A: b\r\n"),
}
ENDLESS_BODIES = {
    "a body": Pour(b"HTTP/1.1 200 OK\r\n\r\n", b"a"),
    "a body, a byte in a packet": Pour(b"HTTP/1.1 200 OK\r\n\r\n", b"a", apart=True),
    "a body of a known length": Pour(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b"a"),
    "chunks": Pour(CHUNKED, b"1\r\na\r\n"),
    "chunks, one in a packet": Pour(CHUNKED, b"1\r\na\r\n", apart=True),
    "chunks with extensions": Pour(CHUNKED, b"1;b=%b\r\na\r\n" % (b"c" * 5_000)),
}


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    """The connections that a test opens, to count what their answers cost."""
    opened: list[Connection] = []
    begin = Connection.__init__

    def remember(connection: Connection, *args: object) -> None:
        opened.append(connection)
        begin(connection, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Connection, "__init__", remember)
    return opened


@pytest.mark.parametrize("kind", ENDLESS)
def test_what_comes_before_or_behind_a_body_without_end_is_a_failure(kind: str, work: list[Connection]) -> None:
    with Receiver(ENDLESS[kind]) as receiver:
        [answer] = get(Outbound(LENIENT, within=AGES), receiver.url)
    assert isinstance(answer, Failure)
    assert work[0]._bytes <= LONGEST_HEAD * 2 + LONGEST_ANSWER  # noqa: SLF001
    assert work[0]._steps <= MOST_STEPS + 1  # noqa: SLF001


@pytest.mark.parametrize("kind", ENDLESS_BODIES)
def test_a_body_without_end_is_an_answer_that_is_not_complete(kind: str, work: list[Connection]) -> None:
    with Receiver(ENDLESS_BODIES[kind]) as receiver:
        [answer] = get(Outbound(LENIENT, within=AGES), receiver.url)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.complete) == (200, False)
    assert len(answer.body) <= LONGEST_ANSWER
    assert work[0]._bytes <= 2 * (LONGEST_HEAD + LONGEST_ANSWER)  # noqa: SLF001
    assert work[0]._steps <= MOST_STEPS + 1  # noqa: SLF001


def test_a_few_interim_answers_are_passed_over() -> None:
    with Receiver(Raw(CONTINUE * 3 + b"HTTP/1.1 204 No Content\r\n\r\n")) as receiver:
        assert get(Outbound(LENIENT), receiver.url) == [Answer(204, b"", complete=True)]


@pytest.mark.parametrize("size", [1, 64, LONGEST_ANSWER])
def test_a_chunked_body_is_put_together(size: int) -> None:
    body = bytes(range(256)) * (1 if size == 1 else LONGEST_ANSWER // 256)
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    answer = CHUNKED + b"".join(b"%x;ext\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nA: b\r\n\r\n"
    with Receiver(Raw(answer)) as receiver:
        assert get(Outbound(LENIENT), receiver.url) == [Answer(200, body, complete=True)]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 2",
        b"HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n",
        CHUNKED + b"-1\r\na\r\n",
        CHUNKED + b"fffffffffffffffffffff\r\na\r\n",
    ],
)
def test_an_answer_that_can_be_read_in_two_ways_is_a_failure(answer: bytes) -> None:
    with Receiver(Raw(answer)) as receiver:
        assert isinstance(get(Outbound(LENIENT), receiver.url)[0], Failure)


def test_what_was_said_beyond_an_answer_is_never_taken_for_the_next_one() -> None:
    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n"
    with Receiver(Raw(twice), Say(204)) as receiver:
        first, second = get(Outbound(LENIENT), receiver.url, receiver.url)
    assert (first, second) == (Answer(200, b"a", complete=True), Answer(204, b"", complete=True))
    assert receiver.connections == 2


def test_a_tls_handshake_that_hangs_leaves_no_connection_behind() -> None:
    async def call(url: str) -> Answer | Failure:
        async with closing(Outbound(LENIENT, within=SHORT)) as outbound:
            return await outbound.get(url)

    with socket.create_server(("127.0.0.1", 0)) as silent:
        answer = asyncio.run(call(f"https://127.0.0.1:{silent.getsockname()[1]}/"))
        connection, _ = silent.accept()
        with connection:
            while connection.recv(4096):  # the hello; then the end, or this never returns
                pass
    assert answer in (Failure(LATE), Failure("ConnectTimeout"))  # its own bound, where SHORT is longer


class Hanging:
    """A resolver that hangs on names of evil.example until it is released."""

    def __init__(self) -> None:
        self.hanging = 0
        self.go = asyncio.Event()

    async def __call__(self, host: str, _port: int) -> list[str]:
        if host.endswith("evil.example"):
            self.hanging += 1
            await self.go.wait()
        return ["127.0.0.1"]


def test_look_ups_that_hang_take_their_partys_share_and_leave_the_others_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lookups_, "LOOK_UP_WITHIN", timedelta(seconds=0.2))

    async def run() -> None:
        resolver = Hanging()
        lookups = Lookups(resolver)
        asked = [lookups.addresses("evil", f"{number}.evil.example", 443) for number in range(LOOKUPS * 3)]
        ended = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ended} == {TimeoutError}
        assert resolver.hanging == LOOKUPS * 2 // 3  # what hangs still counts, though nobody waits for it
        assert await lookups.addresses("good", "good.example", 443) == ["127.0.0.1"]
        resolver.go.set()
        await asyncio.sleep(0)
        assert await lookups.addresses("evil", "evil.example", 443) == ["127.0.0.1"]

    asyncio.run(run())


def hold(monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[], int], threading.Event]:
    """Make the system's resolver hang; returns a count of look-ups that hang, and a function that releases them."""
    go, calls, real = threading.Event(), [], socket.getaddrinfo

    def slow(host: str, *args: object, **more: object) -> object:
        if host.endswith(".example"):
            calls.append(host)
            go.wait(patience())
        return real("127.0.0.1", *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    return lambda: len(calls), go


def test_a_resolver_that_hangs_leaves_the_threads_of_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging, go = hold(monkeypatch)

    async def run() -> None:
        tasks = [asyncio.create_task(resolve(f"{number}.example", 443)) for number in range(LOOKUPS)]
        await asyncio.sleep(0)
        assert await asyncio.to_thread(lambda: "a thread") == "a thread"
        assert hanging() == LOOKUPS
        go.set()
        assert await asyncio.gather(*tasks) == [["127.0.0.1"]] * LOOKUPS

    asyncio.run(run())


def test_a_process_ends_though_a_look_up_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    _, go = hold(monkeypatch)

    async def run() -> None:
        asyncio.create_task(resolve("a.example", 443))  # noqa: RUF006  # nobody waits for it
        await asyncio.sleep(0)

    asyncio.run(run())
    [thread] = [thread for thread in threading.enumerate() if thread.name == "look up a.example"]
    assert thread.daemon
    go.set()
    thread.join()


def test_names_that_do_not_resolve_are_told_apart_from_those_that_hang() -> None:
    assert get(Outbound(LENIENT, Names([])), "http://example.no/") == [Failure("ConnectError the host has no address")]
