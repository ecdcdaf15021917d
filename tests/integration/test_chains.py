"""Orders of the second generation over HTTP (contract 2.4, 2.5, 4.5, 6.10), on both databases."""

from __future__ import annotations

import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.db.store import Store
from engine.orders.contacts import import_contacts
from tests.helpers.client import connect
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

CHAINS, INSTANT = f"{API}/future/orders", f"{API}/future/orders/instant/email"
SETTINGS = {"subject": "Hei", "body": "Hei, Kari!"}
MAIL = {"recipientEmail": {"emailAddress": "kari@example.no", "emailSettings": SETTINGS}}
PERSON, ORGANIZATION, RESERVED, UNKNOWN = "01017512345", "910150804", "01017512346", "01017512347"
CONTACTS = f"""identity,name,email,reserved
{PERSON},Kari Nordmann,kari@example.no,false
{RESERVED},Ola Nordmann,ola@example.no,true
{ORGANIZATION},Eksempel AS,post@example.no,false
"""


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


@pytest.fixture(autouse=True)
def _directory(installation: Installation) -> None:
    store = Store(installation.environment()["VARSEL_DATABASE_URL"])
    with store.write() as connection:
        import_contacts(connection, io.StringIO(CONTACTS))
    store.close()


def chain(*, name: str | None = None, **members: object) -> dict[str, Any]:
    return {"idempotencyId": name or uuid.uuid4().hex, "recipient": MAIL} | members


def person(number: str, **members: object) -> dict[str, Any]:
    given = {"nationalIdentityNumber": number, "channelSchema": "Email", "emailSettings": SETTINGS}
    return {"recipientPerson": given | members}


def errors(answer: httpx.Response) -> dict[str, list[str]]:
    assert answer.status_code == 400, answer.text
    found: dict[str, list[str]] = answer.json()["errors"]
    return found


def test_a_chain_has_a_receipt_a_link_and_a_replay(client: httpx.Client, installation: Installation) -> None:
    reminder = {"delayDays": 3, "recipient": MAIL, "sendersReference": "ref-r"}
    body = chain(sendersReference="ref-m", requestedSendTime=at(timedelta(hours=1)), reminders=[reminder])
    answer = client.post(CHAINS, json=body)
    assert answer.status_code == 201, answer.text
    receipt = answer.json()
    notification = receipt["notification"]
    assert receipt == {
        "notificationOrderId": str(uuid.UUID(receipt["notificationOrderId"])),
        "notification": {
            "shipmentId": str(uuid.UUID(notification["shipmentId"])),
            "sendersReference": "ref-m",
            "reminders": [
                {"shipmentId": str(uuid.UUID(notification["reminders"][0]["shipmentId"])), "sendersReference": "ref-r"}
            ],
        },
    }
    assert answer.headers["location"] == f"{installation.address}{API}/orders/chain/{receipt['notificationOrderId']}"
    again = client.post(CHAINS, json=body | {"sendersReference": "another"})
    assert (again.status_code, again.json(), "location" in again.headers) == (200, receipt, False)
    found = client.get(answer.headers["location"]).json()
    assert found["idempotencyId"] == body["idempotencyId"]
    assert found["notification"]["status"] == "Order_Registered"
    [stored] = found["notification"]["reminders"]
    times = [datetime.fromisoformat(each["requestedSendTime"]) for each in (found["notification"], stored)]
    assert times[1] - times[0] == timedelta(days=3)


def test_each_reminder_is_an_order_of_its_own(client: httpx.Client) -> None:
    reminders = [{"delayDays": 1, "recipient": MAIL}, {"requestedSendTime": at(timedelta(hours=2)), "recipient": MAIL}]
    body = chain(requestedSendTime=at(timedelta(hours=1)), reminders=reminders)
    notification = client.post(CHAINS, json=body).json()["notification"]
    first, others = notification, notification["reminders"]
    cancelled = client.put(f"{API}/orders/{first['shipmentId']}/cancel")
    assert cancelled.status_code == 200
    for other in others:
        assert (
            client.get(f"{API}/orders/{other['shipmentId']}/status").json()["processingStatus"]["status"]
            == "Registered"
        )
    shown = [client.get(f"{API}/future/shipment/{each['shipmentId']}").json() for each in (first, *others)]
    assert [(each["type"], each["status"]) for each in shown] == [
        ("Notification", "Order_Cancelled"), ("Reminder", "Order_Registered"), ("Reminder", "Order_Registered"),
    ]  # fmt: skip


