"""Events of orders and e-mails: one for each final state, on their creator's resource."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from engine.db.tables import events, orders
from engine.email import outcomes
from engine.email.smtp import Reply
from engine.events.cloudevent import decode
from engine.events.status import email_event, order_event
from engine.models import EmailState, OrderState, new_id
from engine.orders import reading
from engine.outbound import Guard, Outbound
from engine.queue import due
from engine.resources import status_resource
from tests.helpers.processing import checks, processing
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import LONG
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.records import Email
    from engine.db.store import Store

LEASE = LONG


def told(store: Store) -> list[dict[str, Any]]:
    with store.read() as connection:
        texts = connection.scalars(select(events.c.text).order_by(events.c.seq)).all()
    return [json.loads(text) for text in texts]


def record(store: Store, claimed: Sequence[Email], state: EmailState, delay: timedelta | None = None) -> None:
    reply = Reply(250, "ok")
    with store.write() as connection:
        results = [outcomes.Result(row, state, delay, True, "", "dot", reply, LEASE, "relay") for row in claimed]
        outcomes.record(connection, results)


def claim(store: Store, lease: timedelta = LEASE) -> Sequence[Email]:
    with store.write() as connection:
        return due.claim(connection, due.EMAILS, 100, lease)


def process(store: Store) -> None:
    async def once() -> None:
        outbound = Outbound(Guard(allow_private=True))
        await processing(store).run()
        await checks(store, outbound).run()
        await outbound.close()

    asyncio.run(once())


@pytest.mark.parametrize("reference", [None, "sak 1", 'sak "1" \\ ø \u2028 💌', "\t"])
def test_what_varsel_tells_is_a_well_formed_event(store: Store, reference: str | None) -> None:
    with store.write() as connection:
        seq = add_order(connection, creator="ttd", senders_reference=reference)
        order: Any = connection.execute(select(orders).where(orders.c.seq == seq)).one()
    at = order.created
    made = [order_event(order, OrderState.COMPLETED, at), email_event(order, new_id(at), EmailState.FAILED, at)]
    assert [decode(event.text.encode()) for event in made] == made


def test_each_email_and_then_its_order_are_told(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED, creator="Skattedirektoratet", senders_reference="sak 1")
        for _ in range(2):
            add_email(connection, seq)
        order = connection.execute(select(orders).where(orders.c.seq == seq)).one()
    first, second = claim(store)
    record(store, [first], EmailState.SUCCEEDED)
    record(store, [second], EmailState.NEW, timedelta(0))
    assert [event["type"] for event in told(store)] == ["no.varsel.email.succeeded"]

    record(store, claim(store), EmailState.FAILED_BOUNCED)
    happened = told(store)
    assert [event["type"] for event in happened] == [
        "no.varsel.email.succeeded",
        "no.varsel.email.failed_bounced",
        "no.varsel.order.completed",
    ]
    for event in happened:
        assert event["source"] == "urn:varsel:orders"
        assert event["subject"] == f"/orders/{order.id}"
        assert event["resource"] == status_resource("Skattedirektoratet")
        assert "kari" not in json.dumps(event)
    assert happened[1]["data"] == {
        "orderId": str(order.id),
        "notificationId": str(second.id),
        "status": "Failed_Bounced",
        "sendersReference": "sak 1",
    }
    assert happened[2]["data"] == {"orderId": str(order.id), "status": "Completed", "sendersReference": "sak 1"}


def test_an_outcome_that_came_too_late_is_not_told(store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, state=OrderState.PROCESSED))
    late = claim(store, timedelta(0))
    newest = claim(store)
    record(store, late, EmailState.FAILED)
    assert told(store) == []
    record(store, newest, EmailState.SUCCEEDED)
    record(store, newest, EmailState.SUCCEEDED)
    assert [event["type"] for event in told(store)] == ["no.varsel.email.succeeded", "no.varsel.order.completed"]


def test_recipients_without_an_address_are_told_when_the_order_is_processed(store: Store) -> None:
    with store.write() as connection:
        recipients = '[{"nationalIdentityNumber":"16069412345"}]'
        add_order(connection, due_in=timedelta(seconds=-1), recipients=recipients)
    process(store)
    assert [event["type"] for event in told(store)] == [
        "no.varsel.email.failed_recipientnotidentified",
        "no.varsel.order.completed",
    ]


def test_an_order_whose_condition_is_not_met_is_told(store: Store) -> None:
    with Receiver(Say(200, b'{"sendNotification": false}')) as receiver:
        with store.write() as connection:
            add_order(connection, due_in=timedelta(seconds=-1), condition_endpoint=receiver.url)
        process(store)
    assert [event["type"] for event in told(store)] == ["no.varsel.order.sendconditionnotmet"]


def test_a_cancelled_order_is_told_once(store: Store) -> None:
    with store.write() as connection:
        name = new_id(now())
        add_order(connection, due_in=timedelta(hours=1), id=name)
        reading.cancel(connection, "ttd", name)
        reading.cancel(connection, "ttd", name)
    assert [event["type"] for event in told(store)] == ["no.varsel.order.cancelled"]
