"""The page of a subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert

from engine.db.tables import deliveries
from engine.models import DeliveryState
from tests.helpers.rows import add_subscription, now

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site


def test_one_whose_validation_was_not_tried_yet_says_that_it_is_on_its_way(site: Site, store: Store) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example/hook")
        validation = {"subscription_seq": seq, "state": DeliveryState.WAITING, "attempts": 0}
        connection.execute(
            insert(deliveries).values(validation | dict.fromkeys(("created", "due_at", "last_update"), now()))
        )
    page = site.browser("ola").get(f"/console/subscriptions/{seq}")
    assert page.status_code == 200
    assert '<span class="state busy">on its way</span>' in page.text
    assert "Send a test event" in page.text, "a test goes beside it"
