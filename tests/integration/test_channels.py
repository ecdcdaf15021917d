"""Orders for any channel, and for SMS: orders for e-mail are accepted, others are refused with the reason."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from engine.orders.request import PARAMETER
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

ORDERS = f"{API}/orders"
CONTENT = {"subject": "Hei", "body": "<b>Hei</b>", "contentType": "Html"}


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def posted(channel: object = "Email", template: object = CONTENT, **members: object) -> dict[str, object]:
    recipients = [{"emailAddress": "kari@example.no"}]
    return {"notificationChannel": channel, "emailTemplate": template, "recipients": recipients} | members


def errors(answer: httpx.Response) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.text
    assert answer.json()["title"] == "One or more validation errors occurred."
    found: dict[str, list[str]] = answer.json()["errors"]
    return found


@pytest.mark.parametrize("channel", ["Email", "email", 0])
def test_an_order_whose_channel_is_email_is_an_email_order(client: httpx.Client, channel: object) -> None:
    answer = client.post(ORDERS, json=posted(channel, subject="not this", sendersReference="ref-any"))
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"].endswith(f"{ORDERS}/{answer.json()['orderId']}")
    found = client.get(answer.headers["location"]).json()
    assert (found["notificationChannel"], found["sendersReference"]) == ("Email", "ref-any")
    assert found["emailTemplate"] == CONTENT | {"fromAddress": "noreply@varsel.example"}


def test_its_emails_are_sent(client: httpx.Client, installation: Installation) -> None:
    address = f"{uuid.uuid4().hex}@example.no"
    members: dict[str, Any] = {"Recipients": [{"emailAddress": address}], "smsTemplate": {"body": "Hei"}}
    client.post(ORDERS, json=posted(template={"SUBJECT": "Hei", "Body": "Hei!"}, **members)).raise_for_status()
    [mail] = wait_for(lambda: installation.messages(address))
    assert (mail["subject"], mail["text"].strip()) == ("Hei", "Hei!")


@pytest.mark.parametrize("channel", ["Sms", "EmailPreferred", "SmsPreferred", "EmailAndSms", "Pigeon", "0", 1, 4])
def test_another_channel_is_refused(client: httpx.Client, channel: object) -> None:
    found = errors(client.post(ORDERS, json=posted(channel)))
    assert list(found) == ["NotificationChannel"]
    assert "must be Email" in found["NotificationChannel"][0]


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"notificationChannel": None}, ["NotificationChannel"]),
        ({"emailTemplate": None}, ["EmailTemplate"]),
        ({"emailTemplate": "Hei"}, ["$.emailTemplate", PARAMETER]),
        ({"emailTemplate": {"subject": " "}}, ["EmailTemplate.Subject", "EmailTemplate.Body"]),
        ({"emailTemplate": CONTENT | {"subject": "a\0b"}, "recipients": []}, ["EmailTemplate.Subject", "Recipients"]),
        ({"emailTemplate": CONTENT | {"body": 5}}, ["$.emailTemplate.body", PARAMETER]),
        ({"emailTemplate": CONTENT | {"fromAddress": "other@example.no"}}, ["EmailTemplate.FromAddress"]),
        (
            {"emailTemplate": CONTENT | {"fromAddress": 5}},
            ["$.emailTemplate.fromAddress", PARAMETER],
        ),
        ({"notificationChannel": False}, ["$.notificationChannel", PARAMETER]),
        ({"notificationChannel": []}, ["$.notificationChannel", PARAMETER]),
    ],
)
def test_what_is_wrong_is_told_by_its_place(client: httpx.Client, members: dict[str, Any], fields: list[str]) -> None:
    assert list(errors(client.post(ORDERS, json=posted() | members))) == fields


@pytest.mark.parametrize("sender", [None, "", "  ", "NoReply@Varsel.example"])
def test_the_installations_own_sender_may_be_named(client: httpx.Client, sender: str | None) -> None:
    assert client.post(ORDERS, json=posted(template=CONTENT | {"fromAddress": sender})).status_code == 202


def test_a_key_counts_here_too(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = (client.post(ORDERS, json=posted(), headers=headers) for _ in range(2))
    assert (first.json(), again.headers["idempotency-replayed"]) == (again.json(), "true")


def test_an_order_for_sms_is_refused_in_so_many_words(client: httpx.Client) -> None:
    found = errors(client.post(f"{ORDERS}/sms", json={"body": "Hei", "recipients": [{"mobileNumber": "+4799999999"}]}))
    assert "e-mail only" in found["NotificationChannel"][0]


def test_no_sms_came_of_an_order(client: httpx.Client, installation: Installation) -> None:
    order_id = client.post(f"{ORDERS}/email", json=order(sendersReference="ref-sms")).json()["orderId"]
    summary = client.get(f"{ORDERS}/{order_id}/notifications/sms")
    none = {"generated": 0, "succeeded": 0, "notifications": []}
    assert (summary.status_code, summary.json()) == (200, {"orderId": order_id, "sendersReference": "ref-sms"} | none)
    with installation.client("skd") as other:
        answer = other.get(f"{ORDERS}/{order_id}/notifications/sms")
    assert (answer.status_code, answer.content) == (404, b"")
