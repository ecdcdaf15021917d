"""The log of work that failed: it names the order, e-mail or delivery, and nothing personal."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.db.tables import deliveries, emails, orders
from engine.email.smtp import Relay
from engine.events.storing import persist
from engine.models import OrderState
from engine.outbound import Guard, Outbound
from engine.subscriptions.signing import Signer
from engine.templating.own import Own
from engine.webhooks.call import Courier
from engine.webhooks.mail_sink import MailSink
from tests.helpers.log import logging_as
from tests.helpers.pushing import Pushing
from tests.helpers.relaying import Delivering
from tests.helpers.rows import add_email, add_order, add_subscription, an_event
from tests.helpers.waiting import LONG
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    import pytest

    from engine.db.store import Store

LEASE = LONG


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_refused_email_is_a_line_with_its_ids_and_code_but_no_address(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        add_email(connection, seq, address="ola@example.no")
        add_email(connection, seq, address="kari@example.no")

    async def deliver(url: str) -> None:
        relay = Relay(url, connections=1, connect_timeout=LEASE, data_timeout=LEASE)
        await Delivering(store, relay, 1, LEASE).run()
        await relay.close()

    with ScriptedSMTP({"rcpt": [Say(550, "5.1.1 no ola@example.no here")]}) as server, logging_as("json"):
        asyncio.run(deliver(server.url))
    with store.read() as connection:
        chosen = select(emails.c.id, orders.c.id.label("order_id")).join(orders)
        refused = connection.execute(chosen.where(emails.c.address == "ola@example.no")).one()
    [line] = said(capsys)
    line.pop("time")
    assert line == {
        "level": "INFO",
        "logger": "engine.email.deliverer",
        "message": "settled as Failed_Bounced: rejected, reply code 550",
        "lane": "emails",
        "order_id": str(refused.order_id),
        "email_id": str(refused.id),
    }


def test_a_dead_delivery_is_a_line_with_its_ids(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    with store.write() as connection:
        subscription = add_subscription(connection, "mailto:ola@example.no", template="gone", creator="ttd")
        persist(connection, [an_event(id="41", subject="/party/ola@example.no")])

    async def push() -> None:
        outbound = Outbound(Guard(allow_private=True))
        courier = Courier(outbound, Signer(b"the key of these tests, long enough"), "http://127.0.0.1")
        mail_sink = MailSink(Own(None), "noreply@varsel.example")
        await Pushing(store, courier, mail_sink, LEASE).run()
        await outbound.close()

    with logging_as("json"):
        asyncio.run(push())
    with store.read() as connection:
        delivery = connection.scalars(select(deliveries.c.seq)).one()
    [line] = said(capsys)
    assert (line["lane"], line["subscription"], line["delivery"], line["event_id"]) == (
        "webhooks",
        subscription,
        delivery,
        "41",
    )
    assert line["message"] == "settled as Dead: rejected, status None"
    assert "ola" not in str(line)
