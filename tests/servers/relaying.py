"""A deliverer as a worker has one, with a relay of the test's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.email.deliverer import Deliverer
from engine.email.smtp import Relay
from tests.servers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from engine.db.store import Store

LEASE = LONG


def deliver(store: Store, url: str, work: Callable[[Deliverer], Awaitable[Any]]) -> Any:
    """Work with a deliverer over two connections to the relay of that URL."""

    async def opened() -> Any:
        relay = Relay(url, connections=2, connect_timeout=LONG, data_timeout=LONG)
        try:
            return await work(Deliverer(store, relay, 2, LEASE))
        finally:
            await relay.close()

    return asyncio.run(opened())
