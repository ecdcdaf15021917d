"""Outbound posts: what arrives, how they end, and what the answer's Retry-After means."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.outbound import Answer, Barred, Failure, Outbound
from engine.outbound.calls import LONGEST_WAIT, _retry_after
from engine.outbound.exchange import LONGEST_ANSWER
from engine.runtime.clock import Clock, steady
from tests.helpers.outbound import LATE, LENIENT, STRICT, Names, closing, failed, get, post
from tests.helpers.waiting import LONG, SHORT
from tests.servers.http import Drip, Hang, Raw, Receiver, Say


@pytest.mark.parametrize("body", [b"", b"{}", bytes(range(256)) * 1000, "blåbær".encode()])
def test_a_posted_body_and_its_headers_arrive_byte_for_byte(body: bytes) -> None:
    headers = (("Content-Type", "application/json; charset=utf-8"), ("webhook-signature", "v1,a+/= v1,b"))
    with Receiver(Say(204)) as receiver:
        assert post(Outbound(LENIENT), f"{receiver.url}/a?b=c", body, headers=headers) == [
            Answer(204, b"", complete=True)
        ]
    [request] = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/a?b=c", body)
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "content-type": "application/json; charset=utf-8",
        "webhook-signature": "v1,a+/= v1,b",
        "content-length": str(len(body)),
        "accept-encoding": "identity",
        "user-agent": "Varsel",
    }


@pytest.mark.parametrize(
    "header", [("a", "b\r\nc: d"), ("a", "b\nc"), ("a", "\0"), ("a b", "c"), ("a:", "b"), ("a", "ø")]
)
def test_a_header_that_could_become_two_is_not_sent(header: tuple[str, str]) -> None:
    with Receiver(Say(200)) as receiver:
        [answer] = post(Outbound(LENIENT), receiver.url, b"{}", headers=[header])
    assert isinstance(answer, Failure)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "url", ["http://example.no/", "https://127.0.0.1/", "https://localhost/", "https://example.no:80/"]
)
def test_a_post_is_guarded_like_a_get(url: str) -> None:
    [posted] = post(Outbound(STRICT), url, b"{}")
    assert posted == Barred(failed(Outbound(STRICT), url))


def test_the_address_is_checked_again_at_every_post() -> None:
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    with Receiver(Say(200, close=True)) as receiver:
        first, second = post(Outbound(LENIENT, names), f"http://hooks.example.no:{receiver.port}", b"1", b"2")
    assert first == Answer(200, b"", complete=True)
    assert second == Barred("its host does not have a public address")
    assert [request.body for request in receiver.requests] == [b"1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_of_a_post_are_not_followed(status: int) -> None:
    with Receiver(Say(200)) as inner, Receiver(Say(status, headers=(("Location", inner.url),))) as outer:
        assert post(Outbound(LENIENT), outer.url, b"{}") == [Answer(status, b"", complete=True)]
    assert inner.requests == []


@pytest.mark.parametrize("action", [Hang(), Drip()])
def test_a_post_ends_in_time(action: Hang | Drip) -> None:
    with Receiver(action) as receiver:
        assert post(Outbound(LENIENT, within=SHORT), receiver.url, b"{}") == [Failure(LATE)]


def test_the_answer_to_a_post_is_read_up_to_its_bound() -> None:
    with Receiver(Say(503, b"a" * 1_000_000, (("Retry-After", "7"),))) as receiver:
        [answer] = post(Outbound(LENIENT), receiver.url, b"{}")
    assert answer == Answer(503, b"a" * LONGEST_ANSWER, complete=False, retry_after=timedelta(seconds=7))


def test_posts_use_a_connection_again() -> None:
    with Receiver(Say(200)) as receiver:
        post(Outbound(LENIENT), receiver.url, b"1", b"2", b"3")
    assert ([request.body for request in receiver.requests], receiver.connections) == ([b"1", b"2", b"3"], 1)


def test_receivers_that_hang_do_not_hold_up_another_while_there_are_connections_left() -> None:
    async def run(connections: int) -> Answer | Failure:
        async with closing(Outbound(LENIENT, within=LONG, connections=connections)) as outbound:
            hanging = [asyncio.create_task(outbound.post(slow.url, b"{}", ())) for _ in range(200)]
            await asyncio.to_thread(slow.wait_for, lambda: len(slow.requests) == len(hanging))
            answer = await outbound.post(quick.url, b"{}", ())
            assert not any(task.done() for task in hanging)
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)
        return answer

    with Receiver(Hang()) as slow, Receiver(Say(200)) as quick:
        assert asyncio.run(run(201)) == Answer(200, b"", complete=True)


def test_connections_to_receivers_that_hung_are_free_again_afterwards() -> None:
    async def run() -> Answer | Failure:
        async with closing(Outbound(LENIENT, within=SHORT, connections=2)) as outbound:
            hung = await asyncio.gather(*(outbound.post(slow.url, b"{}", ()) for _ in range(4)))
            assert hung == [Failure(LATE)] * 4
            return await outbound.post(quick.url, b"{}", ())

    with Receiver(Hang()) as slow, Receiver(Say(200)) as quick:
        assert asyncio.run(run()) == Answer(200, b"", complete=True)


@pytest.mark.parametrize(
    ("text", "delay"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("86401", LONGEST_WAIT),
        ("9" * 5000, LONGEST_WAIT),
        ("Sun, 06 Nov 1994 08:49:37 GMT", timedelta(0)),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT),
        ("Sunday, 06-Nov-94 08:49:37 GMT", timedelta(0)),  # the two obsolete forms: RFC 9110, 5.6.7
        ("Sun Nov  6 08:49:37 1994", timedelta(0)),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\xb2", None),
    ],
)
def test_an_answer_says_when_to_come_again(text: str, delay: timedelta | None) -> None:
    head = f"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRETRY-AFTER: {text}\r\n\r\n"
    with Receiver(Raw(head.encode("latin-1"))) as receiver:
        assert post(Outbound(LENIENT), receiver.url, b"{}") == [Answer(503, b"", complete=True, retry_after=delay)]


def test_a_date_to_come_again_is_counted_from_now() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    with Receiver(Say(429, headers=(("Retry-After", date),))) as receiver:
        [answer] = get(Outbound(LENIENT), receiver.url)
    assert isinstance(answer, Answer)
    assert answer.retry_after is not None
    assert timedelta(minutes=4, seconds=30) < answer.retry_after <= timedelta(minutes=5)


@given(
    st.binary(max_size=60)
    | st.lists(
        st.sampled_from(["-1", "+0000", "08:49:37", "9" * 14, "Nov", "06", "1994", "GMT", "Sun,", ":", "-"])
    ).map(lambda words: " ".join(words).encode())
)
def test_no_answer_can_say_it_in_a_way_that_breaks(text: bytes) -> None:
    delay = _retry_after([(b"Retry-After", text)], Clock())
    assert delay is None or timedelta(0) <= delay <= LONGEST_WAIT


def test_a_date_beyond_all_calendars_is_no_date() -> None:
    assert _retry_after([(b"Retry-After", b"-1 Nov +0000 08:49:37 99999999999999")], Clock()) is None


def test_a_date_is_later_than_the_databases_time_and_not_than_the_machines() -> None:
    clock = Clock()
    clock.tell(datetime(1994, 11, 6, 8, 40, tzinfo=UTC), steady())
    delay = _retry_after([(b"Retry-After", b"Sun, 06 Nov 1994 08:49:37 GMT")], clock)
    assert delay is not None
    assert timedelta(minutes=9) < delay <= timedelta(minutes=9, seconds=37)
