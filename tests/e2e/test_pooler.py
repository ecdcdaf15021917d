"""A whole installation behind PgBouncer, with its default settings and few connections to the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.counting import tell
from tests.servers.event_site import EventSite, pairs
from tests.servers.http import Receiver, Say
from tests.servers.pgbouncer import PgBouncer
from tests.servers.site import FLAWLESS, addresses

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.postgres import Postgres

RESOURCE = "urn:altinn:resource:pooled"


def test_behind_a_pooler_all_is_delivered_pushed_and_read(
    postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to, ids = addresses(50), [f"e{n}" for n in range(50)]
    with (
        PgBouncer(postgres.database(), default_pool_size=5) as pooler,
        EventSite(tmp_path, database_url=pooler.url) as site,
        Receiver(Say(200)) as receiver,
    ):
        site.subscribe(receiver, 3, RESOURCE)
        site.post(*to)
        site.publish(RESOURCE, ids)
        site.await_events(RESOURCE, len(ids))
        assert [event["id"] for event in site.read(RESOURCE)] == ids
        mails, pushes = site.count(to), site.count_pushes(RESOURCE, pairs(3, ids), receiver)
        said = "".join(site.varsel.output)
    tell(capsys, "behind PgBouncer, 50 mails", mails)
    tell(capsys, "behind PgBouncer, 150 pushes", pushes)
    assert mails == FLAWLESS
    assert pushes == FLAWLESS
    assert " ERROR " not in said
    assert " WARNING " not in said
