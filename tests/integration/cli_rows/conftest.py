"""The command line on a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.cli import Cli

if TYPE_CHECKING:
    from engine.db.store import Store


@pytest.fixture
def cli(store: Store, database_url: str) -> Cli:
    """Commands on `store`'s database."""
    assert store
    return Cli(database_url)
