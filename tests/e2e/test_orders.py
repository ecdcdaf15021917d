"""The main jobs, through the front door: an order, and one whose reminders each end in another way."""

from __future__ import annotations

import uuid
from contextlib import closing
from typing import TYPE_CHECKING, Any
from uuid import UUID

from engine.admin.actions import find, perform
from engine.db.store import Store
from tests.helpers.waiting import wait_for
from tests.servers.http import Receiver, Say
from tests.servers.installation import API, Installation, letter, order

if TYPE_CHECKING:
    import httpx


def test_an_order_becomes_a_mail_and_a_status(installation: Installation) -> None:
    with installation.client() as client:
        answer = client.post(f"{API}/orders/email", json=order("ola.e2e@example.no"))
        assert answer.status_code == 202
        [message] = wait_for(lambda: installation.messages("ola.e2e@example.no"))
        assert message["text"] == "Hei, Kari!\n"
        status = wait_for(
            lambda: (
                (found := client.get(f"{answer.headers['location']}/status").json())
                and found.get("notificationsStatusSummary", {}).get("email", {}).get("succeeded")
                and found
            )
        )
        assert status["processingStatus"]["status"] == "Completed"


def test_reminders_are_sent_or_not_needed_any_more_or_cancelled(installation: Installation) -> None:
    to = f"{uuid.uuid4().hex}@example.no"
    with Receiver(Say(200, b'{"sendNotification": true}')) as endpoint, installation.client() as client:
        asks = {"recipient": {"recipientEmail": letter(to)}, "conditionEndpoint": endpoint.url}
        reminders = [asks | {"delayDays": days} for days in (1, 2, 3)]
        answer = client.post(f"{API}/future/orders", json={"idempotencyId": to, "reminders": reminders} | asks)
        notification = answer.json()["notification"]
        names = [each["shipmentId"] for each in (notification, *notification["reminders"])]

        await_status(client, names[0], "Order_Completed")
        send_now(installation, names[1])
        await_status(client, names[1], "Order_Completed")
        endpoint.act(Say(200, b'{"sendNotification": false}'))
        assert client.put(f"{API}/orders/{names[3]}/cancel").status_code == 200
        send_now(installation, names[2])
        await_status(client, names[2], "Order_SendConditionNotMet")

        shown = [client.get(f"{API}/future/shipment/{name}").json() for name in names]
        feed = client.get(f"{API}/future/shipment/feed", params={"orderBy": "desc"}).json()[::-1]
        chain = client.get(answer.headers["location"]).json()["notification"]
    sent = [{"destination": to, "status": "Email_Delivered"}]
    ends = [("Order_Completed", sent), ("Order_Completed", sent), ("Order_SendConditionNotMet", [])]
    kinds = ["Notification", *["Reminder"] * 3]
    told = [(each["shipmentId"], each["status"], results(each)) for each in feed if each["shipmentId"] in names]
    assert told == [(name, *end) for name, end in zip(names[:3], ends, strict=True)]
    assert [(each["type"], each["status"], results(each)) for each in shown] == [
        (kind, *end) for kind, end in zip(kinds, [*ends, ("Order_Cancelled", [])], strict=True)
    ]
    assert [each["status"] for each in (chain, *chain["reminders"])] == [each["status"] for each in shown]
    assert len(installation.messages(to)) == 2
    assert len(endpoint.requests) == 3


def send_now(installation: Installation, name: str) -> None:
    """As an operator, who cannot wait for days."""
    with closing(Store(installation.environment()["VARSEL_DATABASE_URL"])) as store, store.write() as connection:
        perform(connection, "anna", find("orders", "send_now"), UUID(name))


def await_status(client: httpx.Client, name: str, status: str) -> None:
    """Return when a shipment has this status."""
    wait_for(lambda: client.get(f"{API}/future/shipment/{name}").json()["status"] == status)


def results(shipment: dict[str, Any]) -> list[dict[str, str]]:
    """What became of its messages."""
    return [{name: each[name] for name in ("destination", "status")} for each in shipment["recipients"]]
