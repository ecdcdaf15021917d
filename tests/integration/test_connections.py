"""Bounds of clients' connections: size, time, number. Slow clients are simulated without waiting for time."""

from __future__ import annotations

import json
import resource
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from starlette.requests import ClientDisconnect

from api import health
from api.connections import DESCRIPTORS, HEALTH, SPARE, Bounds, reserve_descriptors
from engine.errors import Misconfigured
from tests.helpers.waiting import wait_for
from tests.servers.web import HELLO, LARGE, Answer, Client, Web, chunks

if TYPE_CHECKING:
    from tests.servers.installation import Installation

HEAD = b"GET / HTTP/1.1\r\nHost: varsel\r\n"
POST = b"POST / HTTP/1.1\r\nHost: varsel\r\nTransfer-Encoding: chunked\r\n\r\n"
SHORT = Bounds(head_time=0.3, body_time=0.3, stall_time=0.3)


def is_problem(answer: Answer, status: int) -> bool:
    """Whether this is a problem document with this status; AssertionError when it does not end the connection."""
    said = json.loads(answer.body)
    assert said.keys() == {"type", "title", "status", "detail", "traceId"}
    assert answer.headers["connection"] == "close"
    return bool(answer.status == said["status"] == status)


def drip(client: Client, data: bytes) -> None:
    """Send this repeatedly until the other side closes; AssertionError when it never does."""
    wait_for(lambda: client.push(data) < len(data))


# A head


@pytest.mark.parametrize(
    ("start", "more", "times", "end", "status"),
    [
        (HEAD + b"X: ", b"a", 60_000_000, b"", 431),
        (HEAD, b"X: y\r\n", 5_000_000, b"", 431),
        (HEAD, b"X", 60_000_000, b"", 431),
        (b"GET /", b"a", 60_000_000, b"", 414),
        (b"", b"\r\n", 5_000_000, b"", 431),
        (HEAD + b"X: ", b"a", 20_001, b"\r\n\r\n", 431),
        (HEAD, b"X: y\r\n", 101, b"\r\n", 431),
        (HEAD, b"X: " + b"a" * 15_000 + b"\r\n", 5, b"\r\n", 431),
        (b"GET /", b"a", 20_001, b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    ],
    ids=[
        "endless-value",
        "endless-fields",
        "endless-name",
        "endless-target",
        "empty-lines",
        "value",
        "fields",
        "head",
        "target",
    ],
)
def test_a_head_is_bounded_in_bytes_and_fields(start: bytes, more: bytes, times: int, end: bytes, status: int) -> None:
    with Web() as web, web.connect() as client:
        client.push(start + more * times + end)
        assert is_problem(client.answer(), status)
        assert client.rest() == b""
        assert web.paths == []


def test_a_head_as_large_as_the_largest_credentials_and_query_passes() -> None:
    fields = [b"X-%d: %b" % (number, b"a" * 16_400) for number in range(2)] + [b"Y: z"] * 90
    with Web() as web, web.connect() as client:
        client.send(b"GET /?" + b"a" * 16_000 + b" HTTP/1.1\r\nHost: x\r\n" + b"\r\n".join([*fields, b"", b""]))
        assert client.answer().status == 200
        assert client.is_open()


def test_a_large_body_earns_no_larger_head() -> None:
    with Web() as web, web.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + b"x" * 5_000_000)
        assert client.answer().status == 200
        client.push(HEAD + b"X: " + b"a" * 5_000_000)
        assert is_problem(client.answer(), 431)


def test_the_bytes_of_an_earlier_body_are_none_of_the_next_head() -> None:
    body = b"x" * 200_000
    with Web() as web, web.connect() as client:
        for cut in (1, 60, 100):
            one = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
            client.send(one + HELLO[:-cut])
            client.send(HELLO[-cut:])
            assert [client.answer().status, client.answer().status] == [200, 200]


