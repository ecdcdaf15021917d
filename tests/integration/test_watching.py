"""What alerts watch beside the lanes, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import update

from engine.admin.watching import watched
from engine.db.tables import subscriptions
from engine.events.storing import persist
from engine.models import EmailState, new_id
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from engine.db.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_a_subscription_is_failing_or_paused(store: Store) -> None:
    with store.write() as connection:
        changes: tuple[dict[str, object], ...] = (
            {},
            {"open_until": now() + HOUR},
            {"open_until": now() - HOUR},
            {"paused_reason": "by its owner"},
        )
        for number, values in enumerate(changes):
            seq = add_subscription(connection, f"https://receiver{number}.example/hook")
            if values:
                connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(values))
        assert watched(connection).subscriptions == {"failing": 1, "paused": 1}


def test_what_is_on_its_way_for_long_is_known_though_it_was_tried(store: Store) -> None:
    with store.write() as connection:
        assert set(watched(connection).undelivered.values()) == {timedelta(0)}
        of = add_order(connection)
        add_email(connection, of, id=new_id(now() - DAY), due_in=HOUR, attempts=3)
        add_email(connection, of, due_in=-HOUR)
        add_email(connection, of, id=new_id(now() - 9 * DAY), state=EmailState.SUCCEEDED, due_at=None)
        add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event()])
        found = watched(connection).undelivered
    assert DAY <= found["emails"] < 2 * DAY
    assert timedelta(0) <= found["webhooks"] < HOUR
