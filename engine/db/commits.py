"""Group commit: requests that arrive while a transaction runs share the next one.

A commit costs a disk flush, whatever its size. One thread takes the queued items that fit into one transaction, commits
them at once and only then answers each waiting request. Callers take turns, so that nobody waits for everything that
another has queued.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from engine.errors import Unavailable
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store

Item = TypeVar("Item")
Result = TypeVar("Result")

GROUP = 256  # most items of one transaction: bounds how long the first waits for the last
LARGEST = 1_000_000  # bytes of one transaction, unless one item is larger; other writers wait for it
WAITING = 4096  # most items that wait, of all parties; beyond its share, a caller is told to try again
LARGEST_WAITING = 96_000_000  # bytes of them; likewise
LEAST = -(-LARGEST_WAITING // WAITING)  # bytes that each of them counts as, at least: so the bytes bound the items


class GroupCommit(Generic[Item, Result]):
    """Runs `write(connection, items)` for groups of items; it answers one result per item, in order.

    `after` is called with each group's results once they are durable and answered. `otherwise` may store a group
    elsewhere when the database does not answer; without it, each item's result is then Unavailable.
    """

    def __init__(
        self,
        store: Store,
        write: Callable[[Connection, Sequence[Item]], Sequence[Result | Exception]],
        after: Callable[[Sequence[Result | Exception]], None],
        otherwise: Callable[[Sequence[Item], Unavailable], Sequence[Result | Exception]] | None = None,
    ) -> None:
        self._store = store
        self._write = write
        self._after = after
        self._otherwise = otherwise or _refuse
        self._queue: _Turns[Item, Result] = _Turns()
        self._room = Shares(LARGEST_WAITING)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._commit_groups, name="group-commit", daemon=True)
        self._thread.start()

    async def submit(self, item: Item, party: str, size: int) -> Result:
        """Return the item's result once it is durable; raises what the writer answered, or Unavailable.

        `party`: whose turn it uses; `size`: its size in bytes.
        """
        if not self._room.fits(party):
            raise Unavailable("the database")
        future: asyncio.Future[Result] = self._loop.create_future()
        counted = max(size, LEAST)
        self._room.take(party, counted)
        self._queue.put(_Waiting(item, party, size, counted, future))
        return await future

    async def close(self) -> None:
        """Commit the waiting items, then end."""
        self._queue.close()
        await asyncio.to_thread(self._thread.join)

    def _commit_groups(self) -> None:
        while group := self._queue.take():
            results = self._commit([waiting.item for waiting in group])
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                self._loop.call_soon_threadsafe(self._answer, group, results)
            self._after(results)

    def _commit(self, items: Sequence[Item]) -> Sequence[Result | Exception]:
        try:
            with self._store.write() as connection:
                return self._write(connection, items)
        except Unavailable as error:
            return self._otherwise(items, error)
        except Exception as error:  # noqa: BLE001 the thread must outlive a writer's bug: it goes to whoever asked
            if len(items) == 1:
                return [error]
            return [result for item in items for result in self._commit([item])]  # only the culprit fails

    def _answer(self, group: Sequence[_Waiting[Item, Result]], results: Sequence[Result | Exception]) -> None:
        for waiting, result in zip(group, results, strict=True):
            self._room.give_back(waiting.party, waiting.counted)
            if waiting.future.done():  # its request was cancelled; the item is stored all the same
                continue
            if isinstance(result, Exception):
                waiting.future.set_exception(result)
            else:
                waiting.future.set_result(result)


class _Waiting(NamedTuple, Generic[Item, Result]):
    item: Item
    party: str
    size: int
    counted: int  # bytes, while it waits
    future: asyncio.Future[Result]


class _Turns(Generic[Item, Result]):
    """The waiting items by party: one of each, then the next of each, and so on. One thread takes them."""

    def __init__(self) -> None:
        self._new: queue.SimpleQueue[_Waiting[Item, Result] | None] = queue.SimpleQueue()  # its lock is short
        self._parties: OrderedDict[str, deque[_Waiting[Item, Result]]] = OrderedDict()
        self._open = True

    def put(self, waiting: _Waiting[Item, Result]) -> None:
        """Queue an item behind its party's others."""
        self._new.put(waiting)

    def close(self) -> None:
        """Nothing more comes."""
        self._new.put(None)

    def take(self) -> list[_Waiting[Item, Result]]:
        """Wait for the next group; empty: nothing is left and nothing more comes."""
        new = self._arrived()
        if not self._parties and len(new) <= GROUP and sum(waiting.size for waiting in new) <= LARGEST:
            return new  # all fit in one group: no turns are needed
        for waiting in new:
            self._parties.setdefault(waiting.party, deque()).append(waiting)
        group: list[_Waiting[Item, Result]] = []
        room = LARGEST
        while self._parties and len(group) < GROUP:
            party, its = next(iter(self._parties.items()))
            if group and its[0].size > room:
                break
            room -= its[0].size
            group.append(its.popleft())
            self._parties.move_to_end(party)
            if not its:
                del self._parties[party]
        return group

    def _arrived(self) -> list[_Waiting[Item, Result]]:
        """The items that have arrived; waits if none are left."""
        new: list[_Waiting[Item, Result]] = []
        with contextlib.suppress(queue.Empty):
            while True:
                waiting = self._new.get(block=self._open and not new and not self._parties)
                if waiting is None:
                    self._open = False
                else:
                    new.append(waiting)
        return new


def _refuse(items: Sequence[Any], error: Unavailable) -> Sequence[Any]:
    return [error] * len(items)
