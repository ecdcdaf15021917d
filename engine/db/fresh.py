"""Small tables of which a process keeps a copy, since each request asks for them: at most two seconds old.

A copy is renewed beside the requests, so that these wait for the database only after a pause, or when it is slow.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.errors import Overrun, Unavailable
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

RENEW = 0.5  # seconds until it is read again, when somebody asks
FRESH = 2.0  # seconds until whoever asks waits for that
STALE = 300.0  # seconds for which it serves while the database does not answer


class Fresh(Generic[T]):
    """What `read` found lately, for one event loop."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._kept: tuple[T, float] | None = None  # and when it was read, by the steady clock
        self._tried = float("-inf")  # likewise
        self._fault: Exception | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def now(self) -> T:
        """The newest; Unavailable when the database has not answered for too long."""
        age = steady() - self._tried
        if self._kept is None or age >= RENEW:
            if self._renewing is None or self._renewing.done():
                self._renewing = asyncio.create_task(self._renew())
            if self._kept is None or age >= FRESH:
                await asyncio.shield(self._renewing)
        if self._kept is None or steady() - self._kept[1] >= STALE:
            raise Unavailable("the database") from self._fault
        return self._kept[0]

    async def _renew(self) -> None:
        begun = steady()
        try:
            self._kept, self._tried = (await self._read(), begun), begun
        except (Unavailable, Overrun) as error:
            self._fault, self._tried = error, steady()  # a try may take longer than FRESH
