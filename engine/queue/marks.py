"""The marks that Redis and a process remember of databases: see engine/queue/epoch.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

import redis

from engine.db.tables import EPOCH, MILLISECOND, milliseconds
from engine.queue.epoch import look

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection


class Memory:
    """The newest mark of each installation that Redis and this process have seen."""

    KEY = "varsel:marks"

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._own: dict[UUID, datetime] = {}

    def recall(self) -> Mapping[UUID, datetime] | None:
        """All marks; None if Redis does not answer."""
        try:
            told = cast("list[tuple[bytes, float]]", self._client.zrange(self.KEY, 0, -1, withscores=True))
        except (redis.RedisError, OSError):
            return None
        found = {UUID(name.decode()): EPOCH + int(score) * MILLISECOND for name, score in told}
        return {name: max(found.get(name, EPOCH), self._own.get(name, EPOCH)) for name in found | self._own}

    def keep(self, name: UUID, mark: datetime) -> None:
        """Remember a mark that is committed."""
        self._own[name] = mark
        try:
            self._client.zadd(self.KEY, {str(name): milliseconds(mark)}, gt=True)
        except (redis.RedisError, OSError):
            return  # the next heartbeat has a newer one

    def look(self, connection: Connection, remembered: Mapping[UUID, datetime]) -> tuple[UUID, datetime]:
        """Compare the database's mark and move it on (`epoch.look`): the heartbeat's room is below this one."""
        return look(connection, remembered)
