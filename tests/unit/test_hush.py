"""Quiet for a thread: the loop stands still meanwhile, though not for long."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from engine.db.store import Store
from engine.runtime import hush
from engine.runtime.hush import still
from tests.helpers.waiting import LONG, patience

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = 0.05  # seconds that a loop which does not stand still has for a callback, many times over


async def in_thread(inside: float, loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop does anything within so many seconds, while a thread has quiet."""

    def work() -> bool:
        went_on = threading.Event()
        with still(loop):
            loop.call_soon_threadsafe(went_on.set)
            return went_on.wait(inside)

    return await asyncio.to_thread(work)


def test_a_loop_stands_still_while_a_thread_has_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def act() -> None:
        assert not await in_thread(MOMENT, asyncio.get_running_loop())
        await asyncio.sleep(0)  # and then it goes on

    monkeypatch.setattr(hush, "LONGEST", LONG.total_seconds())
    asyncio.run(act())


def test_a_loop_goes_on_when_the_thread_takes_long() -> None:
    async def act() -> None:
        assert await in_thread(patience(), asyncio.get_running_loop())

    asyncio.run(act())


def test_without_a_loop_the_thread_does_its_work() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    done = []
    with still(loop):
        done.append(True)
    assert done


@pytest.mark.parametrize("gives_way", [True, False])
def test_writers_that_others_wait_for_have_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, gives_way: bool
) -> None:
    monkeypatch.setattr(hush, "LONGEST", LONG.total_seconds())
    store = Store(f"sqlite:///{tmp_path}/varsel.db", gives_way=gives_way)

    async def act() -> tuple[bool, bool]:
        loop = asyncio.get_running_loop()

        def went_on(_connection: object, within: float) -> bool:
            went = threading.Event()
            loop.call_soon_threadsafe(went.set)
            return went.wait(within)

        reads = await store.reading(went_on, patience())
        return reads, await store.writing(went_on, MOMENT if gives_way else patience())

    assert asyncio.run(act()) == (True, not gives_way)
    store.close()
