"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07), on both databases."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, order

pytestmark = pytest.mark.dialects

ORDERS = f"{API}/orders/email"


def test_the_same_key_and_payload_get_the_first_answer_again(installation: Installation) -> None:
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    posted = order("gjenta@example.no")
    with installation.client() as client:
        first = client.post(ORDERS, json=posted, headers=key)
        turned = json.dumps(dict(reversed(list(posted.items()))), indent=3)
        again = client.post(ORDERS, content=turned, headers=key | {"Content-Type": "application/json"})
    assert first.status_code == again.status_code == 202
    assert first.json() == again.json()
    assert first.headers["location"] == again.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


def test_the_same_key_with_another_payload_is_refused(installation: Installation) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    with installation.client() as client:
        assert client.post(ORDERS, json=order(), headers=key).status_code == 202
        refused = client.post(ORDERS, json=order(subject="en annen"), headers=key)
        assert refused.status_code == 422
        assert "fresh key" in refused.json()["detail"]
    with installation.client("skd") as other:
        assert other.post(ORDERS, json=order(), headers=key).status_code == 202


def test_a_refused_order_does_not_use_its_key_up(installation: Installation) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    with installation.client() as client:
        assert client.post(ORDERS, json=order(subject=""), headers=key).status_code == 400
        assert client.post(ORDERS, json=order(), headers=key).status_code == 202


def test_of_many_at_once_one_order_is_made(installation: Installation) -> None:
    reference = uuid.uuid4().hex
    posted = order(sendersReference=reference)
    with installation.client() as client, ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(lambda _: client.post(ORDERS, json=posted, headers={"Idempotency-Key": reference}), range(32))
        )
        assert {answer.status_code for answer in answers} <= {202, 409}
        assert len({answer.json()["orderId"] for answer in answers if answer.status_code == 202}) == 1
        assert client.get(f"{API}/orders", params={"sendersReference": reference}).json()["count"] == 1


def test_a_replay_is_answered_though_its_send_time_has_passed_meanwhile(installation: Installation) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    oldest = datetime.now(UTC) - timedelta(minutes=5)  # that a send time may be
    posted = order(requestedSendTime=(oldest + timedelta(seconds=3)).isoformat())
    with installation.client() as client:
        first = client.post(ORDERS, json=posted, headers=key)
        assert first.status_code == 202
        wait_for(lambda: client.post(ORDERS, json=posted).status_code == 400)
        again = client.post(ORDERS, json=posted, headers=key)
    assert (again.status_code, again.json()) == (202, first.json())


def test_a_replay_is_only_for_whoever_may_place_orders(installation: Installation) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    with installation.client() as client, installation.client(scope="openid") as other:
        assert client.post(ORDERS, json=order(), headers=key).status_code == 202
        assert other.post(ORDERS, json=order(), headers=key).status_code == 403


def test_a_key_is_visible_ascii(installation: Installation) -> None:
    with installation.client() as client:
        for key in ("", "x" * 256, "a b"):
            answer = client.post(ORDERS, json=order(), headers={"Idempotency-Key": key})
            assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])
