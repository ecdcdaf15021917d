"""Group commit: requests that arrive while a transaction runs share the next one.

A commit costs a disk flush whatever it holds. One thread takes everything that has queued up, commits it at once and
only then answers each waiting request.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from engine.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.store import Store

Item = TypeVar("Item")
Result = TypeVar("Result")

GROUP = 256  # most items of one transaction: bounds how long the first waits for the last
WAITING = 4096  # most items that wait; beyond, the caller is told to come again


class GroupCommit(Generic[Item, Result]):
    """Runs `write(connection, items)` for groups of items; it answers one result per item, in order.

    `after` is called with each group's results once they are durable and answered. `otherwise` may keep a group
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
        self._queue: queue.SimpleQueue[tuple[Item, asyncio.Future[Result]] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._commit_groups, name="group-commit", daemon=True)
        self._thread.start()

    async def submit(self, item: Item) -> Result:
        """Return the item's result once it is durable; raises what the writer answered, or Unavailable."""
        if self._queue.qsize() >= WAITING:
            raise Unavailable("the database")
        future: asyncio.Future[Result] = self._loop.create_future()
        self._queue.put((item, future))
        return await future

    async def close(self) -> None:
        """Commit what waits, then end."""
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _commit_groups(self) -> None:
        open_ = True
        while open_:
            group = [self._queue.get()]
            with contextlib.suppress(queue.Empty):
                while len(group) < GROUP:
                    group.append(self._queue.get_nowait())
            waiting = [entry for entry in group if entry is not None]
            open_ = len(waiting) == len(group)
            if waiting:
                results = self._commit([item for item, _ in waiting])
                futures = [future for _, future in waiting]
                with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                    self._loop.call_soon_threadsafe(_answer, futures, results)
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


def _refuse(items: Sequence[Any], error: Unavailable) -> Sequence[Any]:
    return [error] * len(items)


def _answer(futures: Sequence[asyncio.Future[Result]], results: Sequence[Result | Exception]) -> None:
    for future, result in zip(futures, results, strict=True):
        if future.done():  # its request was cancelled; the item is stored all the same
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
