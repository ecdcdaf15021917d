"""Copies of small tables: how old they are when they serve."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from engine.db import fresh
from engine.db.fresh import FRESH, RENEW, STALE, Fresh
from engine.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Coroutine


class Table:
    """A table whose reader counts; `takes` seconds pass while it is read, and it may fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads, self.takes, self.time = 0, 0.0, 0.0
        self.fault: Exception | None = None
        monkeypatch.setattr(fresh, "steady", lambda: self.time)

    async def read(self) -> int:
        self.time += self.takes
        self.reads += 1
        if self.fault:
            raise self.fault
        return self.reads


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def run(asks: Coroutine[object, object, None]) -> None:
    asyncio.run(asks)


def test_a_copy_is_renewed_beside_who_asks_and_waited_for_when_it_is_old(table: Table) -> None:
    async def asks() -> None:
        copy = Fresh(table.read)
        assert [await copy.now() for _ in range(3)] == [1, 1, 1]
        table.time += RENEW
        assert await copy.now() == 1  # and it is renewed meanwhile
        await asyncio.sleep(0)
        assert await copy.now() == 2
        table.time += FRESH
        assert await copy.now() == 3

    run(asks())


def test_while_the_database_is_silent_the_copy_serves_at_once_and_not_for_ever(table: Table) -> None:
    async def asks() -> None:
        copy = Fresh(table.read)
        assert await copy.now() == 1
        table.fault, table.takes = Unavailable("the database"), FRESH + 1
        table.time += FRESH
        assert await copy.now() == 1  # this one has waited for the first try
        before = table.time
        assert await copy.now() == 1
        assert table.time == before, "nobody waits for each try"
        table.time += STALE
        with pytest.raises(Unavailable):
            await copy.now()

    run(asks())


def test_who_asks_first_is_told_that_nothing_is_known(table: Table) -> None:
    table.fault = Unavailable("the database")
    with pytest.raises(Unavailable):
        asyncio.run(Fresh(table.read).now())
