"""Orders over HTTP by the contract, on both databases."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.helpers.client import ask, connect
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, at, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

ORDERS = f"{API}/orders/email"


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def place(client: httpx.Client, *addresses: str, **members: object) -> str:
    answer = client.post(ORDERS, json=order(*addresses, **members))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["orderId"])


def test_an_order_is_accepted_with_its_id_and_a_link(client: httpx.Client, installation: Installation) -> None:
    answer = client.post(ORDERS, json=order())
    order_id = answer.json()["orderId"]
    assert answer.status_code == 202
    assert answer.json() == {"orderId": str(uuid.UUID(order_id))}
    assert answer.headers["location"] == f"{installation.address}{API}/orders/{order_id}"
    assert client.get(answer.headers["location"]).json()["id"] == order_id


@pytest.mark.parametrize(
    "path",
    [f"{API}/order/email", "/orders/email", "/order/email", f"{ORDERS}/", f"{API}//orders//email", ORDERS.upper()],
)
def test_other_spellings_of_the_path_are_the_same_path(client: httpx.Client, path: str) -> None:
    assert client.post(path, json=order()).status_code == 202


def test_what_was_posted_comes_back_with_the_contracts_names(client: httpx.Client, installation: Installation) -> None:
    order_id = place(
        client,
        " kari@example.no ",
        subject="Linje en\r\nog to",
        contentType="html",
        sendersReference="ref-names",
        requestedSendTime="2099-01-01T10:00:00+01:00",
        ignoreReservation=True,
        resourceId="urn:altinn:resource:x",
        resourceAction="read",
        conditionEndpoint="https://example.no/condition",
    )
    base = f"{installation.address}{API}/orders/{order_id}"
    found = client.get(base).json()
    created = found.pop("created")
    assert created.endswith("Z")
    assert found == {
        "id": order_id,
        "sendersReference": "ref-names",
        "requestedSendTime": "2099-01-01T09:00:00Z",
        "creator": "ttd",
        "notificationChannel": "Email",
        "ignoreReservation": True,
        "resourceId": "urn:altinn:resource:x",
        "resourceAction": "read",
        "conditionEndpoint": "https://example.no/condition",
        "recipients": [{"emailAddress": "kari@example.no"}],
        "emailTemplate": {
            "fromAddress": "noreply@varsel.example",
            "subject": "Linje en og to",
            "body": "Hei, Kari!",
            "contentType": "Html",
        },
        "deliveryGuarantee": "AtLeastOnce",
        "priority": "Normal",
        "links": {"self": base, "status": f"{base}/status"},
    }
    status = client.get(f"{base}/status").json()
    assert status["processingStatus"]["status"] == "Registered"
    assert "notificationsStatusSummary" not in status
    assert "recipients" not in status
    assert client.get(f"{base}/notifications/email").json() == {
        "orderId": order_id,
        "sendersReference": "ref-names",
        "generated": 0,
        "succeeded": 0,
        "notifications": [],
    }


def test_member_names_and_enumerations_are_read_in_any_case(client: httpx.Client) -> None:
    posted = {"SUBJECT": "a", "Body": "b", "contenttype": 1, "RECIPIENTS": [{"EmailAddress": "a@example.no"}], "x": 1}
    order_id = client.post(ORDERS, json=posted).json()["orderId"]
    assert client.get(f"{API}/orders/{order_id}").json()["emailTemplate"]["contentType"] == "Html"


def test_orders_are_found_by_their_reference(client: httpx.Client, installation: Installation) -> None:
    reference = uuid.uuid4().hex
    placed = [place(client, sendersReference=reference) for _ in range(2)]
    found = client.get(f"{API}/orders", params={"sendersReference": reference}).json()
    assert found["count"] == 2
    assert [entry["id"] for entry in found["orders"]] == placed
    nothing = {"count": 0, "orders": []}
    assert client.get(f"{API}/orders", params={"sendersReference": reference.upper()}).json() == nothing
    assert client.get(f"{API}/orders", params={"sendersReference": "\0"}).json() == nothing
    with installation.client("skd") as other:
        assert other.get(f"{API}/orders", params={"sendersReference": reference}).json() == nothing
    missing = client.get(f"{API}/orders")
    assert missing.status_code == 400
    assert list(missing.json()["errors"]) == ["sendersReference"]


@pytest.mark.parametrize("rest", ["", "/status", "/notifications/email"])
def test_a_foreign_order_is_an_unknown_one(client: httpx.Client, installation: Installation, rest: str) -> None:
    order_id = place(client, requestedSendTime=at(timedelta(hours=1)))
    with installation.client("skd") as other:
        foreign = other.get(f"{API}/orders/{order_id}{rest}")
    unknown = client.get(f"{API}/orders/{uuid.uuid4()}{rest}")
    assert (foreign.status_code, foreign.content) == (unknown.status_code, unknown.content) == (404, b"")
    no_id = client.get(f"{API}/orders/17{rest}")
    assert (no_id.status_code, list(no_id.json()["errors"])) == (400, ["id"])


def test_an_order_is_cancelled_in_time_and_not_later(client: httpx.Client, installation: Installation) -> None:
    early = place(client, requestedSendTime=at(timedelta(minutes=10)))
    late = place(client, requestedSendTime=at(timedelta(minutes=4)))
    with installation.client("skd") as other:
        foreign = other.put(f"{API}/orders/{early}/cancel")
    assert (foreign.status_code, foreign.json()["title"]) == (404, "Not Found")
    for _ in range(2):
        cancelled = client.put(f"{API}/orders/{early}/cancel")
        assert (cancelled.status_code, cancelled.json()["processingStatus"]["status"]) == (200, "Cancelled")
    refused = client.put(f"{API}/orders/{late}/cancel")
    assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
    ended = place(client)
    wait_for(
        lambda: "completed" in client.get(f"{API}/orders/{ended}/status").json()["processingStatus"]["description"]
    )
    assert client.put(f"{API}/orders/{ended}/cancel").json()["detail"].startswith("The order has ended")


def test_each_recipient_has_its_own_result(client: httpx.Client) -> None:
    order_id = place(client, "en@example.no", "to@example.no", "en@example.no")
    found = wait_for(
        lambda: (
            (answer := client.get(f"{API}/orders/{order_id}/notifications/email").json())["succeeded"] == 3 and answer
        )
    )
    addresses = [entry["recipient"]["emailAddress"] for entry in found["notifications"]]
    assert addresses == ["en@example.no", "to@example.no", "en@example.no"]
    for entry in found["notifications"]:
        assert entry["succeeded"] is True
        assert entry["sendStatus"]["status"] == "Succeeded"
        assert entry["sendStatus"]["description"]


def test_credentials_are_asked_for_before_the_body_is_read(installation: Installation) -> None:
    json = {"Content-Type": "application/json"}
    nobody = ask("POST", f"{installation.address}{ORDERS}", content=b"{", headers=json)
    assert (nobody.status_code, nobody.content) == (401, b"")
    assert nobody.headers["www-authenticate"] == "Bearer"
    with installation.client(scope="altinn:events.publish") as stranger:
        refused = stranger.post(ORDERS, json=order())
        assert (refused.status_code, refused.content) == (403, b"")
    with installation.client(scope="a altinn:serviceowner/notifications.create") as owner:
        assert owner.post(ORDERS, json=order()).status_code == 202
    token = installation.key.platform_token("apps", "apps-test", timedelta(hours=1))
    with connect(installation.address, headers={"PlatformAccessToken": token}) as app:
        order_id = place(app)
        assert app.get(f"{API}/orders/{order_id}").json()["creator"] == "apps"
        bad = app.post(ORDERS, json=order(), headers={"PlatformAccessToken": token[:-4] + "AAAA"})
        assert (bad.status_code, bad.content) == (401, b"")


def test_a_callers_trace_goes_on(client: httpx.Client) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = client.post(ORDERS, json={}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert answer.json()["traceId"].split("-")[1] == trace


def test_wrong_methods_and_paths_are_problems_too(client: httpx.Client) -> None:
    assert client.delete(ORDERS).json()["status"] == 405
    assert client.get(f"{API}/nothing").json()["status"] == 404


def test_health_and_metrics_answer_without_credentials(installation: Installation) -> None:
    with connect(installation.address) as anybody:
        assert anybody.get("/livez").status_code == 200
        assert anybody.get("/readyz").json() == {
            "status": "ok",
            "database": "ok",
            "delivery": "ok",
            "redis": "ok",
        }
        metrics = anybody.get("/metrics").text
    for name in ('varsel_due{lane="emails"}', "varsel_orders_total", 'varsel_attempts_total{outcome="accepted"}'):
        assert name in metrics
