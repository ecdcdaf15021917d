"""Leases in a worker's hands: extended until an outcome is recorded, and looked at before anything is sent.

A row stays here until its outcome is in the database, however long that takes: were its lease to end in between,
another worker would send it once more. And a worker that was stopped for longer than its lease, with the machine or
alone, must not send what others have taken over meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Generic

from engine.db.tables import MILLISECOND
from engine.errors import Unavailable
from engine.queue import due
from engine.queue.due import R

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from datetime import datetime, timedelta

    from engine.db.store import Store
    from engine.queue.due import Claimed, Lane


log = logging.getLogger(__name__)


class Leases(Generic[R]):
    """Claimed rows of one lane, and until when each is ours: a row that was claimed anew is another."""

    def __init__(self, store: Store, lane: Lane[Claimed], lease: timedelta) -> None:
        self._store = store
        self._lane = lane
        self._lease = lease
        self._rows: dict[tuple[int, int], R] = {}
        self._ends: dict[tuple[int, int], datetime] = {}  # by the database's clock

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> Sequence[R]:
        """All of them."""
        return tuple(self._rows.values())

    def take(self, rows: Iterable[R]) -> None:
        """Hold on to rows as they were claimed: their due time is the end of the lease."""
        for row in rows:
            self._rows[row.seq, row.claim], self._ends[row.seq, row.claim] = row, row.due_at

    def let_go(self, rows: Iterable[R]) -> None:
        """Extend these no longer: their outcome is recorded, or they are about to be handed back."""
        for row in rows:
            self._rows.pop((row.seq, row.claim), None)
            self._ends.pop((row.seq, row.claim), None)

    def ours(self, row: R) -> bool:
        """Whether a row is still ours; asked directly before something is sent that cannot be taken back."""
        end = self._ends.get((row.seq, row.claim))
        return end is not None and self._store.clock.now() + MILLISECOND < end  # as exactly as the database tells time

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Extend while the block runs. A database that does not answer is asked again: the leases may end meanwhile."""
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    async def extend(self) -> None:
        """Hold on for another lease; what cannot be extended has been taken over, or has its outcome by now."""
        asked = tuple(self._rows.values())
        ends = await self._store.writing(due.extend, self._lane, asked, self._lease)
        for row in asked:
            name = row.seq, row.claim
            if name not in ends:
                self._ends.pop(name, None)
            elif name in self._rows:
                self._ends[name] = ends[name]

    async def _keep(self) -> None:
        third = self._lease.total_seconds() / 3
        while True:
            await asyncio.sleep(third)
            while self._rows:
                try:
                    await self.extend()
                    break
                except Unavailable:  # perhaps a lock or a deadlock: most of the lease is left
                    await asyncio.sleep(third / 10)
                except Exception:  # whoever keeps leases must outlive a bug
                    log.exception("leases could not be extended")
                    await asyncio.sleep(third / 10)
