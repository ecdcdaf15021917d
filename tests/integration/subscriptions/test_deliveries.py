"""Subscriptions' deliveries over HTTP: validation, pauses, secrets, replays and retries."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, select
from standardwebhooks import Webhook

from api.subscription_answers import SubscriptionList
from engine.db.store import Store
from engine.db.tables import audit_log
from engine.subscriptions import registry
from tests.helpers.rows import add_subscription
from tests.helpers.subscriptions import SUBSCRIPTIONS, publish, resource, subscribe, validated
from tests.helpers.waiting import wait_for
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    import httpx

    from tests.servers.installation import Installation


def deliveries(client: httpx.Client, seq: int, **query: object) -> list[dict[str, Any]]:
    answer = client.get(f"{SUBSCRIPTIONS}/{seq}/deliveries", params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["deliveries"]
    return found


def all_delivered(client: httpx.Client, seq: int, count: int) -> list[dict[str, Any]]:
    found = deliveries(client, seq, state="Delivered")
    return found if len(found) == count else []


def around() -> dict[str, str]:
    """The time from an hour ago to an hour from now."""
    now, hour = datetime.now(UTC), timedelta(hours=1)
    return {"from": (now - hour).isoformat(), "to": (now + hour).isoformat()}


def test_a_good_endpoint_is_validated_at_once_and_a_bad_one_tells_why(client: httpx.Client) -> None:
    with Receiver(Say(200)) as good, Receiver(Say(404, b"no such path")) as bad:
        wanted, unwanted = subscribe(client, endPoint=f"{good.url}/a"), subscribe(client, endPoint=f"{bad.url}/b")
        validated(client, wanted["id"])
        failed = wait_for(
            lambda: (found := client.get(f"{SUBSCRIPTIONS}/{unwanted['id']}").json()).get("lastError") and found
        )
        [shown] = deliveries(client, unwanted["id"])
    assert failed["validated"] is False
    assert "404" in failed["lastError"]
    assert shown["validation"] is True
    assert "eventType" not in shown
    assert "eventId" not in shown
    assert shown["state"] == "Waiting"
    assert shown["nextAttempt"] > shown["created"]
    reply = shown["replies"][0]
    assert (reply["status"], reply["body"], reply["outcome"]) == (404, "no such path", "deferred")
    assert reply["durationMs"] >= 0
    assert reply["at"] >= shown["created"]
    assert "lastError" not in client.get(f"{SUBSCRIPTIONS}/{wanted['id']}").json()


def test_deliveries_are_listed_the_newest_first_and_by_page(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about)["id"]
        validated(client, seq)
        ids = publish(client, about, 4)
        everything = wait_for(lambda: all_delivered(client, seq, 5))
    assert [entry.get("eventId") for entry in everything] == [*reversed(ids), None]
    newest = everything[0]
    assert (newest["eventSource"], newest["eventType"], newest["attempts"]) == ("urn:test:a", "test.a", 1)
    assert "validation" not in newest
    assert "nextAttempt" not in newest
    assert [reply["outcome"] for reply in newest["replies"]] == ["accepted"]

    seen: list[dict[str, Any]] = []
    address = f"{SUBSCRIPTIONS}/{seq}/deliveries?SIZE=2&state=delivered"
    while address:
        answer = client.get(address)
        seen += answer.json()["deliveries"]
        address = answer.headers.get("next", "")
        assert not address or "state=Delivered" in address
    assert seen == everything
    assert deliveries(client, seq, state="Dead") == []
    assert deliveries(client, seq, size=0, state="") == everything
    assert len(deliveries(client, seq, size=100_000)) == 5
    assert deliveries(client, seq, after=-1) == everything


@pytest.mark.parametrize(
    "query", ["state=Lost", "after=x", "after=9223372036854775808", "size=x", "size=2147483648", "size=%00"]
)
def test_a_page_that_cannot_be_is_told_per_parameter(client: httpx.Client, query: str) -> None:
    seq = subscribe(client)["id"]
    answer = client.get(f"{SUBSCRIPTIONS}/{seq}/deliveries?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def test_while_a_subscription_is_paused_events_wait(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about)["id"]
        validated(client, seq)
        paused = client.put(f"{SUBSCRIPTIONS}/{seq}/pause")
        assert paused.status_code == 200
        assert paused.json()["paused"] == "Paused by its consumer."
        assert client.put(f"{SUBSCRIPTIONS}/{seq}/pause").json() == paused.json()
        [name] = publish(client, about)
        waiting = wait_for(lambda: deliveries(client, seq, state="Waiting"))
        assert [(entry["eventId"], entry["attempts"]) for entry in waiting] == [(name, 0)]
        resumed = client.put(f"{SUBSCRIPTIONS}/{seq}/resume")
        assert resumed.status_code == 200
        assert "paused" not in resumed.json()
        receiver.wait_for(lambda: len(receiver.requests) == 2)
        assert name.encode() in receiver.requests[1].body


def test_a_new_secret_signs_beside_the_old_one(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        made = subscribe(client, endPoint=receiver.url, resourceFilter=about)
        validated(client, made["id"])
        answer = client.post(f"{SUBSCRIPTIONS}/{made['id']}/secret")
        new = answer.json()["secret"]
        publish(client, about)
        receiver.wait_for(lambda: len(receiver.requests) == 2)
    assert answer.status_code == 200
    assert set(answer.json()) == {"secret", "oldSecretValidUntil"}
    left = datetime.fromisoformat(answer.json()["oldSecretValidUntil"]) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)
    assert new.startswith("whsec_")
    assert new != made["secret"]
    first, second = receiver.requests
    Webhook(made["secret"]).verify(first.body, first.headers)
    for secret in (made["secret"], new):
        Webhook(secret).verify(second.body, second.headers)


def test_stored_events_are_counted_and_then_pushed_again(client: httpx.Client, installation: Installation) -> None:
    about = resource()
    with Receiver(Say(200)) as receiver:
        before = publish(client, about, 2) + publish(client, about, type="test.b")
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about, typeFilter="test.a")["id"]
        validated(client, seq)
        address = f"{SUBSCRIPTIONS}/{seq}/replay"
        asked = client.post(address, params=around())
        assert (asked.status_code, asked.json()) == (200, {"count": 2, "replayed": 0})
        differs = client.post(address, params=around() | {"count": "3"})
        assert differs.status_code == 409
        assert "2 events match" in differs.json()["detail"]
        assert len(deliveries(client, seq)) == 1
        done = client.post(address, params=around() | {"count": "2"})
        assert (done.status_code, done.json()) == (200, {"count": 2, "replayed": 2})
        receiver.wait_for(lambda: len(receiver.requests) == 3)
        pushed = b"".join(request.body for request in receiver.requests)
    assert [name.encode() in pushed for name in before] == [True, True, False]
    past = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-01T01:00:00+01:00"}
    assert client.post(address, params=past | {"count": "0"}).json() == {"count": 0, "replayed": 0}
    with closing(Store(installation.environment()["VARSEL_DATABASE_URL"])) as store, store.read() as connection:
        lines = select(audit_log.c.detail).where(audit_log.c.target == f"subscriptions/{seq}")
        told = connection.scalars(lines.order_by(audit_log.c.seq))
        assert [json.loads(detail).get("count") for detail in told] == [None, 2]  # subscribed; what pushed none is none


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z", "to"),
        ("from=2026-01-01T00:00:00&to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z&to=soon", "to"),
        ("from=2026-02-30T00:00:00Z&to=2026-03-01T00:00:00Z", "from"),
        ("from=0001-01-01T00:00:00%2B01:00&to=2026-01-01T00:00:00Z", "from"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-01T00:00:00%00Z", "to"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&count=many", "count"),
        ("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z&count=2147483648", "count"),
    ],
)
def test_a_replay_needs_two_times_with_their_zones(client: httpx.Client, query: str, field: str) -> None:
    seq = subscribe(client)["id"]
    answer = client.post(f"{SUBSCRIPTIONS}/{seq}/replay?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]


def test_a_delivery_is_attempted_again_when_that_is_asked_for(client: httpx.Client) -> None:
    about = resource()
    with Receiver(Say(200), Say(500, b"not today"), Say(200)) as receiver:
        seq = subscribe(client, endPoint=receiver.url, resourceFilter=about)["id"]
        validated(client, seq)
        [name] = publish(client, about)
        failed = wait_for(lambda: [entry for entry in deliveries(client, seq, state="Waiting") if entry["replies"]])[0]
        assert (failed["eventId"], failed["attempts"]) == (name, 1)
        retry = f"{SUBSCRIPTIONS}/{seq}/deliveries/{failed['id']}/retry"
        again = client.post(retry)
        assert (again.status_code, again.content) == (202, b"")
        [now, _] = deliveries(client, seq)
        assert now.get("nextAttempt", "") < failed["nextAttempt"], "the schedule stands"
        found = wait_for(lambda: all_delivered(client, seq, 2))[0]
    assert [reply["status"] for reply in found["replies"]] == [500, 200]
    done = client.post(retry)
    assert done.status_code == 409
    assert "accepted" in done.json()["detail"]


def test_only_a_subscriptions_own_deliveries_are_attempted_again(client: httpx.Client) -> None:
    mine, other = subscribe(client)["id"], subscribe(client)["id"]
    [delivery] = deliveries(client, other)
    for named in (delivery["id"], 0, -1, 2**63 - 1):
        unknown = client.post(f"{SUBSCRIPTIONS}/{mine}/deliveries/{named}/retry")
        assert (unknown.status_code, unknown.content) == (404, b"")
    strange = client.post(f"{SUBSCRIPTIONS}/{mine}/deliveries/{2**63}/retry")
    assert list(strange.json()["errors"]) == ["delivery"]


def test_however_many_subscriptions_are_one_question_to_the_database(store: Store) -> None:
    with store.write() as connection:
        for number in range(500):
            add_subscription(connection, f"https://example.no/{number}", types=("a", "b"))
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    with store.read() as connection:
        rows = registry.find_all(connection, "/org/ttd")
    assert SubscriptionList.of(rows).count == 500
    assert len([statement for statement in asked if "SELECT" in statement]) == 1
