"""Operators cancel what has not left of an order that is being sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from engine.admin import questions, stopping
from engine.admin.actions import find, perform, possible
from engine.admin.resources import ORDERS
from engine.db.tables import audit_log, emails, orders
from engine.errors import Conflict
from engine.events import tallies
from engine.models import EmailState, OrderState
from engine.orders import upload_reading
from tests.helpers.cli import Cli
from tests.helpers.processing import batch, made, place, the_order
from tests.helpers.uploads import lines, make_portions, opened, sent, seq_of

if TYPE_CHECKING:
    from uuid import UUID

    from engine.db.store import Store


def half_sent(store: Store, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """An order whose first portion is made, of which one e-mail was sent."""
    monkeypatch.setattr(upload_reading, "PORTION", 2)
    monkeypatch.setattr("engine.orders.portions.WAITING", 2)
    name = opened(store)
    sent(store, name, lines(*(f"{number}@example.no" for number in range(5))))
    with store.write() as connection:
        closed = {"state": OrderState.PROCESSING, "portion": 1, "due_at": orders.c.requested_send_time}
        connection.execute(update(orders).where(orders.c.id == name).values(closed))
    make_portions(store)
    with store.write() as connection:
        first = select(emails.c.seq).order_by(emails.c.seq).limit(1).scalar_subquery()
        done = {"state": EmailState.SUCCEEDED, "due_at": None, "rank": None}
        connection.execute(update(emails).where(emails.c.seq == first).values(done))
        tallies.settle(connection, {seq_of(store, name): Counter({EmailState.SUCCEEDED.value: 1})})
    return name


def states(store: Store, name: UUID) -> Counter[str]:
    return Counter(str(email.state) for email in made(store, seq_of(store, name)))


def test_between_two_portions_the_rest_is_cancelled_and_nothing_more_is_made(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = half_sent(store, monkeypatch)
    action = find("orders", "withdraw")
    with store.read() as connection:
        assert [each.name for each in possible(connection, ORDERS, name) if each.command] == ["withdraw"]
        asked = questions.of_one(connection, action, name)
    assert asked.title == "Cancel what has not left of this order, 4 e-mails?"
    assert "stays sent: 1 e-mail so far" in asked.lines[0]
    with store.write() as connection:
        perform(connection, "anna", action, name)
    make_portions(store)
    assert states(store, name) == {"Succeeded": 1, "Cancelled": 1}
    assert the_order(store, seq_of(store, name)).state == OrderState.COMPLETED
    with store.read() as connection:
        assert stopping.outcome(connection, name) == "4 Cancelled, 1 Sent"
        [line] = connection.execute(select(audit_log).where(audit_log.c.target == f"orders/{name}")).all()
    assert (line.who, line.action) == ("anna", "orders.withdraw")
    with store.write() as connection, pytest.raises(Conflict, match="being sent"):
        perform(connection, "anna", action, name)


def test_the_command_stops_an_order_step_by_step(
    store: Store, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr("engine.orders.withdrawing.BATCH", 1)
    seq = place(store, *({"emailAddress": f"{number}@example.no"} for number in range(4)))
    batch(store)
    name = the_order(store, seq).id
    told = Cli(database_url).text("orders", "cancel", name, "--yes")
    assert told == f"{name} is cancelled as far as it had not left: 4 Cancelled.\n"
    assert states(store, name) == {"Cancelled": 4}
    assert the_order(store, seq).state == OrderState.CANCELLED
