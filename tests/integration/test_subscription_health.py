"""How a subscription goes, as operators see it; and a test event, also while it is paused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.admin import details
from engine.admin.pausing import pause_subscription, resume_subscription
from engine.admin.subscriptions import send_test
from engine.db.tables import audit_log, deliveries, subscriptions
from engine.errors import Conflict, NotFound
from engine.models import DeliveryState
from engine.webhooks.schedule import OPENS_AFTER
from tests.helpers.rows import add_subscription, an_event, now
from tests.helpers.subscribers import deliveries_of, hurry, publish, push, subscribe, subscription
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from engine.db.store import Store


def shown(store: Store, seq: int) -> dict[str, Any]:
    with store.read() as connection:
        return details.subscription(connection, seq)


def test_its_page_tells_the_backlog_the_last_success_and_the_response_times(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        assert shown(store, seq)["last_success"] is None or shown(store, seq)["calls"]
        publish(store, an_event(), an_event())
        push(store)
        with store.write() as connection:
            pause_subscription(connection, "anna", seq, "their weekend")
        publish(store, an_event())
        push(store)
    found = shown(store, seq)
    assert (found["backlog"], found["paused_by"]) == (1, "anna")
    assert found["backlog_since"] <= now()
    assert now() - found["paused_at"] < timedelta(minutes=5)
    assert found["calls"] == found["calls_accepted"] >= 2
    assert 0 <= found["median_ms"] <= found["slowest_ms"]
    assert found["last_success"] >= found["paused_at"] - timedelta(minutes=5)
    with store.write() as connection:
        resume_subscription(connection, "ola", seq)
    history = [(line["who"], line["action"]) for line in shown(store, seq)["history"]]
    assert history[:2] == [("ola", "resume"), ("anna", "pause")], "what happened stays when it goes on"
    assert shown(store, seq)["history"][1]["detail"] == {"reason": "their weekend"}


def test_the_last_success_is_kept_when_its_deliveries_are_gone(store: Store) -> None:
    with Receiver(Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        push(store)
    with store.write() as connection:
        connection.execute(deliveries.delete())
    found = shown(store, seq)
    assert found["last_success"] is not None
    assert (found["calls"], found["median_ms"], found["slowest_ms"], found["backlog"]) == (0, None, None, 0)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_test_event_is_pushed_once_while_it_is_paused_and_nothing_else_is(store: Store, *, ordered: bool) -> None:
    with Receiver(Say(503)) as receiver:
        seq = subscribe(store, receiver.url)
        with store.write() as connection:
            connection.execute(update(subscriptions).values(ordered=ordered))
            pause_subscription(connection, "anna", seq, "their server is down")
        publish(store, an_event(subject=None), an_event())
        before = len(receiver.requests)
        with store.write() as connection:
            first = send_test(connection, "anna", seq)
            with pytest.raises(Conflict):
                send_test(connection, "ola", seq)
        push(store)
        assert len(receiver.requests) == before + 1
        push(store)
        assert len(receiver.requests) == before + 1, "it is one attempt"
        found = shown(store, seq)["test"]
        assert (found["delivery"], found["state"], found["status"]) == (first, DeliveryState.DEAD, 503)
        row = subscription(store, seq)
        assert (row.test_seq, row.due_at, row.paused_reason is None) == (None, None, False)
        receiver.act(Say(204))
        with store.write() as connection:
            second = send_test(connection, "anna", seq)
        push(store)
        found = shown(store, seq)["test"]
        assert (found["delivery"], found["state"], found["status"]) == (second, DeliveryState.DELIVERED, 204)
        assert first not in {each.seq for each in deliveries_of(store, seq)}, "a test that failed goes with the next"
        assert len(receiver.requests) == before + 2
        with store.write() as connection:
            resume_subscription(connection, "anna", seq)
        push(store)
    assert len(receiver.requests) == before + 4
    with store.read() as connection:
        done = connection.scalars(select(audit_log.c.action).where(audit_log.c.who == "anna")).all()
    assert done.count("test") >= 1


@pytest.mark.parametrize("ordered", [False, True])
def test_a_test_event_goes_before_what_an_endpoint_that_fails_has_waiting(store: Store, *, ordered: bool) -> None:
    with Receiver(Say(503)) as receiver:
        seq = subscribe(store, receiver.url)
        with store.write() as connection:
            connection.execute(update(subscriptions).values(ordered=ordered))
        publish(store, an_event(), an_event())
        for _ in range(OPENS_AFTER + 1):
            hurry(store, seq)
            push(store)
        hurry(store, seq)
        before = len(receiver.requests)
        with store.write() as connection:
            test = send_test(connection, "anna", seq)
        push(store)
        found = shown(store, seq)["test"]
        assert (found["delivery"], found["state"], found["status"]) == (test, DeliveryState.DEAD, 503)
        assert len(receiver.requests) == before + 1, "the one call to it was the test"
        receiver.act(Say(200))
        hurry(store, seq)
        push(store)
    assert len(receiver.requests) == before + 3, "what waits comes after it"


def test_410_to_a_test_does_not_take_the_place_of_an_operators_pause(store: Store) -> None:
    with Receiver(Say(410)) as receiver:
        seq = subscribe(store, receiver.url)
        with store.write() as connection:
            pause_subscription(connection, "anna", seq, "their weekend")
            send_test(connection, "anna", seq)
        push(store)
    assert "their weekend" in subscription(store, seq).paused_reason


def test_what_makes_e_mails_and_what_is_not_there_cannot_be_tested(store: Store) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "mailto:kari@example.no")
        with pytest.raises(Conflict):
            send_test(connection, "anna", seq)
        with pytest.raises(NotFound):
            send_test(connection, "anna", seq + 1)


def test_when_it_begins_to_fail_and_when_it_works_again_is_in_its_history(store: Store) -> None:
    with Receiver(*[Say(503)] * (OPENS_AFTER + 1), Say(200)) as receiver:
        seq = subscribe(store, receiver.url)
        publish(store, an_event())
        for _ in range(OPENS_AFTER + 2):
            hurry(store, seq)
            push(store)
    history = [(line["who"], line["action"]) for line in shown(store, seq)["history"]]
    assert history == [("varsel", "recover"), ("varsel", "fail")]
