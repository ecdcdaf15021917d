"""Whoever changes deliveries locks their subscription first, as those who push do: nobody waits in a circle."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.admin.actions import find, perform
from engine.fan_out import lock
from engine.models import Caller, DeliveryState
from engine.subscriptions.registry import retry, subscribe
from engine.subscriptions.wish import Wish
from engine.tables import subscriptions, webhooks
from tests.servers.rows import APP, now

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from engine.store import Store

TTD = Caller(creator="ttd", scopes=frozenset(), platform=False, identity="/org/ttd")
WISH = Wish(
    endpoint="https://receiver.example/hook",
    source_filter=None,
    source_prefix=None,
    resource_filter=APP,
    subject_filter=None,
    alternative_subject_filter=None,
    types=(),
    type_as_given=None,
    include_subunits=False,
    ordered=False,
    template=None,
    is_app=True,
)
CHANGES: dict[str, Callable[[Connection, int, int], Any]] = {
    "subscribe": lambda connection, _seq, _delivery: subscribe(connection, TTD, WISH, 500),
    "retry": lambda connection, seq, delivery: retry(connection, TTD, seq, delivery),
    "replay": lambda connection, _seq, delivery: perform(connection, "anna", find("deliveries", "retry"), delivery),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changing_a_delivery_while_its_outcome_is_written_waits_its_turn(store: Store, change: str) -> None:
    failed: list[BaseException] = []
    with store.write() as connection:
        seq = subscribe(connection, TTD, WISH, 500)[0].seq
        delivery = connection.execute(select(webhooks.c.seq)).scalar_one()
        if change == "replay":
            connection.execute(update(webhooks).values(state=DeliveryState.DEAD, due_at=None))

    def changing() -> None:
        try:
            with store.write() as connection:
                CHANGES[change](connection, seq, delivery)
        except BaseException as error:  # noqa: BLE001 shown below
            failed.append(error)

    thread = threading.Thread(target=changing)
    with store.write() as connection:
        connection.execute(lock({seq}))  # as engine/webhooks/queue.py settles
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        connection.execute(update(webhooks).values(last_update=now()))
        connection.execute(update(subscriptions).values(attempts=0))
    thread.join()
    assert failed == []
