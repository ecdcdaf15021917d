"""What tests share: both databases, and an installation on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.installation import Installation
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on: everything that asks for this runs on both."""
    return str(request.param)


@pytest.fixture
def database_url(database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('database')}/varsel.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty database with the newest schema."""
    from engine.migrations import upgrade  # noqa: PLC0415 only tests of the store need it
    from engine.store import Store  # noqa: PLC0415

    store = Store(database_url)
    upgrade(store)
    yield store
    store.close()


@pytest.fixture(scope="session")
def installation(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A running installation with the development inbox, shared by tests that break nothing."""
    settings: dict[str, object] = {"lease": 5, "allow_private_endpoints": "true"}
    if database == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").database()
    with Installation(tmp_path_factory.mktemp("installation"), **settings) as running:
        yield running
