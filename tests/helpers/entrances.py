"""The intake of orders, as each web process has one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from engine.db.readers import Readers
from engine.orders.contacts import ContactTable
from engine.orders.intake import Intake
from engine.orders.quotas import Quotas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from engine.db.store import Store


@asynccontextmanager
async def intake(store: Store, wake: Callable[[str], None] = lambda _: None) -> AsyncIterator[Intake]:
    readers = Readers(store.engine.url.render_as_string(hide_password=False))
    entrance = Intake(store, readers, ContactTable(), Quotas(None), "noreply@varsel.example", wake, str)
    try:
        yield entrance
    finally:
        await entrance.close()
        await readers.close()


def run(store: Store, work: Callable[[Intake], Awaitable[Any]], wake: Callable[[str], None] = lambda _: None) -> Any:
    async def opened() -> Any:
        async with intake(store, wake) as entrance:
            return await work(entrance)

    return asyncio.run(opened())