def test_who_asks_for_an_order_by_its_chains_id_is_told_the_orders_ids(
    client: httpx.Client, installation: Installation
) -> None:
    reminder = {"delayDays": 1, "recipient": MAIL}
    body = chain(requestedSendTime=at(timedelta(hours=1)), reminders=[reminder])
    receipt = client.post(CHAINS, json=body).json()
    chain_id, first = receipt["notificationOrderId"], receipt["notification"]
    asked = (("PUT", f"{API}/orders/{chain_id}/cancel"), ("GET", f"{API}/future/shipment/{chain_id}"))
    ids = f"{first['shipmentId']}, {first['reminders'][0]['shipmentId']}"
    with installation.client("skd") as other:
        for method, path in asked:
            answer = client.request(method, path)
            assert answer.status_code == 404
            told = f"{chain_id} is a chain's id (notificationOrderId); its orders have the shipmentIds {ids}."
            assert answer.json()["detail"] == told
            hidden = other.request(method, path)
            assert (hidden.status_code, hidden.json()["detail"]) == (404, f"There is no order {chain_id}.")


def test_an_instant_order_is_sent_at_once_and_shown_as_delivered(
    client: httpx.Client, installation: Installation
) -> None:
    to = f"{uuid.uuid4().hex}@example.no"
    body = {"idempotencyId": "same", "recipientEmail": {"emailAddress": to, "emailSettings": SETTINGS}}
    answer = client.post(INSTANT, json=body)
    assert answer.status_code == 201, answer.text
    [mail] = wait_for(lambda: installation.messages(to))
    assert mail["subject"] == "Hei"
    shipment = f"{API}/future/shipment/{answer.json()['notification']['shipmentId']}"
    shown = wait_for(lambda: (it := client.get(shipment).json())["status"] == "Order_Completed" and it)
    assert shown["type"] == "Instant"
    [recipient] = shown["recipients"]
    assert (recipient["type"], recipient["destination"], recipient["status"]) == ("Email", to, "Email_Delivered")
    assert client.get(f"{API}/orders/{shown['shipmentId']}").json()["priority"] == "Instant"
    # Identifiers of instant orders are apart from those of others.
    assert client.post(CHAINS, json=chain(name="same", requestedSendTime=at(timedelta(hours=1)))).status_code == 201
    assert client.post(INSTANT, json=body).status_code == 200


@pytest.mark.dialects
def test_equal_identifiers_at_once_make_one_chain(client: httpx.Client) -> None:
    body = chain(requestedSendTime=at(timedelta(hours=1)))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post(CHAINS, json=body), range(24)))
    assert sorted({answer.status_code for answer in answers}) == [200, 201]
    assert [answer.status_code for answer in answers].count(201) == 1
    assert len({answer.text for answer in answers}) == 1


def test_another_body_is_refused_where_that_is_asked_for(client: httpx.Client) -> None:
    body = chain(requestedSendTime=at(timedelta(hours=1)))
    assert client.post(CHAINS, json=body).status_code == 201
    strict = {"Idempotency-Key": "x"}
    assert client.post(CHAINS, json=body, headers=strict).status_code == 200
    refused = client.post(CHAINS, json=body | {"sendersReference": "other"}, headers=strict)
    assert refused.status_code == 422, refused.text
    assert "idempotencyId" in refused.json()["detail"]


def test_an_order_whose_time_has_passed_is_still_replayed(client: httpx.Client, installation: Installation) -> None:
    body = chain(requestedSendTime=at(timedelta(hours=1)))
    receipt = client.post(CHAINS, json=body).json()
    past = body | {"requestedSendTime": at(timedelta(minutes=-1))}
    assert client.post(CHAINS, json=past).json() == receipt
    assert "RequestedSendTime" in errors(client.post(CHAINS, json=past | {"idempotencyId": "fresh"}))
    with installation.client("skd") as other:
        assert other.post(CHAINS, json=body).json() != receipt