def test_a_running_varsel_bounds_heads(installation: Installation) -> None:
    with Client(int(installation.address.rpartition(":")[2])) as client:
        client.push(HEAD + b"X: y\r\n" * 200_000)
        assert is_problem(client.answer(), 431)
    with Client(int(installation.address.rpartition(":")[2])) as client:
        client.send(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert client.answer().status == 200


# A body


@pytest.mark.parametrize(
    "body",
    [
        b"5;" + b"a" * 5_000_000,
        b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * 1_000_000,
        b"5\r\nhello\r\n0\r\nX: " + b"a" * 5_000_000,
        b"1\r\nx\r\n" * 1_000_000,
        b"0" * 5_000_000,
        b"1;a=b\r\nx\r\n" * 500_000,
    ],
    ids=["extension", "trailers", "trailer", "tiny chunks", "zeros", "tiny extensions"],
)
def test_what_stands_around_a_body_is_bounded(body: bytes) -> None:
    with Web() as web, web.connect() as client:
        client.push(POST + body)
        assert is_problem(client.answer(), 400)
        assert web.bodies == []


def test_a_body_in_usual_chunks_passes() -> None:
    parts = [b"x" * 100] * 20_000 + [b"y"] * 5_000
    with Web() as web, web.connect() as client:
        client.send(POST + b"".join(chunks(*parts)))
        assert json.loads(client.answer().body)["body"] == 2_005_000
        assert client.is_open()


def test_a_client_waits_for_100_continue_only_where_its_body_is_read() -> None:
    head = b" HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    with Web() as web, web.connect() as client:
        client.send(b"POST /" + head)
        assert client.line() == b"HTTP/1.1 100 Continue\r\n"
        client.line()
        client.send(b"hello")
        assert client.answer().status == 200
    with Web() as web, web.connect() as client:
        client.send(b"POST /deaf" + head)
        assert client.answer().status == 401


def test_what_is_no_request_behind_an_answer_without_a_body_leaves_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    heads = (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    with Web() as web:
        for head in heads * 200:  # what follows comes before, amid and behind the answer
            with web.connect() as client:
                client.send(head)
                client.send(b"ZZ\r\n\r\n")
                assert client.rest().startswith(b"HTTP/1.1 ")
    raised = [record.exc_info[1] for record in caplog.records if record.exc_info]
    assert [error for error in raised if not isinstance(error, ClientDisconnect)] == []


# Time


def test_a_connection_that_says_nothing_ends() -> None:
    with Web(SHORT) as web, web.connect() as client:
        assert client.rest() == b""
        wait_for(lambda: not web.connections())


def test_a_head_that_drips_is_given_up_with_408() -> None:
    with Web(SHORT) as web, web.connect() as client:
        client.send(b"GET / HTTP/1.1\r\n")
        drip(client, b"X: y\r\n")
        assert is_problem(client.answer(), 408)


def test_a_later_head_that_drips_is_given_up_too() -> None:
    with Web(SHORT) as web, web.connect() as client:
        client.send(HELLO)
        assert client.answer().status == 200
        client.send(b"G")
        assert is_problem(client.answer(), 408)


def test_empty_lines_keep_no_connection_open() -> None:
    with Web(SHORT, idle=0.3) as web, web.connect() as client:
        client.send(HELLO)
        assert client.answer().status == 200
        drip(client, b"\r\n")
        wait_for(lambda: not web.connections())


def test_an_idle_connection_ends() -> None:
    with Web(idle=0.3) as web, web.connect() as client:
        client.send(HELLO)
        assert client.answer().status == 200
        assert client.rest() == b""
        wait_for(lambda: not web.connections())


def test_an_idle_connection_ends_that_had_come_back() -> None:
    with Web(idle=0.3) as web, web.connect() as client:
        for _ in range(20):
            client.is_open()
        assert client.rest() == b""
        wait_for(lambda: not web.connections())


@pytest.mark.parametrize(
    ("framing", "more"),
    [(b"Content-Length: 1000000000000", b"x"), (b"Transfer-Encoding: chunked", b"1\r\nx\r\n")],
    ids=["length", "chunks"],
)
def test_a_body_that_drips_is_given_up_with_408(framing: bytes, more: bytes) -> None:
    with Web(SHORT) as web, web.connect() as client:
        client.send(b"POST / HTTP/1.1\r\nHost: x\r\n%b\r\n\r\n" % framing)
        drip(client, more)
        assert is_problem(client.answer(), 408)
        assert web.bodies == []
        wait_for(lambda: not web.connections())


def test_a_streamed_body_has_any_time_while_it_goes_on() -> None:
    with Web(SHORT) as web, web.connect() as client:
        client.send(b"POST /streamed HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n")
        for _ in range(3):
            client.send(b"x" * 20_000)
            with web.connect() as silent:
                assert silent.rest() == b""  # so much time has passed
        assert client.answer().status == 200
        client.send(b"POST /streamed HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        drip(client, b"x")
        assert is_problem(client.answer(), 408)


def test_a_body_has_its_time_after_it_had_to_wait() -> None:
    with Web(Bounds(head_time=2, body_time=2)) as web, web.connect() as client, web.connect() as silent:
        client.send(
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nx"
        )
        web.await_slow(1)
        assert silent.rest() == b""  # so much time has passed
        web.release()
        assert client.answer().body == b"at last"
        client.send(b"y")
        assert client.answer().status == 200
        assert web.bodies == [b"xy"]


def test_a_body_that_was_answered_before_its_end_keeps_no_connection_open() -> None:
    with Web(SHORT) as web, web.connect() as client:
        client.send(b"POST /deaf HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n")
        assert client.answer().status == 401
        drip(client, b"x")
        wait_for(lambda: not web.connections())


def test_a_request_may_take_longer_than_its_head() -> None:
    with Web(SHORT) as web, web.connect() as client, web.connect() as silent:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        web.await_slow(1)
        assert silent.rest() == b""  # so much time has passed
        web.release()
        assert client.answer().body == b"at last"


# Answers that are not taken


@pytest.mark.parametrize("close", [b"", b"Connection: close\r\n"])
def test_an_answer_that_is_not_taken_is_given_up(close: bytes) -> None:
    with Web(SHORT) as web, web.connect(receive_buffer=4096) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: x\r\n%b\r\n" % close)
        wait_for(lambda: web.larges)
        wait_for(lambda: not web.connections())
        assert len(client.rest()) < LARGE


def test_an_answer_that_is_taken_slowly_arrives_whole() -> None:
    with Web(SHORT) as web, web.connect(receive_buffer=4096) as client:
        client.send(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert len(client.answer().body) == LARGE


def test_few_requests_wait_behind_one_that_is_answered() -> None:
    with Web(Bounds(pipelined=4)) as web, web.connect() as client:
        client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" + HELLO * 5_000)
        web.await_slow(1)
        assert max(len(each.pipeline) for each in web.connections()) == 4
        web.release()
        statuses = [client.answer().status for _ in range(5)]
        assert statuses == [200] * 5
        assert client.rest() == b""  # whoever sent more sends it again on another connection (RFC 9112, 9.3.2)
        assert len(web.paths) == 4


# Their number


def test_of_too_many_connections_the_one_that_has_said_nothing_longest_makes_room() -> None:
    with Web(Bounds(connections=20)) as web, ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(web.connect())
        wait_for(lambda: len(web.connections()) == 20)
        for _ in range(5):
            with web.connect() as client:
                assert client.is_open()
        assert len(web.connections()) <= 20


def test_a_connection_that_was_served_stays_while_others_say_nothing() -> None:
    with Web(Bounds(connections=10)) as web, ExitStack() as stack:
        good = stack.enter_context(web.connect())
        assert good.is_open()
        for _ in range(30):
            stack.enter_context(web.connect())
        wait_for(lambda: len(web.connections()) == 10)
        assert good.is_open()


def test_a_request_that_is_being_answered_never_makes_room() -> None:
    with Web(Bounds(connections=3)) as web, ExitStack() as stack:
        clients = [stack.enter_context(web.connect()) for _ in range(3)]
        for client in clients:
            client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        web.await_slow(3)
        with web.connect() as another:
            another.send(HELLO)
            assert is_problem(another.answer(), 503)
        web.release()
        assert [client.answer().body for client in clients] == [b"at last"] * 3


def test_whoever_asks_about_health_finds_a_connection_while_all_are_at_work() -> None:
    with Web(Bounds(connections=3)) as web, ExitStack() as stack:
        clients = [stack.enter_context(web.connect()) for _ in range(3)]
        for client in clients:
            client.send(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        web.await_slow(3)
        for _ in range(2 * SPARE):
            stack.enter_context(web.connect())
        for path in HEALTH:
            with web.connect() as another:
                another.send(b"GET %b?a=b HTTP/1.1\r\nHost: x\r\n\r\n" % path)
                assert another.answer().status == 200
                another.send(HELLO)  # the connection is kept for no other question
                assert is_problem(another.answer(), 503)
        web.release()
        assert [client.answer().body for client in clients] == [b"at last"] * 3
        with web.connect() as another:
            assert another.is_open()


def test_what_asks_about_health_is_what_answers_it() -> None:
    assert {route.path.encode() for route in health.ROUTES} == HEALTH


def test_a_stream_that_rests_makes_room() -> None:
    with Web(Bounds(connections=3)) as web, ExitStack() as stack:
        idle = stack.enter_context(web.connect())
        assert idle.is_open()
        streams = [stack.enter_context(web.connect()) for _ in range(2)]
        for stream in streams:
            assert stream.is_open()
            stream.send(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert stream.answer().status == 200
        wait_for(lambda: web.resting == 2)
        with web.connect() as another:
            assert another.is_open()
            wait_for(lambda: web.resting == 1)
            assert idle.is_open()


def test_a_body_that_drips_makes_room() -> None:
    with Web(Bounds(connections=5)) as web, ExitStack() as stack:
        for _ in range(5):
            client = stack.enter_context(web.connect())
            client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nx")
        wait_for(lambda: len(web.paths) == 5)
        with web.connect() as another:
            assert another.is_open()


def test_the_process_may_open_as_many_files_as_its_connections_need() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        reserve_descriptors(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 300 + DESCRIPTORS
        with pytest.raises(Misconfigured, match="VARSEL_MAX_CONNECTIONS"):
            reserve_descriptors(hard if hard > 0 else 2**62)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
