"""Intake of events: the group commit that stores them, and the spool while the database is away."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from pydantic_core import to_json

from engine.db.bounded import ROW
from engine.db.commits import GroupCommit
from engine.errors import Unavailable
from engine.events.large_fan_outs import NOTHING, FanOut
from engine.events.storing import as_row, from_row, persist
from engine.observability import metrics
from engine.queue import due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.events.storing import EventRow
    from engine.models import CloudEvent

log = logging.getLogger(__name__)

SPOOLED = "events"  # the name of the wake-up for entries of the spool
LARGEST_ENTRY = 1_000_000  # characters of the events of one entry, unless one event is larger
_GROUP_SIZE = metrics.GROUP_SIZE.labels("events")


class Publisher:
    """Takes events in. One per web process.

    `spool` keeps an entry of events elsewhere (raises Unavailable). `wake` gets the name of the lane that has work, or
    SPOOLED when entries were kept.
    """

    def __init__(self, store: Store, spool: Callable[[bytes], None], wake: Callable[[str], None]) -> None:
        self._spool = spool
        self._wake = wake
        self._commits = GroupCommit(store, _write, self._committed, self._keep)

    async def publish(self, events: Sequence[CloudEvent], party: str) -> None:
        """Keep events, all or none: stored or, while the database does not answer, in the spool. Raises Unavailable.

        `party`: who publishes them; publishers take turns.
        """
        await self._commits.submit(events, party, sum(ROW + len(event.text) for event in events))
        metrics.EVENTS.inc(len(events))

    async def close(self) -> None:
        """Wait until what is under way is committed."""
        await self._commits.close()

    def _keep(self, items: Sequence[Sequence[CloudEvent]], error: Unavailable) -> Sequence[FanOut | Exception]:
        log.warning("%s; %d events go to the spool", error.told(), sum(map(len, items)))
        try:
            for entry in _entries(items):
                self._spool(entry)
        except Unavailable as neither:
            return [neither] * len(items)
        self._wake(SPOOLED)
        return [NOTHING] * len(items)

    def _committed(self, results: Sequence[FanOut | Exception]) -> None:
        taken = [result for result in results if isinstance(result, FanOut)]
        if taken:
            _GROUP_SIZE.observe(len(taken))
        if any(result.deliveries for result in taken):
            self._wake(due.WEBHOOKS.name)
        if any(result.waiting for result in taken):
            self._wake(due.FAN_OUTS.name)


def _write(connection: Connection, items: Sequence[Sequence[CloudEvent]]) -> Sequence[FanOut]:
    """Store a group; its first item gets the result of the whole."""
    given = [event for events in items for event in events]
    first = persist(connection, given) if given else NOTHING
    return [first, *[NOTHING] * (len(items) - 1)]


def unpacked(entry: bytes) -> list[CloudEvent]:
    """The events of an entry."""
    return [from_row(row) for row in json.loads(entry)]


def _entries(items: Sequence[Sequence[CloudEvent]]) -> Iterator[bytes]:
    rows: list[EventRow] = []
    size = 0
    for event in (event for events in items for event in events):
        if rows and size + len(event.text) > LARGEST_ENTRY:
            yield to_json(rows)
            rows, size = [], 0
        rows.append(as_row(event))
        size += len(event.text)
    if rows:
        yield to_json(rows)
