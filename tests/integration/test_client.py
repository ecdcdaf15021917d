"""The Python client against a running installation, in both of its faces."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast
from uuid import uuid4

import pytest

from engine.resources import SCOPE_COMPOSED
from tests.helpers import sdk
from tests.helpers.waiting import patience
from tests.servers.cut import Cut
from tests.servers.http import Receiver, Say
from tests.servers.installation import composed, letter
from varsel.client import (
    Invalid,
    NotFound,
    StillOpen,
    Unauthenticated,
    Webhook,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.installation import Installation
    from varsel.client import Client
    from varsel.client.models import ComposedEmailRequest, EmailOrderRequest, Event, RecipientInput

SCOPES = f"altinn:notifications.create {SCOPE_COMPOSED} altinn:events.publish altinn:events.subscribe"
RESOURCE = "urn:altinn:resource:clients"
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # it sees none


@pytest.fixture(scope="module", params=sdk.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def token(installation: Installation) -> str:
    return installation.key.bearer("ttd", SCOPES, timedelta(hours=1))


@pytest.fixture(scope="module")
def varsel(kind: str, installation: Installation, token: str) -> Iterator[Client]:
    with sdk.client(kind, installation.address, token) as opened:
        yield opened


def address() -> str:
    return f"{uuid4().hex}@example.no"


def order(to: str, **members: object) -> EmailOrderRequest:
    return cast(
        "EmailOrderRequest", {"subject": "Hei", "body": "Hei!", "recipients": [{"emailAddress": to}], **members}
    )


def event(name: str) -> Event:
    return {"specversion": "1.0", "id": name, "source": "https://example.no/c", "type": "t", "resource": RESOURCE}


def test_an_order_is_placed_awaited_and_read(varsel: Client, installation: Installation) -> None:
    receipt = varsel.orders.create_email(order(to := address(), sendersReference=to))
    shipment = varsel.orders.wait(receipt["orderId"], timeout=patience())
    assert [each["destination"] for each in shipment["recipients"]] == [to]
    assert varsel.orders.get_status(receipt["orderId"])["processingStatus"]["status"] == "Completed"
    assert [each["id"] for each in varsel.orders.list(senders_reference=to)["orders"]] == [receipt["orderId"]]
    assert len(installation.messages(to)) == 1


def test_a_chain_has_a_reminder_and_is_cancelled(varsel: Client) -> None:
    to: RecipientInput = {"recipientEmail": letter(address())}  # type: ignore[typeddict-item]
    later = datetime.now(UTC) + timedelta(days=2)
    receipt = varsel.orders.create_chain(
        {"recipient": to, "requestedSendTime": later, "reminders": [{"recipient": to, "delayDays": 7}]}
    )
    chain = varsel.orders.get_chain(receipt["notificationOrderId"])
    first = chain["notification"]
    assert [first["status"], first["reminders"][0]["status"]] == ["Order_Registered", "Order_Registered"]
    with pytest.raises(StillOpen):
        varsel.orders.wait(first["shipmentId"], timeout=0)
    assert varsel.orders.cancel(first["shipmentId"])["processingStatus"]["status"] == "Cancelled"
    assert varsel.orders.wait(first["shipmentId"])["status"] == "Order_Cancelled"


def test_instant_and_composed_emails_arrive(varsel: Client, installation: Installation) -> None:
    instant, files = address(), address()
    varsel.orders.create_instant_email({"recipientEmail": letter(instant)})  # type: ignore[typeddict-item]
    body = cast("ComposedEmailRequest", composed(files))
    receipts = [varsel.orders.create_composed_email(body) for _ in range(2)]  # the name is the caller's
    assert receipts[0] == receipts[1]
    varsel.orders.wait(receipts[0]["notification"]["shipmentId"], timeout=patience())
    assert len(installation.messages(files)) == 1


def test_the_feed_is_read_from_where_the_caller_was(varsel: Client) -> None:
    newest = next(iter(varsel.shipments.iterate_feed(order_by="desc", page_size=1)), None)
    placed = [varsel.orders.create_email(order(address()))["orderId"] for _ in range(3)]
    for each in placed:
        varsel.orders.wait(each, timeout=patience())
    entries = list(varsel.shipments.iterate_feed(seq=newest["sequenceNumber"] if newest else 0, page_size=2))
    assert set(placed) <= {entry["shipmentId"] for entry in entries}
    backwards = list(varsel.shipments.iterate_feed(order_by="desc", page_size=2))
    assert [each["sequenceNumber"] for each in backwards[: len(entries)]] == [
        entry["sequenceNumber"] for entry in reversed(entries)
    ]


def test_events_are_published_one_and_many_and_read_page_by_page(varsel: Client) -> None:
    names = [uuid4().hex for _ in range(5)]
    varsel.events.publish(event(names[0]))
    varsel.events.publish([event(name) for name in names[1:]])
    varsel.events.publish(event(names[0]))  # stored once
    read = [each["id"] for each in varsel.events.iterate(resource=RESOURCE, after="0", size=2)]
    assert [name for name in read if name in names] == names
    rest = varsel.events.iterate(resource=RESOURCE, after=names[2], after_source="https://example.no/c", size=1)
    assert [each["id"] for each in rest] == names[3:]


def test_what_is_pushed_is_verified(varsel: Client) -> None:
    with Receiver(Say(200)) as receiver:
        made = varsel.subscriptions.create({"endPoint": receiver.url, "resourceFilter": RESOURCE})
        receiver.wait_for(lambda: len(receiver.requests) == 1)
        pushed = receiver.requests[0]
        webhook = Webhook("whsec_b3RoZXI=", made["secret"])
        assert webhook.verify(pushed.body, pushed.headers)["type"] == "platform.events.validatesubscription"
        deliveries = list(varsel.subscriptions.iterate_deliveries(made["id"], size=1))
        assert deliveries[0].get("validation") is True
        varsel.subscriptions.delete(made["id"])


def test_an_answer_that_is_lost_doubles_nothing(
    kind: str, installation: Installation, token: str, varsel: Client
) -> None:
    first, second, third = address(), address(), address()
    with Cut(installation.address) as way, sdk.client(kind, way.url, token) as opened:
        way.cut(2)
        receipt = opened.orders.create_email(order(first, sendersReference=first))
        assert way.answers == 3
        way.cut()
        opened.orders.create_instant_email({"recipientEmail": letter(second), "sendersReference": second})  # type: ignore[typeddict-item]
        way.cut()
        opened.events.publish(event(third))
    assert [each["id"] for each in varsel.orders.list(senders_reference=first)["orders"]] == [receipt["orderId"]]
    assert len(varsel.orders.list(senders_reference=second)["orders"]) == 1
    assert [e["id"] for e in varsel.events.iterate(resource=RESOURCE, after="0")].count(third) == 1


def test_an_error_carries_the_members_of_its_problem(kind: str, varsel: Client, installation: Installation) -> None:
    with pytest.raises(Invalid, match=r"400.*Recipients") as refused:
        varsel.orders.create_email({"subject": "Hei", "body": "Hei!", "recipients": []})
    assert refused.value.status == 400
    assert refused.value.errors["Recipients"]
    assert refused.value.trace_id
    with pytest.raises(NotFound) as unknown:
        varsel.shipments.get(str(uuid4()))
    assert unknown.value.code == "NOT-00003"
    with sdk.client(kind, installation.address, "no token") as opened, pytest.raises(Unauthenticated):
        opened.orders.get(str(uuid4()))
