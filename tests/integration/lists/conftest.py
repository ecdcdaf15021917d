"""Rows of all kinds to make lists of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.admin import lists
from engine.db.store import Store
from engine.observability.audit import note
from tests.helpers import migrated
from tests.helpers.admin_lists import add_events_and_deliveries, add_orders_and_emails

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection


@pytest.fixture(scope="session")
def full(database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Rows of all kinds, an hour apart, so that every condition matches some of them."""
    if database == "sqlite":
        migrated.copy_to(path := tmp_path_factory.mktemp("full") / "varsel.db")
        url = f"sqlite:///{path}"
    else:
        url = request.getfixturevalue("postgres").database(request.getfixturevalue("template"))
    store = Store(url)
    with store.write() as connection:
        add_orders_and_emails(connection)
        add_events_and_deliveries(connection)
        for number in range(12):
            note(connection, ("anna", "ola")[number % 2], ("pause", "resume")[number % 3 > 0], f"lane/{number % 4}")
    yield store
    store.close()


@pytest.fixture
def filled(full: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Likewise, where windows are small. What a test changes is taken back."""
    monkeypatch.setattr(lists, "WINDOW", 7)
    with full.read() as connection:
        yield connection
        connection.rollback()
