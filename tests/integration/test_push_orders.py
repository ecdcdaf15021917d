"""Events that are pushed as orders of e-mails."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from engine.db.dialects import Now
from engine.db.tables import deliveries, orders, subscriptions
from engine.models import DeliveryState, OrderState
from engine.templating import registry
from tests.helpers.rows import an_event
from tests.helpers.subscribers import attempts, deliveries_of, publish, push, run, subscribe
from tests.helpers.templates import rendered
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from engine.db.store import Store


def test_an_event_becomes_an_order_and_the_order_is_made_once(store: Store) -> None:
    seq = subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    event = an_event()
    publish(store, event)
    push(store)
    with store.read() as connection:
        [order] = connection.execute(select(orders)).all()
    assert (order.creator, order.state, order.senders_reference) == ("ttd", OrderState.REGISTERED, event.id)
    [recipient] = json.loads(order.recipients)
    assert (recipient["emailAddress"], recipient["values"]["type"]) == ("kari@example.no", event.type)
    with store.read() as connection:
        version = registry.find_by_id(connection, order.template_id)
    assert version
    assert (version.creator, version.name, version.version) == (None, "event", None)
    assert deliveries_of(store, seq)[0].state == DeliveryState.DELIVERED


def test_an_order_that_is_made_again_keeps_its_identifier(store: Store) -> None:
    """After a restore, its e-mail keeps its Message-ID."""
    seq = subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    publish(store, an_event(), an_event())

    def identifiers() -> list[UUID]:
        push(store)
        with store.read() as connection:
            return list(connection.scalars(select(orders.c.id).order_by(orders.c.id)))

    first = identifiers()
    with store.write() as connection:
        connection.execute(delete(orders))
        due_again = {"state": DeliveryState.WAITING, "due_at": deliveries.c.created}
        connection.execute(update(deliveries).values(due_again))
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(due_at=Now()))
    assert identifiers() == first
    assert len(set(first)) == 2


def test_a_validation_event_is_the_same_at_every_attempt(store: Store) -> None:
    with Receiver(Say(500), Say(200)) as receiver:
        seq = subscribe(store, receiver.url, validated=False)
        with store.write() as connection:
            row = {"subscription_seq": seq, "state": "Waiting", "created": Now(), "last_update": Now(), "due_at": Now()}
            connection.execute(insert(deliveries).values(row))
        for _ in range(2):
            with store.write() as connection:
                connection.execute(update(deliveries).values(due_at=Now()))
                connection.execute(update(subscriptions).values(due_at=Now()))
            push(store)
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


def test_a_template_that_cannot_be_filled_in_is_told(store: Store) -> None:
    seq = subscribe(store, "mailto:kari@example.no", template="gone", creator="ttd")
    publish(store, an_event())
    push(store)
    assert deliveries_of(store, seq)[0].state == DeliveryState.DEAD
    assert "gone" in attempts(store, seq)[0].reply


def test_numbers_of_any_size_reach_a_mail_as_they_are(store: Store, tmp_path: Path) -> None:
    (tmp_path / "sum").mkdir()
    (tmp_path / "sum" / "subject.txt").write_text("{{ data.few + 1 }}")
    (tmp_path / "sum" / "body.txt").write_text("{{ data.many }} {{ data.huge }} {{ data.tiny }} {{ data.zero }}")
    digits = "9" * 5_000
    data = f'{{"few": 41, "many": {digits}, "huge": 1e400, "tiny": -1E-99999, "zero": -0.0e5}}'
    seq = subscribe(store, "mailto:kari@example.no", template="sum", creator="ttd")
    publish(store, replace(an_event(), text=f'{{"specversion":"1.0","data":{data}}}'))
    run(store, lambda pusher: pusher.run(), templates=tmp_path)
    assert deliveries_of(store, seq)[0].state == DeliveryState.DELIVERED
    with store.read() as connection:
        [order] = connection.execute(select(orders)).all()
    said = rendered(store, order.template_id, json.loads(order.recipients)[0]["values"])
    assert (said.subject, said.text) == ("42", f"{digits} 1e400 -1E-99999 -0.0")
