"""Redis, a database and sites for the tests of signing in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import redis

from engine.db.migrations import upgrade
from engine.db.store import Store
from tests.helpers.console import operators_file
from tests.helpers.sign_in import Site, settings
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def client(server: Redis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.url, retry=None) as client:
        client.flushall()
        yield client


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while Site.opened:
        asyncio.run(Site.opened.pop().app.state.readers.close())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return operators_file(tmp_path)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A database for tests that may run on either."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('database')}/varsel.db")
    upgrade(store)
    yield store
    store.close()


@pytest.fixture
def site(kept: Store, client: redis.Redis, file: Path) -> Site:
    return Site(kept, client, settings(operators_file=file))


@pytest.fixture
def audited(store: Store, client: redis.Redis, file: Path) -> Site:
    return Site(store, client, settings(operators_file=file))
