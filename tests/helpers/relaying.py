"""The lane of e-mails as a worker runs it, with a relay of the test's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from engine.email.deliverer import Deliverer
from engine.email.outcomes import Result
from engine.email.outgoing import Outgoing
from engine.email.relays import Relays
from engine.email.routing import Routing
from engine.email.smtp import Relay
from engine.queue.fairness import ALL
from engine.queue.runner import Runner
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from engine.db.store import Store
    from engine.email.pace import Pace
    from engine.queue.fairness import Turns

LEASE = LONG


def only(relay: Relay, connections: int) -> Relays:
    """A worker's relays, of which there is one."""
    return Relays(Routing(f"smtp://{relay.name}"), lambda _: relay, connections)


class Delivering(Runner[Outgoing, Result]):
    """Delivers what is due."""

    def __init__(  # noqa: PLR0913, PLR0917  # what a worker has
        self,
        store: Store,
        relay: Relay,
        connections: int,
        lease: timedelta = LEASE,
        pace: Pace | None = None,
        turns: Turns = ALL,
    ) -> None:
        self.deliverer = Deliverer(store.clock, only(relay, connections), turns, pace)
        super().__init__(store, self.deliverer, lease)


def deliver(store: Store, url: str, work: Callable[[Delivering], Awaitable[Any]]) -> Any:
    """Work with two connections to the relay of that URL."""

    async def opened() -> Any:
        relay = Relay(url, connections=2, connect_timeout=LONG, data_timeout=LONG)
        try:
            return await work(Delivering(store, relay, 2))
        finally:
            await relay.close()

    return asyncio.run(opened())
