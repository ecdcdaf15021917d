"""The loop of due work, with a test's own work on the lane of e-mails."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine.db.records import Email
from engine.db.tables import emails
from engine.models import EmailState, OrderState
from engine.queue import due
from engine.queue.runner import Runner
from engine.queue.signals import Signals
from engine.queue.work import Claim, Work
from tests.helpers.rows import add_email, add_order
from tests.helpers.waiting import LONG, wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.queue.work import Hand

NUMBER = 3


class Numbered(Work[Email, int]):
    """Claims all that is due, and does what the test says with each; an outcome is the row's number."""

    lane = due.EMAILS

    def __init__(self, act: Callable[[Hand[Email, int], Email], Awaitable[None]]) -> None:
        self._act = act
        self.recorded_as: list[int] = []

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Email]:
        return Claim(due.claim(connection, due.EMAILS, 10, lease))

    async def perform(self, hand: Hand[Email, int], row: Email) -> None:
        await self._act(hand, row)

    def record(self, _connection: Connection, outcomes: Sequence[int]) -> bool:
        self.recorded_as += outcomes
        return False

    def broken(self, _row: Email, outcome: int, _error: Exception) -> int:
        return -outcome


def fill(store: Store, number: int = NUMBER) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.PROCESSED)
        for _ in range(number):
            add_email(connection, order)


def states(store: Store) -> list[tuple[str, int]]:
    with store.read() as connection:
        found = connection.execute(select(emails.c.state, emails.c.unresolved).order_by(emails.c.seq))
        return [(row.state, row.unresolved) for row in found]


def test_a_bug_that_ends_the_work_leaves_its_row_to_its_lease(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def break_down(_hand: Hand[Email, int], _row: Email) -> None:
        raise ZeroDivisionError

    fill(store)
    work = Numbered(break_down)
    asyncio.run(Runner(store, work, LONG).run())
    assert states(store) == [(EmailState.SENDING, 1)] * NUMBER
    assert work.recorded_as == []
    assert "a bug ended its work" in caplog.text


def test_what_a_worker_has_not_begun_in_half_its_lease_is_given_back(store: Store) -> None:
    lease = timedelta(seconds=2)

    async def wait(hand: Hand[Email, int], row: Email) -> None:
        others = [(EmailState.NEW, 0)] * (NUMBER - 1)
        await asyncio.to_thread(wait_for, lambda: states(store)[1:] == others)
        hand.end(row, row.seq)

    fill(store)
    work = Numbered(wait)
    asyncio.run(Runner(store, work, lease).run())
    assert len(work.recorded_as) == 1
    assert states(store)[1:] == [(EmailState.NEW, 0)] * (NUMBER - 1)


def test_a_runner_that_stops_gives_back_what_it_has_not_begun_and_records_the_rest(store: Store) -> None:
    fill(store)

    async def run() -> Numbered:
        async def stop(hand: Hand[Email, int], row: Email) -> None:
            runner.stop()
            hand.end(row, row.seq)

        work = Numbered(stop)
        runner = Runner(store, work, LONG, Signals(wake=lambda: woken.append(due.EMAILS.name)))
        await runner.run()
        return work

    woken: list[str] = []
    work = asyncio.run(run())
    assert len(work.recorded_as) == 1
    assert woken == [due.EMAILS.name]  # for others
    assert states(store)[1:] == [(EmailState.NEW, 0)] * (NUMBER - 1)


def test_outcomes_of_a_row_are_recorded_while_it_is_performed(store: Store) -> None:
    fill(store, 1)

    async def note_two(hand: Hand[Email, int], row: Email) -> None:
        hand.note(row, 1)
        await asyncio.to_thread(wait_for, lambda: work.recorded_as == [1])
        hand.end(row, 2)

    work = Numbered(note_two)
    asyncio.run(Runner(store, work, LONG).run())
    assert work.recorded_as == [1, 2]


def test_a_wake_up_that_comes_while_outcomes_are_recorded_is_heard(store: Store) -> None:
    async def run() -> list[int]:
        async def end(hand: Hand[Email, int], row: Email) -> None:
            hand.end(row, row.seq)

        class Woken(Numbered):
            def record(self, connection: Connection, outcomes: Sequence[int]) -> bool:
                if not self.recorded_as:
                    order = add_order(connection, state=OrderState.PROCESSED)
                    add_email(connection, order)
                    asyncio.run_coroutine_threadsafe(runner.run(), loop).result()
                return super().record(connection, outcomes)

        loop = asyncio.get_running_loop()
        work = Woken(end)
        runner = Runner(store, work, LONG)
        await runner.run()
        return work.recorded_as

    fill(store, 1)
    assert len(asyncio.run(run())) == 2


@pytest.mark.dialects
def test_rows_are_claimed_while_outcomes_are_recorded_where_the_work_allows_it(store: Store) -> None:
    """Other workers may be in the way of a record for long, and nothing shall stand still meanwhile."""
    claims: list[int] = []

    class Meanwhile(Numbered):
        claims_meanwhile = True
        at_once = NUMBER

        def has_room(self, _hand: Hand[Email, int]) -> bool:
            return len(claims) < NUMBER

        def claim(self, connection: Connection, lease: timedelta) -> Claim[Email]:
            claims.append(len(self.recorded_as))
            return Claim(due.claim(connection, due.EMAILS, 1, lease), more=True)

        def record(self, connection: Connection, outcomes: Sequence[int]) -> bool:
            if store.dialect.name == "postgresql":  # on SQLite, the gate lets one in at a time
                wait_for(lambda: len(claims) == NUMBER)
            return super().record(connection, outcomes)

    async def note_one(hand: Hand[Email, int], row: Email) -> None:
        hand.note(row, row.seq)
        await asyncio.to_thread(wait_for, lambda: row.seq in work.recorded_as)
        hand.end(row)

    fill(store)
    work = Meanwhile(note_one)
    asyncio.run(Runner(store, work, LONG).run())
    assert len(work.recorded_as) == NUMBER
