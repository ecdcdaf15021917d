"""The e-mails of a large order: a page costs the same however many there are, although all have the order's time.

SQLite reads them all where a statement has the order's bounds before those of the page; PostgreSQL does not.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, text

from engine.admin import cursors, lists
from engine.admin.belonging import of_order
from engine.admin.lists import Place, view
from engine.admin.resources import EMAILS
from engine.db.tables import emails, orders
from engine.models import EmailState, OrderState, derived_id
from tests.helpers.effort import effort
from tests.helpers.rows import add_order, now

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

FEW, MANY = 400, 8_000
NEAR = 20  # rows from an end


def add_large_order(connection: Connection, size: int) -> tuple[UUID, Sequence[UUID]]:
    """An order with so many e-mails, of which every other one is paused; with their identifiers, the least first."""
    made = now()
    order = add_order(connection, state=OrderState.COMPLETED, created=made)
    ids = [derived_id(made, number) for number in range(size)]
    rows = [
        {
            "id": id_,
            "order_seq": order,
            "expires_at": made,
            "last_update": made,
            "state": EmailState.NEW,
            "due_at": None if number % 2 else made,
            "paused_by": "creator:ttd" if number % 2 else None,
            "address": "kari@example.no",
        }
        for number, id_ in enumerate(ids)
    ]
    connection.execute(insert(emails), rows)
    return connection.execute(select(orders.c.id).where(orders.c.seq == order)).scalar_one(), sorted(ids)


@pytest.mark.dialects
@pytest.mark.parametrize("state", ["held", "due", None])
def test_a_page_costs_the_same_however_many_emails_there_are(
    store: Store, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    monkeypatch.setattr(lists, "WINDOW", 60)
    monkeypatch.setattr(lists, "COUNTED", FEW // 2)
    costs = []
    for size in (FEW, MANY):
        with store.write() as connection:
            order, ids = add_large_order(connection, size)
            if connection.dialect.name == "postgresql":
                connection.execute(text("ANALYZE emails"))
        given = {"order": str(order)} | ({"state": state} if state else {})
        deep, back = Place(cursor=cursors.written([ids[NEAR]])), Place(before=cursors.written([ids[-NEAR]]))
        with store.read() as connection:
            looks = [partial(view, connection, EMAILS, given, place, 4) for place in (Place(), deep, back)]
            assert all(len(look().page.items) == 4 for look in looks)
            costs.append([effort(connection, look) for look in looks])
    assert all(many < 4 * few for few, many in zip(*costs, strict=True)), costs


@pytest.mark.dialects
def test_an_email_of_the_newest_order_is_found_as_soon_as_one_of_the_first(store: Store) -> None:
    """PostgreSQL would look through the whole table for it, from its beginning on."""
    with store.write() as connection:
        made = [add_large_order(connection, MANY)[0] for _ in range(2)]
        if connection.dialect.name == "postgresql":
            connection.execute(text("ANALYZE emails"))
    with store.read() as connection:
        first, newest = (effort(connection, partial(of_order, connection, order)) for order in made)
    assert newest <= 4 * first