def test_recipients_known_by_a_number_are_looked_up(client: httpx.Client) -> None:
    organization = {"orgNumber": ORGANIZATION, "channelSchema": "emailpreferred", "emailSettings": SETTINGS}
    sms = {"body": "Hei", "sender": "Altinn"}
    reminder = {"delayDays": 1, "recipient": {"recipientOrganization": organization | {"smsSettings": sms}}}
    body = chain(recipient=person(RESERVED), requestedSendTime=at(timedelta(hours=1)), reminders=[reminder])
    notification = client.post(CHAINS, json=body).json()["notification"]
    shown = client.get(f"{API}/orders/{notification['reminders'][0]['shipmentId']}").json()
    assert shown["notificationChannel"] == "EmailPreferred"
    assert shown["smsTemplate"] == {"senderNumber": "Altinn", "body": "Hei"}
    assert shown["recipients"] == [{"organizationNumber": ORGANIZATION}]


def test_an_unreachable_recipient_stores_nothing(client: httpx.Client) -> None:
    body = chain(reminders=[{"delayDays": 1, "recipient": person(UNKNOWN)}], sendersReference=uuid.uuid4().hex)
    answer = client.post(CHAINS, json=body)
    assert answer.status_code == 422
    problem = answer.json()
    assert (problem["type"], problem["code"]) == ("urn:altinn:error:NOT-00001", "NOT-00001")
    assert client.get(f"{API}/orders", params={"sendersReference": body["sendersReference"]}).json()["count"] == 0
    assert client.post(CHAINS, json=body | {"reminders": None}).status_code == 201


@pytest.mark.parametrize(
    ("members", "fields"),
    [
        ({"idempotencyId": " "}, {"IdempotencyId"}),
        ({"recipient": {}}, {"Recipient"}),
        ({"recipient": MAIL | person(PERSON)}, {"Recipient"}),
        ({"recipient": {"recipientSms": {"phoneNumber": "+4799999999"}}}, {"Recipient.RecipientSms"}),
        ({"recipient": {"recipientExternalIdentity": {}}}, {"Recipient.RecipientExternalIdentity"}),
        ({"recipient": person("1", channelSchema="Sms")},
         {"Recipient.RecipientPerson.NationalIdentityNumber", "Recipient.RecipientPerson.ChannelSchema"}),
        ({"recipient": person(PERSON, channelSchema="EmailPreferred")}, {"Recipient.RecipientPerson.SmsSettings"}),
        ({"recipient": person(PERSON, emailSettings=None)}, {"Recipient.RecipientPerson.EmailSettings"}),
        ({"recipient": person(PERSON, resourceId="x")}, {"Recipient.RecipientPerson.ResourceId"}),
        ({"recipient": person(PERSON, resourceAction="x")}, {"Recipient.RecipientPerson.ResourceAction"}),
        ({"recipient": {"recipientEmail": {"emailAddress": "x", "emailSettings": SETTINGS | {"subject": " "}}}},
         {"Recipient.RecipientEmail.EmailAddress", "Recipient.RecipientEmail.Settings.Subject"}),
        ({"recipient": {"recipientEmail": {"emailAddress": "a@b.no", "emailSettings": SETTINGS | {
            "senderEmailAddress": "x@y.no"}}}}, {"Recipient.RecipientEmail.Settings.SenderEmailAddress"}),
        ({"reminders": [{"recipient": MAIL}]}, {"Reminders[0]"}),
        ({"reminders": [{"recipient": MAIL, "delayDays": 0}]}, {"Reminders[0].DelayDays"}),
        ({"reminders": [{"recipient": MAIL, "delayDays": "2", "requestedSendTime": "2099-01-01T00:00:00Z"}]},
         {"Reminders[0]"}),
        ({"reminders": [{"recipient": MAIL, "delayDays": 1, "conditionEndpoint": "ftp://example.no"}]},
         {"Reminders[0].ConditionEndpoint"}),
        ({"requestedSendTime": "2099-01-01T00:00:00"}, {"RequestedSendTime"}),
        ({"conditionEndpoint": "http://10.0.0.1/"}, {"ConditionEndpoint"}),
        ({"dialogportenAssociation": {"dialogId": "x" * 501}}, {"DialogportenAssociation.DialogId"}),
    ],
)  # fmt: skip
def test_each_broken_rule_has_its_path(client: httpx.Client, members: dict[str, Any], fields: set[str]) -> None:
    assert set(errors(client.post(CHAINS, json=chain(**members)))) == fields


