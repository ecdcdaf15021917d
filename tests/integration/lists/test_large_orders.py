"""The e-mails of a large order: a page costs the same however many there are, although all have the order's time.

SQLite reads them all where a statement has the order's bounds before those of the page; PostgreSQL does not.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from engine.admin import cursors, lists
from engine.admin.lists import Place, view
from engine.admin.resources import EMAILS
from tests.helpers.effort import effort
from tests.helpers.large_orders import add_large_order

if TYPE_CHECKING:
    from engine.db.store import Store

FEW, MANY = 400, 8_000
NEAR = 20  # rows from an end


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
