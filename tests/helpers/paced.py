"""Workers and relays under limits and paces, and what became of e-mails to two domains."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.tables import emails
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState
from engine.queue.fairness import ALL, Turns
from tests.helpers.relaying import LEASE, Delivering
from tests.helpers.rows import add_email, add_order
from tests.helpers.waiting import LONG
from tests.servers.smtp_script import ByAddress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.db.store import Store
    from engine.email.pace import Pace
    from tests.servers.smtp import ScriptedSMTP
    from tests.servers.smtp_script import Action, Phase, Script

SLOW, OTHER = "slow.no", "other.no"
MAILS = 40


class Hours:
    """A steady clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def fill(store: Store, *domains: str, count: int = MAILS) -> None:
    with store.write() as connection:
        for domain in domains:
            of = add_order(connection, state=OrderState.PROCESSED)
            for number in range(count):
                add_email(connection, of, address=f"kari.{number}@{domain}")


def states(store: Store, domain: str) -> Sequence[tuple[str, int]]:
    """State and attempts of the e-mails to a domain."""
    with store.read() as connection:
        chosen = select(emails.c.state, emails.c.attempts).where(emails.c.address.like(f"%@{domain}"))
        return [(row.state, row.attempts) for row in connection.execute(chosen.order_by(emails.c.seq))]


def sent(store: Store, domain: str) -> int:
    return sum(state == EmailState.SUCCEEDED for state, _ in states(store, domain))


def workers(
    store: Store,
    server: ScriptedSMTP,
    paces: Sequence[Pace],
    work: Callable[[Sequence[Delivering]], Awaitable[None]],
    turns: Turns = ALL,
) -> None:
    """A worker for each pace, with four connections."""

    async def opened() -> None:
        relays = [Relay(server.url, connections=4, connect_timeout=LONG, data_timeout=LONG) for _ in paces]
        try:
            await work(
                [Delivering(store, relay, 4, LEASE, pace, turns) for relay, pace in zip(relays, paces, strict=True)]
            )
        finally:
            for relay in relays:
                await relay.close()

    asyncio.run(opened())


async def run(at_work: Sequence[Delivering]) -> None:
    await asyncio.gather(*(worker.run() for worker in at_work))


def every(phase: Phase, action: Action) -> Script:
    """An action for all e-mails to SLOW."""
    return ByAddress({f"kari.{number}@{SLOW}": (phase, action) for number in range(MAILS)})
