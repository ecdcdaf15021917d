"""Reads for callers, on both databases: fair slots, and an end when they take too long or nobody waits for them."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from starlette.requests import ClientDisconnect, Request

from api import reads
from engine.db.readers import SLOTS, WAITING, Readers
from engine.db.store import ping
from engine.errors import Overrun, Unavailable
from tests.helpers.waiting import LONG, SHORT, patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    from sqlalchemy import Connection

    from engine.db.store import Store

pytestmark = pytest.mark.dialects

ENDLESS = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000000000)
    SELECT count(*) FROM numbers
"""


def endless(connection: Connection) -> None:
    connection.execute(text(ENDLESS))


def one(connection: Connection, number: int = 1) -> int:
    return int(connection.execute(text("SELECT CAST(:number AS INTEGER)"), {"number": number}).scalar_one())


def run(url: str, work: Callable[[Readers], Awaitable[Any]], longest: timedelta = LONG) -> Any:
    """Do some work with readers; in the end no thread and no statement is left."""

    async def opened() -> Any:
        readers = Readers(url, longest=longest)
        try:
            async with asyncio.timeout(patience()):
                return await work(readers)
        finally:
            async with asyncio.timeout(patience()):
                await readers.close()

    return asyncio.run(opened())


async def fill(readers: Readers, party: str, count: int) -> list[asyncio.Task[None]]:
    """Reads that do not end by themselves."""
    tasks = [asyncio.create_task(readers.read(party, endless)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_who_asks_for_more_than_there_are_slots_leaves_some_for_others(database_url: str) -> None:
    async def work(readers: Readers) -> int:
        tasks = await fill(readers, "greedy", 5 * SLOTS)
        found = await readers.read("modest", one, 7)
        await end(tasks)
        return found

    assert run(database_url, work) == 7


def test_readers_are_proven_by_the_first_read_that_succeeds(database_url: str) -> None:
    looks: list[Connection] = []

    def admit(connection: Connection) -> None:
        looks.append(connection)
        if len(looks) == 1:
            raise Unavailable("the database")

    async def work() -> None:
        readers = Readers(database_url, admit, LONG)
        with pytest.raises(Unavailable):
            await readers.prove("one")
        await readers.prove("one")
        tasks = [task for number in range(SLOTS) for task in await fill(readers, f"party {number}", 1)]
        async with asyncio.timeout(patience()):
            await readers.prove("another")  # for whom there is no slot
        await end(tasks)
        await readers.close()

    asyncio.run(work())
    assert len(looks) == 2


@pytest.mark.slow
def test_a_read_that_takes_too_long_is_ended_and_its_reader_told(database_url: str) -> None:
    async def work(readers: Readers) -> list[Any]:
        tasks = await fill(readers, "slow", 2 * SLOTS)  # the later ones get the slots of the earlier ones
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = run(database_url, work, SHORT)
    assert all(isinstance(answer, Overrun) for answer in answers)
    assert "narrow down what you ask for" in str(answers[0])


def test_a_read_that_nobody_waits_for_ends_in_the_database(database_url: str, store: Store) -> None:
    async def work(readers: Readers) -> None:
        tasks = await fill(readers, "gone", SLOTS)
        await end(tasks)
        # All slots come free again, and work: those of reads that were ended, too.
        for _ in range(3 * SLOTS):
            assert await readers.read("gone", one) == 1

    run(database_url, work)  # `close` waits for the threads
    if store.dialect.name == "postgresql":
        wait_for(lambda: _running(store) == 0)


def test_a_client_that_hangs_up_ends_its_read(database_url: str) -> None:
    async def work(readers: Readers) -> None:
        messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": b"", "more_body": False},
            {"type": "http.disconnect"},
        ]

        async def receive() -> dict[str, Any]:
            return messages.pop(0)

        app = SimpleNamespace(state=SimpleNamespace(readers=readers))
        request = Request({"type": "http", "app": app}, receive)
        with pytest.raises(ClientDisconnect):
            await reads.read(request, "gone", endless)

    run(database_url, work)


def _running(store: Store) -> int:
    chosen = text(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%RECURSIVE numbers%' AND state = 'active'"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    with store.read() as connection:
        return int(connection.execute(chosen).scalar_one())


def test_one_who_waits_for_too_much_is_told_so_at_once(database_url: str) -> None:
    async def work(readers: Readers) -> None:
        tasks = await fill(readers, "greedy", WAITING)
        with pytest.raises(Overrun, match=f"{WAITING} of your requests"):
            await readers.read("greedy", one)
        await end(tasks)
        assert await readers.read("greedy", one) == 1

    run(database_url, work)


def test_writers_do_not_wait_for_readers(database_url: str, store: Store) -> None:
    async def work(readers: Readers) -> None:
        tasks = [task for party in "abc" for task in await fill(readers, party, SLOTS)]
        for _ in range(20):
            await store.writing(ping)
        await end(tasks)

    run(database_url, work)


def test_what_a_read_raises_is_what_its_reader_gets(database_url: str) -> None:
    def fail(_connection: Connection) -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        run(database_url, lambda readers: readers.read("anybody", fail))
