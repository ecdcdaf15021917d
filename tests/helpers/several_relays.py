"""A worker with several relays, and what became of its mail."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import update

from engine.db.dialects import Now
from engine.db.tables import emails
from engine.email.deliverer import Deliverer
from engine.email.relays import Relays
from engine.email.routing import Routing
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState
from engine.queue.runner import Runner
from tests.helpers.mails import rows
from tests.helpers.relaying import LEASE
from tests.helpers.rows import add_email, add_order
from tests.helpers.waiting import LONG
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from engine.db.store import Store
    from engine.email.pace import Pace
    from engine.settings.relays import RelayAddress
    from tests.servers.smtp_script import Script

MAILS = 80
CONNECTIONS = 2


@dataclass
class Worker:
    """The lane of e-mails over several relays."""

    store: Store
    setting: str
    file: Path | None = None
    pace: Pace | None = None

    def run(self, work: Callable[[Worker], Awaitable[None]] | None = None) -> None:
        """Deliver what is due, or do that work, in an event loop of its own."""

        async def opened() -> None:
            self.relays = Relays(Routing(self.setting, self.file), opened_relay, CONNECTIONS)
            self._runner = Runner(self.store, Deliverer(self.store.clock, self.relays, pace=self.pace), LEASE)
            try:
                await (work(self) if work else self.deliver())
            finally:
                await self.relays.close()

        asyncio.run(opened())

    def wait_no_more(self) -> None:
        """Let the relays' retry time be over."""
        for outlet in self.relays.outlets:
            outlet.until = 0.0

    async def deliver(self) -> None:
        """Deliver what is due."""
        await self._runner.run()


def opened_relay(address: RelayAddress) -> Relay:
    return Relay(
        address.url,
        connections=CONNECTIONS,
        name=address.name,
        written=address.written,
        connect_timeout=LONG,
        data_timeout=LONG,
    )


@contextmanager
def servers(*scripts: Script) -> Iterator[Sequence[ScriptedSMTP]]:
    with ExitStack() as stack:
        yield [stack.enter_context(ScriptedSMTP(script)) for script in scripts]


def fill(store: Store, count: int, creator: str = "ttd", domain: str = "example.no") -> list[str]:
    addresses = [f"{creator}.{number}@{domain}" for number in range(count)]
    with store.write() as connection:
        seq = add_order(connection, creator=creator, state=OrderState.PROCESSED)
        for address in addresses:
            add_email(connection, seq, address=address)
    return addresses


def hurry(store: Store) -> None:
    """What waits is due."""
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.state == EmailState.NEW).values(due_at=Now(), rank=None))


def states(store: Store) -> set[str]:
    return {row.state for row in rows(store).values()}


def got(*from_: ScriptedSMTP) -> list[str]:
    """Who has got a mail, once for each."""
    return sorted(envelope.rcpt_tos[0] for server in from_ for envelope in server.accepted)


def setting(*from_: ScriptedSMTP) -> str:
    return ",".join(server.url for server in from_)


def own_relay(server: ScriptedSMTP) -> str:
    return f'[relays.own]\nurl = "{server.url}"\n'


def own_rule(whose: str, other: str = "") -> str:
    return f'[[route]]\n{whose}\nrelays = ["own"]\n{other}\n'
