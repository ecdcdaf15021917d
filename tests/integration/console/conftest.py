"""A site of the console with a Redis of its own, and a database with one of everything."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import redis

from tests.helpers.console import Site, fill
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.db.store import Store


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[redis.Redis]:
    with Redis(tmp_path_factory.mktemp("redis")) as server, redis.Redis.from_url(server.url, retry=None) as client:
        yield client


@pytest.fixture
def site(store: Store, client: redis.Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(store, client, tmp_path_factory.mktemp("site"))
    yield site
    asyncio.run(site.readers.close())


@pytest.fixture
def keys(store: Store) -> dict[str, Any]:
    return fill(store)
