"""The intake of orders, as each web process has one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from engine.db.readers import Readers
from engine.errors import NotFound
from engine.orders.contacts import ContactTable
from engine.orders.intake import Intake
from engine.orders.quotas import Quotas

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.templating.registry import TemplateVersion


def no_template(_connection: Connection, _creator: str, name: str, _version: int | None) -> TemplateVersion:
    """What an intake finds where no order of the test names a template."""
    raise NotFound(name)


@asynccontextmanager
async def intake(store: Store, wake: Callable[[str], None] = lambda _: None) -> AsyncIterator[Intake]:
    readers = Readers(store.engine.url.render_as_string(hide_password=False))
    entrance = Intake(store, readers, ContactTable(), Quotas(None), "noreply@varsel.example", wake, str, no_template)
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
