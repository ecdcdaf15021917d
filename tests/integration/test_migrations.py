"""The migrations and the tables say the same, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from engine.migrations import is_current, upgrade
from engine.store import Store
from engine.tables import metadata


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # Alembic cannot compare these on SQLite
def test_a_migrated_database_has_exactly_the_tables(store: Store) -> None:
    with store.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        assert is_current(connection)


def test_many_may_migrate_at_once(empty_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    stores = [Store(empty_url) for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(upgrade, stores))
    with stores[0].read() as connection:
        assert is_current(connection)
    for store in stores:
        store.close()
    assert "Traceback" not in capfd.readouterr().err


def test_an_empty_database_is_not_current(empty_url: str) -> None:
    store = Store(empty_url)
    with store.read() as connection:
        assert not is_current(connection)
    store.close()
