"""Writes that callers and operators ask for: each party has a share of the store's threads.

Writes in groups have a thread of their own: see engine/db/commits.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from engine.db.store import Store

P = ParamSpec("P")
R = TypeVar("R")

SLOTS = 6  # writes at once; the store's other connections are for groups, heartbeats and questions about health
WAITING = 64  # writes of one party, those that wait included


class Writers:
    """The slots for writes of one process. Every write raises Unavailable when the database does not answer."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._shares = Shares(SLOTS, WAITING)

    async def write(
        self, party: str, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Call `act(connection, …)` in a transaction for a party; Overrun when too many wait."""
        return await self._shares.run(party, lambda: self._store.writing(act, *args, **kwargs))
