"""The decision table of send conditions (contract 6.7), row by row, over real connections."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from engine.orders.conditions import Condition, Verdict, ask
from engine.outbound import Guard, Outbound
from engine.outbound.exchange import LONGEST_ANSWER
from tests.helpers.waiting import LONG, SHORT
from tests.servers.http import Action, Close, Drip, Hang, Raw, Receiver, Say

if TYPE_CHECKING:
    from datetime import timedelta

YES, NO = b'{"sendNotification": true}', b'{"sendNotification": false}'


def asked(url: str, *, allow_private: bool = True, within: timedelta = LONG) -> Condition:
    async def run() -> Condition:
        outbound = Outbound(Guard(allow_private), within=within)
        try:
            return await ask(outbound, url, "ttd")
        finally:
            await outbound.close()

    return asyncio.run(run())


@pytest.mark.parametrize("status", [200, 201, 299])
@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (YES, Verdict.MET),
        (NO, Verdict.NOT_MET),
        (b' {"other": [1], "sendNotification": false}\n', Verdict.NOT_MET),
        (b"\xef\xbb\xbf" + NO, Verdict.NOT_MET),
        (NO.ljust(LONGEST_ANSWER), Verdict.NOT_MET),
    ],
)
def test_a_boolean_decides(status: int, body: bytes, verdict: Verdict) -> None:
    with Receiver(Say(status, body)) as receiver:
        assert asked(receiver.url + "/condition?a=b").verdict is verdict
    [request] = receiver.requests
    assert (request.method, request.target, request.body) == ("GET", "/condition?a=b", b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"sendNotification": null}',
        b'{"sendNotification": "true"}',
        b'{"sendNotification": "false"}',
        b'{"sendNotification": 0}',
        b'{"sendNotification": 1}',
        b'{"sendNotification": [false]}',
        b'{"SendNotification": false}',
        b'{"sendnotification": false}',
        b'{"data": {"sendNotification": false}}',
        b"false",
        b"[false]",
        b"null",
        b'"sendNotification"',
        b'[{"sendNotification": false}]',
        b"{'sendNotification': false}",
        b'{"sendNotification": false',
        b'{"sendNotification": False}',
        b"\xff\xfe\xfd",
        b"<html></html>",
        b"[" * 10_000,
        json.dumps({"sendNotification": False, "padding": "a" * LONGEST_ANSWER}).encode(),
        NO.ljust(LONGEST_ANSWER + 1),
        NO + b" " * 5_000_000,
    ],
    ids=lambda body: repr(body[:40]),
)
def test_everything_else_in_a_body_is_inconclusive(body: bytes) -> None:
    with Receiver(Say(200, body)) as receiver:
        assert asked(receiver.url).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 400, 401, 403, 404, 429, 500, 503])
def test_other_statuses_are_inconclusive_whatever_their_body(status: int) -> None:
    body = b"" if status == 304 else NO
    with Receiver(Say(status, body)) as receiver:
        assert asked(receiver.url) == Condition(Verdict.INCONCLUSIVE, f"status {status}")


def test_no_content_is_inconclusive() -> None:
    with Receiver(Say(204)) as receiver:
        assert asked(receiver.url).verdict is Verdict.INCONCLUSIVE


def test_a_redirect_is_inconclusive_and_not_followed() -> None:
    with Receiver(Say(200, NO)) as target, Receiver(Say(302, headers=(("Location", target.url),))) as receiver:
        assert asked(receiver.url) == Condition(Verdict.INCONCLUSIVE, "status 302")
    assert target.requests == []


@pytest.mark.parametrize(
    "action",
    [Hang(), Drip(), Close(), Raw(b"garbage\r\n\r\n"), Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + NO)],
    ids=lambda action: type(action).__name__,
)
def test_no_whole_answer_is_inconclusive(action: Action) -> None:
    endless = isinstance(action, Hang | Drip)
    with Receiver(action) as receiver:
        assert asked(receiver.url, within=SHORT if endless else LONG).verdict is Verdict.INCONCLUSIVE
    assert len(receiver.requests) == 1


def test_an_endpoint_that_is_gone_is_inconclusive() -> None:
    with Receiver(Say(200, YES)) as receiver:
        url = receiver.url
    assert asked(url).verdict is Verdict.INCONCLUSIVE


def test_an_address_that_the_guard_refuses_is_inconclusive_and_not_called() -> None:
    with Receiver(Say(200, YES)) as receiver:
        assert asked(receiver.url, allow_private=False) == Condition(Verdict.INCONCLUSIVE, "only https is allowed")
        assert asked("https://localhost:8443/", allow_private=False).verdict is Verdict.INCONCLUSIVE
    assert receiver.connections == 0


def test_answers_are_told_apart_when_asked_again() -> None:
    with Receiver(Say(503), Say(200, NO)) as receiver:
        verdicts = [asked(receiver.url).verdict for _ in range(2)]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.NOT_MET]