def test_a_missing_member_is_no_such_order(client: httpx.Client) -> None:
    assert set(errors(client.post(CHAINS, json={"recipient": MAIL}))) == {"$", "notificationOrderRequest"}
    inside = {"recipientEmail": {"emailAddress": "kari@example.no"}}
    assert "$.recipient.recipientEmail" in errors(client.post(CHAINS, json=chain(recipient=inside)))
    assert "$.reminders[0]" in errors(client.post(CHAINS, json=chain(reminders=[{"delayDays": 1}])))
    assert set(errors(client.post(INSTANT, json={}))) == {"$", "instantEmailNotificationOrderRequest"}


def test_names_of_members_count_in_any_case_and_unknown_ones_do_not_matter(client: httpx.Client) -> None:
    email = {"EMAILADDRESS": "kari@example.no", "emailsettings": SETTINGS | {"Message": "x", "CONTENTTYPE": "html"}}
    body = {"IdempotencyID": uuid.uuid4().hex, "Recipient": {"RECIPIENTemail": email}, "what": 1}
    answer = client.post(CHAINS, json=body)
    assert answer.status_code == 201, answer.text
    shown = client.get(f"{API}/orders/{answer.json()['notification']['shipmentId']}").json()
    assert shown["emailTemplate"]["contentType"] == "Html"


@pytest.mark.parametrize("path", [f"{CHAINS}/instant/sms", f"{CHAINS}/instant"])
def test_there_is_no_instant_sms(client: httpx.Client, path: str) -> None:
    assert "e-mail only" in errors(client.post(path, json={}))["RecipientSms"][0]


def test_a_chain_is_its_creators_alone(client: httpx.Client, installation: Installation) -> None:
    location = client.post(CHAINS, json=chain()).headers["location"]
    with installation.client("skd") as other:
        assert other.get(location).status_code == 404
    assert client.get(f"{API}/orders/chain/{uuid.uuid4()}").status_code == 404
    assert client.get(f"{API}/orders/chain/x").status_code == 404
    with connect(installation.address) as nobody:
        assert nobody.get(location).status_code == 401
        assert nobody.post(CHAINS, json=chain()).status_code == 401


def test_reminders_without_a_send_time_count_from_now(client: httpx.Client) -> None:
    before = datetime.now(UTC)
    receipt = client.post(CHAINS, json=chain(reminders=[{"delayDays": 2, "recipient": MAIL}])).json()
    found = client.get(f"{API}/orders/chain/{receipt['notificationOrderId']}").json()["notification"]
    begins = datetime.fromisoformat(found["requestedSendTime"])
    assert datetime.fromisoformat(found["reminders"][0]["requestedSendTime"]) - begins == timedelta(days=2)
    assert abs(begins - before) < timedelta(hours=1)


def test_an_identifier_that_cannot_be_one_is_refused(client: httpx.Client) -> None:
    for name in ("a\0b", "x" * 501, "\u2028"):
        assert "IdempotencyId" in errors(client.post(CHAINS, json=chain(name=name)))


def test_of_two_identifiers_in_a_body_the_last_counts(client: httpx.Client) -> None:
    known = chain(requestedSendTime=at(timedelta(hours=1)))
    client.post(CHAINS, json=known)
    text = json.dumps({"IDEMPOTENCYID": known["idempotencyId"]} | chain(recipient={}))
    answer = client.post(CHAINS, content=text, headers={"Content-Type": "application/json"})
    assert "Recipient" in errors(answer)


def test_a_reminder_may_have_either_time_as_null(client: httpx.Client) -> None:
    reminders = [
        {"delayDays": 3, "requestedSendTime": None, "recipient": MAIL},
        {"delayDays": None, "requestedSendTime": at(timedelta(hours=1)), "recipient": MAIL},
    ]
    assert client.post(CHAINS, json=chain(reminders=reminders)).status_code == 201
    assert "$.requestedSendTime" in errors(client.post(CHAINS, json=chain(requestedSendTime=None)))
