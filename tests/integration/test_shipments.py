"""Shipments: what became of orders of any generation, the feed that misses none, the log of a dialog."""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select, update

from api.chain_answers import Entry, Words
from engine.db.store import Store
from engine.db.tables import emails, orders
from engine.errors import Unavailable
from engine.events.status import order_event
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.orders import reading, shipments
from engine.orders.outcomes import FINAL
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, at, order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx
    from sqlalchemy import Connection

FEED = f"{API}/future/shipment/feed"


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def end(connection: Connection, state: OrderState = OrderState.COMPLETED, creator: str = "ttd", **values: Any) -> UUID:
    """An order that has ended just now, and its event."""
    name = new_id(now())
    seq = add_order(connection, id=name, creator=creator, state=state, **values)
    add_email(connection, seq, state=EmailState.SUCCEEDED, due_in=timedelta(0))
    connection.execute(update(emails).where(emails.c.order_seq == seq).values(due_at=None))
    ended = connection.execute(select(orders).where(orders.c.seq == seq)).one()
    shown = OrderState.COMPLETED if state is OrderState.SET_ASIDE else state
    persist(connection, [order_event(ended, shown, now())])
    return name


def page(store: Store, seen: int = 0, size: int = 500, creator: str = "ttd", *, newest_first: bool = False) -> Any:
    with store.read() as connection:
        return shipments.feed(connection, creator, seen, size, newest_first=newest_first)


def names(entries: Sequence[shipments.Entry]) -> list[UUID]:
    return [entry.order.id for entry in entries]


def test_the_feed_has_each_order_that_ended_once_in_the_order_of_their_ends(store: Store) -> None:
    with store.write() as connection:
        ended = [end(connection) for _ in range(3)]
        ended.append(end(connection, OrderState.SEND_CONDITION_NOT_MET))
        ended.append(end(connection, OrderState.SET_ASIDE))
        end(connection, OrderState.CANCELLED)
        end(connection, creator="skd")
        persist(connection, [order_event(connection.execute(select(orders)).first(), OrderState.COMPLETED, now())])  # type: ignore[arg-type]
    found = page(store)
    assert names(found) == ended
    assert [entry.state for entry in found] == [*[OrderState.COMPLETED] * 3, FINAL[1], OrderState.COMPLETED]
    numbers = [entry.number for entry in found]
    assert numbers == sorted(set(numbers))
    assert names(page(store, seen=numbers[1])) == ended[2:]
    assert names(page(store, size=2)) == ended[:2]
    assert names(page(store, newest_first=True, size=2)) == ended[:-3:-1]
    assert names(page(store, seen=numbers[1], newest_first=True)) == ended[:1]
    assert page(store, seen=numbers[-1]) == []


def test_a_page_ends_early_when_orders_have_very_many_recipients(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipments, "LARGEST", 100)
    with store.write() as connection:
        ended = [end(connection, recipients=json.dumps([{"emailAddress": "a" * 80}])) for _ in range(3)]
    seen, found = 0, []
    while some := page(store, seen):
        assert len(some) == 1
        found += names(some)
        seen = some[-1].number
    assert found == ended


def test_orders_that_were_removed_end_no_page(store: Store) -> None:
    with store.write() as connection:
        ended = [end(connection) for _ in range(5)]
        connection.execute(delete(orders).where(orders.c.id.in_(ended[:4])))
    assert names(page(store, size=2)) == ended[4:]
    assert names(page(store, size=1, newest_first=True)) == ended[4:]


def test_what_is_sent_again_keeps_its_entry(store: Store) -> None:
    with store.write() as connection:
        name = end(connection)
        [before] = shipments.feed(connection, "ttd", 0, 10, newest_first=False)
        connection.execute(update(emails).values(state=EmailState.FAILED_BOUNCED))
        ended = connection.execute(select(orders).where(orders.c.id == name)).one()
        persist(connection, [order_event(ended, OrderState.COMPLETED, now())])
    [entry] = page(store)
    assert entry.number == before.number
    assert Entry.of(entry, Words(reports=False)).recipients[0].status == "Email_Failed_Bounced"


