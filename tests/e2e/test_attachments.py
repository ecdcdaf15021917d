"""Attachments from a file server with a certificate of its own, and their addresses, which nobody may learn."""

from __future__ import annotations

import email
import uuid
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from engine.resources import SCOPE_COMPOSED, SCOPE_CREATE
from tests.helpers.client import ask
from tests.helpers.command import varsel
from tests.helpers.waiting import wait_for
from tests.servers.http import Action, Pour, Receiver, Say
from tests.servers.installation import API, Installation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

SECRET = "c2VjcmV0LXNpZ25hdHVyZQ"
BOUND = 100_000  # bytes
PDF = bytes(place % 256 for place in range(BOUND // 2))
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def files() -> Iterator[Receiver]:
    with Receiver(Say(200, PDF), tls_name="localhost") as receiver:
        yield receiver


@pytest.fixture(scope="module")
def own(files: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    settings = {
        "allow_private_endpoints": "true", "attachment_hosts": "localhost", "attachment_ca_file": files.ca_file,
        "max_attachment_bytes": BOUND, "worker_processes": 1, "log_level": "DEBUG",
    }  # fmt: skip
    with Installation(tmp_path_factory.mktemp("attachments"), **settings) as installation:
        yield installation


def order(client: httpx.Client, files: Receiver, to: str, count: int = 1) -> str:
    """Order an e-mail with so many files of the server; returns the shipment's identifier."""
    address = f"https://localhost:{files.port}/in/vedtak.pdf?sig={SECRET}"
    file = {"filename": "vedtak.pdf", "mimeType": "application/pdf", "sasUrl": address}
    settings = {"subject": "Hei", "body": "Hei", "attachments": [file] * count}
    recipient = {"emailAddress": to, "emailSettings": settings}
    posted = {"idempotencyId": uuid.uuid4().hex, "recipient": recipient}
    answer = client.post(f"{API}/future/orders/composed-email", json=posted)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["notification"]["shipmentId"])


def became(client: httpx.Client, shipment: str) -> str:
    """What became of its e-mail."""
    path = f"{API}/future/shipment/{shipment}"
    shown: dict[str, Any] = wait_for(
        lambda: (found := client.get(path).json())["status"] == "Order_Completed" and found
    )
    return str(shown["recipients"][0]["status"])


def told(installation: Installation, shipment: str) -> list[str]:
    """All that the installation says about an order, and what lies on its disk."""
    url = installation.environment()["VARSEL_DATABASE_URL"]
    shown = varsel("orders", "show", shipment, "--json", database_url=url).output
    pages = (f"/console/orders/{shipment}", f"/console/emails?order={shipment}", "/console", "/metrics")
    disk = (installation.folder / name for name in ("varsel.db", "varsel.db-wal", "appendonlydir"))
    texts = [file.read_bytes().decode("latin-1") for file in disk if file.is_file()]
    return [shown, *(ask("GET", installation.address + page).text for page in pages), *installation.output, *texts]


def test_files_are_fetched_over_tls_and_arrive(own: Installation, files: Receiver) -> None:
    with own.client(scope=f"{SCOPE_CREATE} {SCOPE_COMPOSED}") as client:
        shipment = order(client, files, "kari@example.no", 2)
        assert became(client, shipment) == "Email_Delivered"
        [message] = own.messages("kari@example.no")
        parts = email.message_from_string(message["raw"], policy=default).iter_attachments()
        assert [part.get_payload(decode=True) for part in parts] == [PDF] * 2
        assert [request.server_name for request in files.requests] == ["localhost"] * 2
        assert not any(SECRET in text for text in told(own, shipment))


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Say(404), "InvalidSasUrl"),
        (Say(302, headers=(("Location", "{private}"),)), "InvalidSasUrl"),
        (Say(200, bytes(BOUND + 1)), "PayloadTooLarge"),
        (Pour(CHUNKED, b"3E8\r\n" + bytes(1000) + b"\r\n"), "PayloadTooLarge"),
    ],
    ids=["not there", "elsewhere", "too large", "without end"],
)
def test_what_is_not_to_be_had_is_told_without_its_address(
    own: Installation, files: Receiver, action: Action, state: str
) -> None:
    with Receiver(Say(200)) as private, own.client(scope=f"{SCOPE_CREATE} {SCOPE_COMPOSED}") as client:
        if isinstance(action, Say):
            headers = tuple((name, value.format(private=private.url)) for name, value in action.headers)
            action = Say(action.status, action.body, headers)
        files.act(action)
        shipment = order(client, files, "ola@example.no")
        assert became(client, shipment) == f"Email_Failed_{state}"
        assert private.requests == []
        texts = told(own, shipment)
    assert not any(SECRET in text for text in texts)
    for text in texts[:2]:  # the command line's, the console's
        assert "given up" in text
        assert "localhost: " in text  # whom the operators can ask


def test_an_address_that_is_refused_is_not_told_back(own: Installation) -> None:
    file = {"filename": "a.pdf", "mimeType": "application/pdf", "sasUrl": f"https://elsewhere.example/a?sig={SECRET}"}
    settings = {"subject": "Hei", "body": "Hei", "attachments": [file]}
    body = {"idempotencyId": "1", "recipient": {"emailAddress": "kari@example.no", "emailSettings": settings}}
    with own.client(scope=SCOPE_COMPOSED) as client:
        answer = client.post(f"{API}/future/orders/composed-email", json=body)
    assert set(answer.json()["errors"]) == {"Recipient.Settings.Attachments[0].SasUrl"}
    assert not any(SECRET in text for text in (answer.text, *own.output))
