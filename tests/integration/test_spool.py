"""Events that wait in Redis until a worker can store them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import redis
from pydantic_core import to_json

from engine.errors import Unavailable
from engine.events.storing import as_row
from engine.queue.spool import Spool
from tests.helpers.rows import an_event
from tests.helpers.waiting import wait_for
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from pathlib import Path

    from engine.models import CloudEvent
    from tests.servers.installation import Installation


def entry(*events: CloudEvent) -> bytes:
    return to_json([as_row(event) for event in events])


def test_entries_are_stored_in_order_and_what_cannot_be_is_set_aside(installation: Installation) -> None:
    where = "urn:altinn:resource:spooled"
    first, second = (an_event(resource=where) for _ in range(2))
    with redis.Redis.from_url(installation.environment()["VARSEL_REDIS_URL"]) as client:
        spool = Spool(client)
        spool.add(entry(first))
        spool.add(b"[{}]")
        spool.add(entry(first, second))
        wait_for(lambda: spool.first() is None)
        assert client.lrange(Spool.BROKEN, 0, -1) == [b"[{}]"]
        client.delete(Spool.BROKEN)

    with installation.client(scope="altinn:events.subscribe") as reader:
        stored = reader.get("/events/api/v1/events", params={"resource": where, "after": "0"}).json()
    assert [event["id"] for event in stored] == [first.id, second.id]


def test_a_spool_that_does_not_answer_says_so(tmp_path: Path) -> None:
    with Redis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        spool = Spool(client)
        spool.add(b"[]")
        assert spool.first() == b"[]"
        server.stop()
        with pytest.raises(Unavailable, match="nor Redis"):
            spool.add(b"[]")
        with pytest.raises(Unavailable):
            spool.first()
