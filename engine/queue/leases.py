"""A worker's leases: extended until an outcome is recorded, and checked before anything is sent.

A row stays here until its outcome is in the database, however long that takes. If its lease ended earlier, another
worker would send it once more. A worker that was suspended for longer than its lease must not send what other workers
have claimed since.
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
    """Claimed rows of one lane, each with the end of its lease; a row that is claimed again counts as another."""

    def __init__(self, store: Store, lane: Lane[Claimed], lease: timedelta) -> None:
        self._store = store
        self._lane = lane
        self._lease = lease
        self._rows: dict[tuple[int, int], R] = {}
        self._ends: dict[tuple[int, int], datetime] = {}  # by the database's clock

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> Sequence[R]:
        """All leased rows."""
        return tuple(self._rows.values())

    def take(self, rows: Iterable[R]) -> None:
        """Begin to extend the leases of rows that were just claimed; a row's due time is the end of its lease."""
        for row in rows:
            self._rows[row.seq, row.claim], self._ends[row.seq, row.claim] = row, row.due_at

    def let_go(self, rows: Iterable[R]) -> None:
        """Stop extending the leases of these: their outcome is recorded, or they are about to be handed back."""
        for row in rows:
            self._rows.pop((row.seq, row.claim), None)
            self._ends.pop((row.seq, row.claim), None)

    def ours(self, row: R) -> bool:
        """Whether a row's lease still runs; asked directly before something is sent, which cannot be undone."""
        end = self._ends.get((row.seq, row.claim))
        return end is not None and self._store.clock.now() + MILLISECOND < end  # the database's clock has milliseconds

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Extend while the block runs. If the database does not answer, it is asked again; leases may end meanwhile."""
        keeper = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper

    async def extend(self) -> None:
        """Extend every lease. A row that cannot be extended was claimed by another worker, or has its outcome."""
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
                except Unavailable:  # a lock or a deadlock, perhaps: most of the lease is left
                    await asyncio.sleep(third / 10)
                except Exception:  # this task must outlive a bug
                    log.exception("leases could not be extended")
                    await asyncio.sleep(third / 10)
