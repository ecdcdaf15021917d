"""E-mails with attachments, from the order to the receiver's bytes, on both databases."""

from __future__ import annotations

import email
import uuid
from base64 import b64encode
from datetime import timedelta
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from engine.resources import SCOPE_COMPOSED, SCOPE_CREATE
from tests.helpers.client import ask
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage

    import httpx

HOUR = timedelta(hours=1)
COMPOSED = f"{API}/future/orders/composed-email"
PDF = bytes(place % 256 for place in range(300_000))  # more than is read of a body beside the event loop
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client(scope=f"{SCOPE_CREATE} {SCOPE_COMPOSED}") as client:
        yield client


def file(
    content: bytes = PDF, name: str = "vedtak.pdf", mime: str = "application/pdf", **members: str
) -> dict[str, str]:
    return {"filename": name, "mimeType": mime, "content": b64encode(content).decode()} | members


LOGO = file(PNG, "logo.png", "image/png", contentId="logo")
HTML = {"subject": "Hei", "body": '<p>Hei</p><img src="cid:logo">', "contentType": "Html"}


def composed(to: str, *files: dict[str, str], **members: object) -> dict[str, Any]:
    settings = HTML | {"attachments": list(files)}
    recipient = {"emailAddress": to, "emailSettings": settings}
    return {"idempotencyId": uuid.uuid4().hex, "recipient": recipient} | members


def somebody() -> str:
    return f"{uuid.uuid4().hex}@example.no"


def received(installation: Installation, to: str) -> EmailMessage:
    [message] = wait_for(lambda: installation.messages(to))
    return email.message_from_string(message["raw"], policy=default)


def files_of(message: EmailMessage) -> dict[str, bytes]:
    found = (part for part in message.walk() if part.get_filename())
    return {str(part.get_filename()): part.get_payload(decode=True) for part in found}  # type: ignore[misc]


def test_a_composed_order_arrives_with_its_files(client: httpx.Client, installation: Installation) -> None:
    to = somebody()
    body = composed(to, file(name="vedtak på norsk.pdf"), LOGO, dialogportenAssociation={"dialogId": "d-1"})
    answer = client.post(COMPOSED, json=body)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    assert answer.headers["location"] == f"{installation.address}{API}/orders/chain/{receipt['notificationOrderId']}"

    assert files_of(received(installation, to)) == {"vedtak på norsk.pdf": PDF, "logo.png": PNG}
    [message] = installation.messages(to)
    assert [(each["filename"], each["size"]) for each in message["attachments"]] == [
        ("logo.png", len(PNG)), ("vedtak på norsk.pdf", len(PDF))
    ]  # fmt: skip
    frame = ask("GET", f"{installation.address}/console/inbox/{message['id']}/html").text
    assert f"data:image/png;base64,{b64encode(PNG).decode()}" in frame
    shipment = receipt["notification"]["shipmentId"]
    path = f"{API}/future/shipment/{shipment}"
    shown = wait_for(lambda: (found := client.get(path).json())["status"] == "Order_Completed" and found)
    assert (shown["type"], shown["recipients"][0]["status"]) == ("Composed", "Email_Delivered")
    again = client.post(COMPOSED, json=body)
    assert (again.status_code, again.json(), "location" in again.headers) == (200, receipt, False)
    assert client.get(answer.headers["location"]).json()["notification"]["status"] == "Order_Completed"
    [entry] = [each for each in client.get(f"{API}/future/shipment/feed").json() if each["shipmentId"] == shipment]
    assert entry["shipmentType"] == "Composed"
    [logged] = client.get(f"{API}/future/enduser/log", params={"dialogId": "d-1"}).json()[:1]
    assert (logged["type"], logged["destination"]) == ("Composed", to)
    assert b64encode(PNG).decode() not in client.get(f"{API}/orders/{shipment}").text


def test_the_scope_for_composed_orders_is_one_of_its_own(installation: Installation) -> None:
    body = composed(somebody())
    platform = {"PlatformAccessToken": installation.key.platform_token("ttd", "apps-test", HOUR)}
    assert ask("POST", installation.address + COMPOSED, json=body, headers=platform).status_code == 403
    with installation.client() as create:
        assert create.post(COMPOSED, json=body).status_code == 403
    bearer = {"Authorization": f"Bearer {installation.key.bearer('nav', SCOPE_COMPOSED, HOUR)}"}
    assert ask("POST", installation.address + COMPOSED, json=body, headers=bearer | platform).status_code == 201


def test_an_identifier_of_a_composed_order_is_another_kinds_too(client: httpx.Client) -> None:
    kari = {"emailAddress": "kari@example.no", "emailSettings": {"subject": "Hei", "body": "Hei"}}
    body = {"idempotencyId": uuid.uuid4().hex}
    paths: dict[str, dict[str, Any]] = {
        COMPOSED: {"recipient": kari},
        f"{API}/future/orders": {"recipient": {"recipientEmail": kari}},
        f"{API}/future/orders/instant/email": {"recipientEmail": kari},
    }
    assert [client.post(path, json=body | more).status_code for path, more in paths.items()] == [201] * 3
    strict = client.post(
        COMPOSED, json=body | {"recipient": kari, "sendersReference": "x"}, headers={"Idempotency-Key": "y"}
    )
    assert strict.status_code == 422


def test_every_way_to_order_sends_attachments(client: httpx.Client, installation: Installation) -> None:
    texts: dict[str, Any] = HTML | {"attachments": [LOGO, file(b"a,b\r\n", "tall.csv", "text/csv")]}
    to = [somebody() for _ in range(6)]
    kari = [{"emailAddress": each, "emailSettings": texts} for each in to]
    name = uuid.uuid4().hex
    reminder = {"requestedSendTime": "2999-01-01T00:00:00Z", "recipient": {"recipientEmail": kari[0]}}
    chain = {"idempotencyId": name, "recipient": {"recipientEmail": kari[0]}, "reminders": [reminder]}
    ways = {
        "/future/orders": chain,
        "/future/orders/instant/email": {"idempotencyId": name, "recipientEmail": kari[1]},
        "/orders/email": texts | {"recipients": [{"emailAddress": to[2]}, {"emailAddress": to[3]}]},
        "/orders": {"notificationChannel": "Email", "recipients": [{"emailAddress": to[4]}], "emailTemplate": texts},
        "/future/orders/composed-email": {"idempotencyId": name, "recipient": kari[5]},
    }
    for path, body in ways.items():
        answer = client.post(API + path, json=body)
        assert answer.is_success, answer.text
    for each in to:
        assert files_of(received(installation, each)) == {"logo.png": PNG, "tall.csv": b"a,b\r\n"}


def test_attachments_that_are_too_large_are_refused_before_they_are_stored(client: httpx.Client) -> None:
    answer = client.post(COMPOSED, json=composed(somebody(), file(bytes(10_485_761))))
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"Recipient.Settings.Attachments"}
    assert (
        client.post(COMPOSED, content=b" " * 22_000_001, headers={"Content-Type": "application/json"}).status_code
        == 413
    )
