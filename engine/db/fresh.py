"""Small tables of which a process keeps a copy, since each request asks for them: at most a second old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from engine.errors import Unavailable
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

FRESH = 1.0  # seconds until it is read again, when somebody asks
STALE = 300.0  # seconds for which it serves while the database does not answer


class Fresh(Generic[T]):
    """What `read` found lately, for one event loop."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._lock = asyncio.Lock()
        self._kept: tuple[T, float] | None = None  # and when it was read, by the steady clock
        self._tried = float("-inf")  # likewise

    async def now(self) -> T:
        """The newest; Unavailable when the database has not answered for too long."""
        if self._kept is None or steady() - self._tried >= FRESH:
            async with self._lock:
                if self._kept is None or steady() - self._tried >= FRESH:
                    await self._renew()
        assert self._kept is not None  # noqa: S101 else `_renew` raised
        return self._kept[0]

    async def _renew(self) -> None:
        begun = steady()
        try:
            self._kept = await self._read(), begun
        except Unavailable:
            if self._kept is None or begun - self._kept[1] >= STALE:
                raise
        self._tried = begun
