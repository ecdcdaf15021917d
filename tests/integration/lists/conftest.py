"""Rows of all kinds to make lists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.admin import lists
from engine.observability.audit import note
from tests.helpers.admin_lists import add_events_and_deliveries, add_orders_and_emails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from engine.db.store import Store


@pytest.fixture
def filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Rows of all kinds, an hour apart, so that every condition matches some of them; windows are small."""
    monkeypatch.setattr(lists, "WINDOW", 7)
    with store.write() as connection:
        add_orders_and_emails(connection)
        add_events_and_deliveries(connection)
        for number in range(12):
            note(connection, ("anna", "ola")[number % 2], ("pause", "resume")[number % 3 > 0], f"lane/{number % 4}")
    with store.read() as connection:
        yield connection