@pytest.mark.dialects
def test_a_reader_misses_no_order_and_sees_none_twice_while_others_end_orders(store: Store) -> None:
    writers, each = 16, 25
    done = threading.Event()

    def write(_: int) -> list[UUID]:
        ended: list[UUID] = []
        while len(ended) < each:
            with suppress(Unavailable):  # there are fewer connections than writers
                with store.write() as connection:
                    name = end(connection)
                ended.append(name)
        return ended

    def read() -> list[UUID]:
        seen, found, last = 0, [], False
        while True:
            with suppress(Unavailable):
                some = page(store, seen, size=7)
                found += names(some)
                if some:
                    seen = some[-1].number
                elif last:
                    return found
                last = done.is_set()

    with ThreadPoolExecutor(writers + 1) as pool:
        reading = pool.submit(read)
        try:
            ended = [name for several in pool.map(write, range(writers)) for name in several]
        finally:
            done.set()
        found = reading.result()
    assert len(found) == writers * each
    assert sorted(found) == sorted(ended)


def test_the_feed_and_a_shipment_over_http(client: httpx.Client, installation: Installation) -> None:
    to = f"{uuid.uuid4().hex}@example.no"
    order_id = client.post(f"{API}/orders/email", json=order(to, sendersReference="ref-f")).json()["orderId"]

    def entry() -> dict[str, Any] | None:
        found = client.get(FEED, params={"orderBy": "DESC"}).json()
        return next((each for each in found if each["shipmentId"] == order_id), None)

    found = wait_for(entry)
    assert found is not None
    [recipient] = found["recipients"]
    assert set(recipient) == {"destination", "status", "lastUpdate"}
    assert (recipient["destination"], recipient["status"]) == (to, "Email_Delivered")
    assert (found["status"], found["shipmentType"], found["sendersReference"]) == (
        "Order_Completed",
        "Notification",
        "ref-f",
    )
    shipment = client.get(f"{API}/future/shipment/{order_id}").json()
    assert shipment["recipients"] == [recipient | {"type": "Email"}]
    assert (shipment["type"], shipment["status"]) == ("Notification", "Order_Completed")
    number = found["sequenceNumber"]
    behind = client.get(FEED, params={"seq": number - 1, "pageSize": 0}).json()
    assert [each["sequenceNumber"] for each in behind] == [number]
    with installation.client("skd") as other:
        assert other.get(f"{API}/future/shipment/{order_id}").json()["code"] == "NOT-00003"
        assert all(each["shipmentId"] != order_id for each in other.get(FEED).json())


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"seq": "-1"}, "Seq"), ({"seq": "x"}, "seq"), ({"orderBy": "up"}, "orderBy"), ({"pageSize": "x"}, "pagesize")],
)
def test_what_the_feed_is_not_asked_for(client: httpx.Client, asked: dict[str, str], field: str) -> None:
    answer = client.get(FEED, params=asked)
    assert answer.status_code == 400
    assert field in answer.json()["errors"]


def test_an_unknown_shipment_has_the_contracts_code(client: httpx.Client) -> None:
    answer = client.get(f"{API}/future/shipment/{uuid.uuid4()}")
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["title"]) == (
        404,
        "urn:altinn:error:NOT-00003",
        "Shipment not found",
    )
    assert "code" not in client.get(f"{API}/future/shipment/x").json()


