"""Conditions whose endpoints hang use only their creator's share, and delay nobody else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from engine.admin import details
from engine.db.tables import emails, orders, pauses
from engine.models import OrderState
from engine.orders import condition_checks
from engine.orders.credentials import Credentials
from engine.outbound import Guard, Outbound
from engine.queue import due
from tests.helpers.processing import Processing, checks, processing
from tests.helpers.rows import add_order, now
from tests.helpers.waiting import wait_for
from tests.servers.http import Hang, Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from engine.db.store import Store

LEASE = timedelta(seconds=30)
YES = Say(200, b'{"sendNotification": true}')
SLOTS = 15  # in place of CHECKS
SHARE = 10  # of one creator


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_checks, "CHECKS", SLOTS)


def run(store: Store, work: Callable[[Processing, Processing], Awaitable[None]]) -> None:
    async def opened() -> None:
        outbound = Outbound(Guard(allow_private=True), within=timedelta(seconds=600))
        try:
            await work(processing(store, LEASE), checks(store, outbound, LEASE))
        finally:
            await outbound.close()

    asyncio.run(opened())


def check(store: Store) -> None:
    run(store, lambda _, checking: checking.run())


def place(store: Store, receiver: Receiver | None, count: int = 1, creator: str = "evil", **values: object) -> None:
    endpoint = receiver and receiver.url
    with store.write() as connection:
        for _ in range(count):
            row = {"creator": creator, "condition_endpoint": endpoint} | values
            add_order(connection, due_in=timedelta(seconds=-1), **row)


def states(store: Store, creator: str) -> dict[str, int]:
    chosen = select(orders.c.state, func.count()).where(orders.c.creator == creator).group_by(orders.c.state)
    with store.read() as connection:
        return {str(state): count for state, count in connection.execute(chosen)}


def test_conditions_that_hang_delay_neither_orders_without_one_nor_another_creators(store: Store) -> None:
    with Receiver(Hang()) as hanging, Receiver(YES) as receiver:
        place(store, hanging, 5 * SLOTS)
        place(store, None, creator="evil")

        async def work(orders: Processing, checking: Processing) -> None:
            running = asyncio.create_task(checking.run())
            await asyncio.to_thread(hanging.wait_for, lambda: hanging.hanging >= SHARE)
            await orders.run()
            place(store, receiver, creator="good")
            await checking.run()  # a wake-up
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)
            assert hanging.hanging == SHARE
            checking.stop()
            hanging.hang_up()
            await running

        run(store, work)
    assert states(store, "good") == {OrderState.PROCESSED: 1}
    assert states(store, "evil")[OrderState.PROCESSED] == 1


def test_what_did_not_fit_is_asked_when_slots_come_free(store: Store) -> None:
    with Receiver(YES) as receiver:
        place(store, receiver, 3 * SLOTS)
        check(store)
    assert len(receiver.requests) == 3 * SLOTS
    assert states(store, "evil") == {OrderState.PROCESSED: 3 * SLOTS}
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(emails)) == 3 * SLOTS


def test_an_order_that_workers_have_lost_is_checked_alone(store: Store) -> None:
    with Receiver(YES) as receiver, Receiver(Hang()) as hanging:

        async def work(_: Processing, checking: Processing) -> None:
            place(store, hanging)
            running = asyncio.create_task(checking.run())
            await asyncio.to_thread(hanging.wait_for, lambda: hanging.hanging == 1)
            place(store, receiver, unresolved=due.LOST_IS_SUSPECT)
            place(store, receiver, 2)
            await checking.run()
            claimed = lambda: states(store, "evil").get(OrderState.PROCESSING) == 2  # noqa: E731  # and waits
            await asyncio.to_thread(wait_for, claimed)
            assert receiver.requests == []
            hanging.hang_up()
            await running

        run(store, work)
    assert len(receiver.requests) == 3
    assert states(store, "evil") == {OrderState.PROCESSING: 1, OrderState.PROCESSED: 3}  # one is asked again later


def test_an_order_that_every_worker_lost_is_set_aside_without_being_asked(store: Store) -> None:
    with Receiver(YES) as receiver:
        place(store, receiver, unresolved=due.LOST_IS_DEAD)
        check(store)
    assert receiver.requests == []
    with store.read() as connection:
        assert connection.execute(select(orders.c.due_at)).scalar_one() is None


def test_a_paused_creators_conditions_are_not_asked(store: Store) -> None:
    with Receiver(YES) as receiver:
        place(store, receiver)
        place(store, receiver, creator="good")
        with store.write() as connection:
            row = {"kind": "creator", "value": "evil", "at": now(), "who": "me", "reason": ""}
            connection.execute(pauses.insert().values(row))
        check(store)
    assert len(receiver.requests) == 1
    with store.read() as connection:
        held = select(orders.c.due_at, orders.c.paused_by).where(orders.c.creator == "evil")
        assert connection.execute(held).one() == (None, "creator:evil")


def test_an_endpoint_learns_who_asks_and_its_answer_is_kept(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "credentials.toml"
    file.write_text(
        '[creators.ttd]\nbearer = "a-long-token"\nhosts = ["127.0.0.1"]\n'
        '[creators.nav]\nbearer = "another-token"\nhosts = ["example.no"]\n'
    )
    credentials = Credentials(file)

    async def once() -> None:
        outbound = Outbound(Guard(allow_private=True))
        await checks(store, outbound, LEASE, credentials).run()
        await outbound.close()

    with Receiver(Say(200, b'{"sendNotification": false}')) as receiver:
        place(store, receiver, creator="ttd")
        place(store, receiver, creator="skd")
        place(store, receiver, creator="nav")
        asyncio.run(once())
    assert sorted(request.headers.get("authorization", "") for request in receiver.requests) == [
        "",
        "",
        "Bearer a-long-token",
    ]
    with store.read() as connection:
        kept = connection.scalars(select(orders.c.condition_answer).order_by(orders.c.seq)).all()
        shown = details.order(connection, connection.scalars(select(orders.c.id).order_by(orders.c.seq)).all()[0])
    withheld = "; asked without the creator's token, whose hosts in VARSEL_CREDENTIALS_FILE lack this one"
    answer = "sendNotification is false"
    assert kept == [answer, answer, answer + withheld]
    assert shown["condition_answer"] == "sendNotification is false"


def test_an_error_of_varsels_is_no_answer_of_the_endpoints(store: Store) -> None:
    with Receiver(Say(503)) as receiver:
        place(store, receiver, attempts=1)
        check(store)
        assert states(store, "evil") == {"Processing": 1}, "asked again, not sent anyway"
        with store.write() as connection:
            connection.execute(update(orders).values(due_at=now()))
        check(store)
    assert len(receiver.requests) == 2
    assert states(store, "evil") == {"Processed": 1}
