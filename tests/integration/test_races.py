"""Cancelling against processing, a thousand times on each database: an order is cancelled or sent, never both."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy import select

from engine.admin.actions import act, find
from engine.db.tables import emails, events, orders
from engine.email.deliverer import Deliverer
from engine.email.smtp import Relay
from engine.errors import Conflict
from engine.models import OrderKind, OrderState, new_id
from engine.orders import reading
from engine.orders.contacts import ContactTable
from engine.queue.runner import Runner
from engine.worker.short_way import ShortWay
from tests.helpers.relaying import deliver, only
from tests.helpers.rows import add_order, now
from tests.helpers.waiting import LONG
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store

pytestmark = pytest.mark.dialects

ROUNDS, AT_ONCE = 1_000, 20


@dataclass(frozen=True)
class Chain:
    """An order that is due later, and its reminder, which is due now and has an address of its own."""

    first: UUID
    reminder: UUID
    address: str


def place(connection: Connection, number: int) -> Chain:
    chain, its = Chain(new_id(now()), new_id(now()), f"{number}@example.no"), new_id(now())
    add_order(connection, due_in=timedelta(hours=1), id=chain.first, chain_id=its)
    to = json.dumps([{"emailAddress": chain.address}])
    due = timedelta(seconds=-1)
    add_order(connection, due_in=due, id=chain.reminder, recipients=to, kind=OrderKind.REMINDER, chain_id=its)
    return chain


def by_their_creator(store: Store, names: Sequence[UUID]) -> set[UUID]:
    """Cancel orders one by one; returns those whose cancelling was not refused."""
    done = set()
    for name in names:
        with suppress(Conflict), store.write() as connection:
            reading.cancel(connection, "ttd", name)
            done.add(name)
    return done


def by_an_operator(store: Store, *names: Sequence[UUID]) -> set[UUID]:
    """Cancel those of the orders that can be cancelled, each sequence at once; returns them."""
    done = set[UUID | int]()
    for some in names:
        with store.write() as connection:
            done.update(act(connection, find("orders", "cancel"), some, None).keys)
    return {name for name in done if isinstance(name, UUID)}


async def race(store: Store, url: str) -> tuple[list[Chain], set[UUID]]:
    """Cancel first orders and reminders while a worker processes reminders; returns all, and what was cancelled."""
    relay = Relay(url, connections=2, connect_timeout=LONG, data_timeout=LONG)
    worker = Runner(store, ShortWay(Deliverer(store.clock, only(relay, 2)), ContactTable(), lambda: None), LONG)
    placed: list[Chain] = []
    done: set[UUID] = set()
    for begin in range(0, ROUNDS, AT_ONCE):
        with store.write() as connection:
            some = [place(connection, number) for number in range(begin, begin + AT_ONCE)]
        firsts, reminders = [chain.first for chain in some], [chain.reminder for chain in some]
        _, *found = await asyncio.gather(
            worker.run(),
            asyncio.to_thread(by_an_operator, store, firsts, reminders[:10:2], reminders[10::2]),
            asyncio.to_thread(by_their_creator, store, reminders[1::2]),
        )
        placed += some
        done = done.union(*found)
    await worker.run()  # what was locked when it looked last
    await relay.close()
    return placed, done


def stored(store: Store) -> tuple[dict[UUID, str], Counter[str], Counter[tuple[str, str]]]:
    """The state of each order, the number of e-mails to each address, and of events about each order."""
    with store.read() as connection:
        states = {row.id: row.state for row in connection.execute(select(orders.c.id, orders.c.state))}
        made = Counter(connection.scalars(select(emails.c.address)))
        told = connection.execute(select(events.c.subject, events.c.type).where(events.c.type.contains("order."))).all()
    return states, made, Counter((row.subject.rpartition("/")[2], row.type.rpartition(".")[2]) for row in told)


@pytest.mark.slow
def test_an_order_is_cancelled_or_sent_and_cancelling_the_first_leaves_its_reminder(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CANCEL_WINDOW", -LONG)  # within it, no worker has an order
    with ScriptedSMTP() as server:
        placed, done = asyncio.run(race(store, server.url))
        deliver(store, server.url, lambda deliverer: deliverer.run())  # what took the usual way
    sent = [chain for chain in placed if chain.reminder not in done]
    states, made, told = stored(store)
    assert len(placed) == ROUNDS
    assert done >= {chain.first for chain in placed}
    assert states == dict.fromkeys(done, OrderState.CANCELLED) | {
        chain.reminder: OrderState.COMPLETED for chain in sent
    }
    assert Counter(mail.rcpt_tos[0] for mail in server.messages) == made == Counter(chain.address for chain in sent)
    ends = [(name, "cancelled") for name in done] + [(chain.reminder, "completed") for chain in sent]
    assert told == Counter((str(name), end) for name, end in ends)