def test_the_log_of_a_dialog_has_the_messages_of_orders_that_have_ended(client: httpx.Client) -> None:
    dialog, to = f"Dialog {uuid.uuid4()}", f"{uuid.uuid4().hex}@example.no"
    mail = {"recipientEmail": {"emailAddress": to, "emailSettings": {"subject": "a", "body": "b"}}}
    body = {
        "idempotencyId": dialog,
        "dialogportenAssociation": {"dialogId": dialog, "transmissionId": "t1"},
        "recipient": mail,
        "reminders": [{"requestedSendTime": at(timedelta(hours=1)), "recipient": mail}],
    }
    receipt = client.post(f"{API}/future/orders", json=body).json()
    log = f"{API}/future/enduser/log"
    [told] = wait_for(lambda: client.get(log, params={"dialogId": dialog}).json())
    assert (told["dialogId"], told["transmissionId"], told["type"], told["channel"]) == (
        dialog,
        "t1",
        "Notification",
        "Email",
    )
    assert (told["destination"], told["status"]) == (to, "Email_Delivered")
    assert client.get(f"{API}/future/log", params={"DIALOGID": dialog, "transmissionId": "t1"}).json() == [told]
    assert client.get(log, params={"dialogId": dialog, "transmissionId": "t2"}).json() == []
    assert client.get(log, params={"dialogId": dialog.lower()}).json() == []
    assert "dialogId" in client.get(log).json()["errors"]
    chain = client.get(f"{API}/orders/chain/{receipt['notificationOrderId']}").json()
    assert chain["dialogportenAssociation"] == {"dialogId": dialog, "transmissionId": "t1"}


def test_what_reports_tell_is_not_taken_for_granted() -> None:
    assert Words(reports=False).email(EmailState.SUCCEEDED) == "Email_Delivered"
    assert Words(reports=True).email(EmailState.SUCCEEDED) == "Email_Succeeded"
    assert Words(reports=True).email(EmailState.FAILED_SUPRESSED_RECIPIENT) == "Email_Failed_SuppressedRecipient"
    assert Words(reports=True).email(EmailState.FAILED_INVALID_EMAIL_FORMAT) == "Email_Failed_InvalidFormat"


def test_receipts_outlive_their_orders(client: httpx.Client, installation: Installation) -> None:
    body = {
        "idempotencyId": uuid.uuid4().hex,
        "requestedSendTime": at(timedelta(hours=1)),
        "recipient": {"recipientEmail": {"emailAddress": "a@b.no", "emailSettings": {"subject": "a", "body": "b"}}},
    }
    receipt = client.post(f"{API}/future/orders", json=body)
    store = Store(installation.environment()["VARSEL_DATABASE_URL"])
    with store.write() as connection:
        connection.execute(delete(orders).where(orders.c.id == UUID(receipt.json()["notification"]["shipmentId"])))
    store.close()
    again = client.post(f"{API}/future/orders", json=body)
    assert (again.status_code, again.json()) == (200, receipt.json())
    found = client.get(receipt.headers["location"]).json()["notification"]
    assert found == {"shipmentId": receipt.json()["notification"]["shipmentId"]}


def test_an_order_that_was_set_aside_and_then_not_sent_keeps_its_one_entry(store: Store) -> None:
    with store.write() as connection:
        name = end(connection, OrderState.SET_ASIDE)
        again = connection.execute(select(orders).where(orders.c.id == name)).one()
        persist(connection, [order_event(again, OrderState.SEND_CONDITION_NOT_MET, now())])
        other = end(connection, OrderState.SEND_CONDITION_NOT_MET)
    assert names(page(store)) == [name, other]
    assert names(page(store, newest_first=True)) == [other, name]
    for size in (500, 1):  # a page of one must not end the feed where the second event lies
        assert names(page(store, seen=page(store)[0].number, size=size)) == [other]


def test_orders_by_reference_are_bounded_with_what_an_sms_would_say(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST", 10_000)
    with store.write() as connection:
        for _ in range(5):
            add_order(connection, senders_reference="r", sms=json.dumps({"senderNumber": "", "body": "x" * 9_000}))
    with store.read() as connection:
        assert len(reading.find_by_reference(connection, "ttd", "r")) == 1
