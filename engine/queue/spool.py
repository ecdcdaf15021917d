"""Events that arrived while the database did not answer: a list in Redis, each entry a group of events as JSON.

An entry is removed when it is stored, not when it is read, because its reader may die. Storing it twice changes nothing
(see engine/events/storing.py).
"""

from __future__ import annotations

from typing import cast

import redis

from engine.errors import Unavailable


class Spool:
    """The list. Every method raises Unavailable when Redis does not answer."""

    ENTRIES, BROKEN = "varsel:spool", "varsel:spool:broken"

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def add(self, entry: bytes) -> None:
        """Append an entry."""
        self._ask("rpush", self.ENTRIES, entry)

    def first(self) -> bytes | None:
        """The oldest entry, which stays in the list; None if the list is empty."""
        return cast("bytes | None", self._ask("lindex", self.ENTRIES, 0))

    def remove(self, entry: bytes) -> None:
        """Remove an entry that is stored."""
        self._ask("lrem", self.ENTRIES, 1, entry)

    def set_aside(self, entry: bytes) -> None:
        """Move an entry that cannot be stored to BROKEN, where an operator finds it."""
        self._ask("rpush", self.BROKEN, entry)
        self.remove(entry)

    def _ask(self, command: str, *args: str | bytes | int) -> object:
        try:
            return self._client.execute_command(command, *args)
        except (redis.RedisError, OSError):
            raise Unavailable("the database (nor Redis)") from None
