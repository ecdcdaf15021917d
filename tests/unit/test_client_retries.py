"""What the Python client sends again, and what it never does; an installation is played by a script."""

from __future__ import annotations

import json
import pickle
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from tests.helpers import sdk
from tests.helpers.waiting import patience
from tests.servers.http import Close, Receiver, Reset, Say
from varsel.client import ApiError, Conflict, Invalid, Overrun, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varsel.client import Client
    from varsel.client.models import EmailOrderRequest, Event

ORDER: EmailOrderRequest = {"subject": "Hei", "body": "Hei!", "recipients": [{"emailAddress": "kari@example.no"}]}
AT_ONCE = ("Retry-After", "0")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(Say(200)) as opened:
        yield opened


@pytest.fixture(params=sdk.KINDS)
def scripted(request: pytest.FixtureRequest, receiver: Receiver) -> Iterator[Client]:
    with sdk.client(request.param, receiver.url, "secret", timeout=patience(), deadline=patience()) as opened:
        yield opened


def event(name: str) -> Event:
    return {"specversion": "1.0", "id": name, "source": "https://example.no/c", "type": "t", "resource": "urn:a:b"}


def test_each_attempt_sends_the_same_body_and_key(scripted: Client, receiver: Receiver) -> None:
    receiver.act(Reset(), Say(503, headers=(AT_ONCE,)), Say(409), Say(202, b'{"orderId": "1"}'))
    assert scripted.orders.create_email(ORDER)["orderId"] == "1"
    assert len({(each.headers["idempotency-key"], each.body) for each in receiver.requests}) == 1
    assert len(receiver.requests) == 4
    assert receiver.requests[0].headers["authorization"] == "Bearer secret"


def test_what_may_be_done_twice_is_sent_once(scripted: Client, receiver: Receiver) -> None:
    for action in (Close(), Say(503, headers=(AT_ONCE,)), Say(502)):
        receiver.act(action)
        with pytest.raises((Unreachable, ApiError)):
            scripted.subscriptions.replace_secret(7)
    assert len(receiver.requests) == 3


def test_a_conflict_that_no_attempt_of_ours_explains_is_final(scripted: Client, receiver: Receiver) -> None:
    receiver.act(Say(409, b'{"title": "Conflict", "status": 409, "type": "t", "traceId": "1"}'))
    with pytest.raises(Conflict):
        scripted.orders.create_email(ORDER)
    assert len(receiver.requests) == 1


def test_a_quota_is_awaited_within_the_deadline(scripted: Client, receiver: Receiver) -> None:
    receiver.act(Say(429, headers=(AT_ONCE,)), Say(200, b'{"secret": "s", "oldSecretValidUntil": "t"}'))
    assert scripted.subscriptions.replace_secret(7)["secret"] == "s"
    receiver.act(Say(429, headers=(("Retry-After", "86400"),)))
    with pytest.raises(Overrun) as refused:
        scripted.orders.create_email(ORDER)
    assert refused.value.retry_after == 86_400


PAGES = [Say(200, b"<html>Sign in</html>"), Say(200, b'{"orderId": '), Say(200, b"\xff")]
CODED = Say(200, b"no gzip", (("Content-Encoding", "gzip"),))


@pytest.mark.parametrize("page", [*PAGES, CODED])
def test_what_is_no_json_is_no_answer(scripted: Client, receiver: Receiver, page: Say) -> None:
    """A proxy's page, or a list that broke off: what may be asked again is."""
    receiver.act(page, Say(202, b'{"orderId": "1"}'))
    assert scripted.orders.create_email(ORDER)["orderId"] == "1"
    receiver.act(page)
    with pytest.raises(Unreachable):
        scripted.subscriptions.replace_secret(7)
    assert len(receiver.requests) == 3


def test_pages_never_lead_to_another_address(scripted: Client, receiver: Receiver) -> None:
    one, two = (json.dumps([event(name)]).encode() for name in "12")
    receiver.act(Say(200, one, (("next", "https://other.example/events?after=1&size=1"),)), Say(200, two))
    read = scripted.events.iterate(resource="urn:a:b", after="0", alternative_subject="/person/1")
    assert [each["id"] for each in read] == ["1", "2"]
    assert receiver.requests[1].target == "/events/api/v1/events?after=1&size=1"


def test_an_error_can_be_handed_to_another_process(scripted: Client, receiver: Receiver) -> None:
    receiver.act(
        Say(400, b'{"title": "Bad", "status": 400, "type": "t", "traceId": "7", "errors": {"Body": ["blank"]}}')
    )
    with pytest.raises(Invalid) as refused:
        scripted.orders.create_email(ORDER)
    copy = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 our own
    assert (type(copy), str(copy)) == (Invalid, "400: Bad: Body: blank")
    assert (copy.trace_id, copy.errors) == ("7", {"Body": ["blank"]})


def test_an_error_without_a_body_says_what_its_header_says(scripted: Client, receiver: Receiver) -> None:
    challenge = 'Bearer error="insufficient_scope", error_description="needs the scope a:b", scope="a:b"'
    receiver.act(Say(403, headers=(("WWW-Authenticate", challenge),)), Say(401))
    for words in ("403: needs the scope a:b", "401"):
        with pytest.raises(ApiError) as refused:
            scripted.orders.get("1")
        assert str(refused.value) == words


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_no_name_leads_out_of_its_place(scripted: Client, receiver: Receiver, name: str) -> None:
    with pytest.raises(ValueError, match="id: not a name"):
        scripted.orders.get(name)
    receiver.act(Say(200, b"{}"))
    scripted.orders.get("../a?b#c")
    assert receiver.requests[0].target == "/notifications/api/v1/orders/..%2Fa%3Fb%23c"


def test_a_time_without_a_zone_is_not_sent(scripted: Client, receiver: Receiver) -> None:
    with pytest.raises(ValueError, match="without a zone"):
        scripted.orders.create_email({**ORDER, "requestedSendTime": datetime(2030, 1, 1)})  # noqa: DTZ001 the fault
    assert receiver.requests == []
