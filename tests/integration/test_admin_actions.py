"""Actions of operators on one row: which apply in each state, and what they change."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from engine.admin.actions import ACTIONS, find, perform
from engine.admin.resources import DELIVERIES, EMAILS, ORDERS, RESOURCES
from engine.db.tables import audit_log, deliveries, emails, events, orders, subscriptions
from engine.errors import Conflict, Invalid, NotFound
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState, new_id
from tests.helpers.admin_rows import FAILED, HOUR, email, names, order, row
from tests.helpers.rows import PAUSED, add_email, add_subscription, an_event, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.db.store import Store


def delivery(connection: Connection, state: str, **values: Any) -> int:
    seq = add_subscription(connection, "https://receiver.example/hook")
    persist(connection, [an_event()])
    made: int = connection.scalar(select(func.max(deliveries.c.seq)).where(deliveries.c.subscription_seq == seq))
    given = {"state": state, "due_at": now() + HOUR if state == DeliveryState.WAITING else None} | values
    connection.execute(update(deliveries).where(deliveries.c.seq == made).values(given))
    return made


def test_of_an_order_its_state_says_what_can_be_done(store: Store) -> None:
    with store.write() as connection:
        for values, can in (
            ({}, {"cancel", "reschedule", "send_now"}),
            ({"due_at": now() - HOUR}, {"cancel", "reschedule"}),
            ({"unresolved": 1, "state": OrderState.PROCESSING}, {"withdraw"}),
            (
                {"state": OrderState.PROCESSING, "attempts": 1},
                {"send_now", "cancel"},
            ),  # it waits for an answer or a file
            ({"state": OrderState.SET_ASIDE, "due_at": None}, {"retry"}),
            ({"state": OrderState.PROCESSED, "due_at": None}, {"withdraw"}),
            ({"state": OrderState.COMPLETED, "due_at": None}, {"resend"}),
            ({"state": OrderState.CANCELLED, "due_at": None}, {"resend"}),
            (PAUSED, {"cancel", "reschedule"}),
        ):
            assert names(connection, ORDERS, order(connection, **values)) == can, values


def test_of_an_email_its_state_says_what_can_be_done(store: Store) -> None:
    with store.write() as connection:
        assert names(connection, EMAILS, email(connection)) == {"retry_now"}
        assert names(connection, EMAILS, email(connection, due_at=now() - HOUR)) == set()
        assert names(connection, EMAILS, email(connection, waits_for="domain example.no", rank=1)) == set()
        assert names(connection, EMAILS, email(connection, **PAUSED)) == set()
        assert names(connection, EMAILS, email(connection, EmailState.SENDING)) == set()
        for state in (EmailState.SUCCEEDED, EmailState.DELIVERED):
            assert names(connection, EMAILS, email(connection, state)) == {"resend"}
        for state in FAILED:
            assert names(connection, EMAILS, email(connection, state)) == {"retry"}
        nowhere = email(connection, EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, address="")
        assert names(connection, EMAILS, nowhere) == set()


def test_the_emails_of_an_order_that_was_set_aside_are_made_anew_and_not_sent_as_they_are(store: Store) -> None:
    with store.write() as connection:
        key = order(connection, state=OrderState.SET_ASIDE, due_at=None, attempts=6)
        add_email(connection, row(connection, ORDERS, key).seq, state=EmailState.FAILED, due_at=None)
        assert names(connection, EMAILS, connection.scalar(select(emails.c.id))) == set()
        perform(connection, "anna", find("orders", "retry"), key)
        assert connection.scalar(select(func.count()).select_from(emails)) == 0
        assert row(connection, ORDERS, key).state == OrderState.REGISTERED
        attempts = connection.scalar(select(orders.c.attempts).where(orders.c.id == key))
        assert attempts == 0  # its errors are counted anew


def test_of_a_delivery_its_state_says_what_can_be_done(store: Store) -> None:
    with store.write() as connection:
        for state, can in (
            (DeliveryState.WAITING, {"retry_now"}),
            (DeliveryState.DELIVERED, set()),
            (DeliveryState.DEAD, {"retry"}),
            (DeliveryState.UNAUTHORIZED, {"retry"}),
        ):
            assert names(connection, DELIVERIES, delivery(connection, state)) == can
        assert names(connection, DELIVERIES, 4711) == set()
        assert names(connection, RESOURCES["events"], 1) == set()


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.audited)
def test_what_does_not_apply_is_a_conflict_and_changes_nothing(store: Store, action: Any) -> None:
    argument = "2100-05-01T12:00:00Z" if action.takes else None
    with store.write() as connection:
        key: Any
        if action.resource is ORDERS:
            key = order(connection, unresolved=1)
        elif action.resource is EMAILS:
            key = email(connection, EmailState.SENDING)
        else:
            key = delivery(connection, DeliveryState.DELIVERED)
    with store.read() as connection:
        before = row(connection, action.resource, key)
    with pytest.raises(Conflict, match=action.conflict[:20]), store.write() as connection:
        perform(connection, "anna", action, key, argument)
    with store.write() as connection:
        assert row(connection, action.resource, key) == before
        assert connection.scalar(select(func.count()).select_from(audit_log)) == 0
        with pytest.raises(NotFound):
            perform(connection, "anna", action, new_id(now()) if action.resource is not DELIVERIES else 99, argument)


def test_a_cancelled_order_is_settled_and_told_of(store: Store) -> None:
    with store.write() as connection:
        key = order(connection)
        perform(connection, "anna", find("orders", "cancel"), key)
        found = row(connection, ORDERS, key)
        assert (found.state, found.due_at) == (OrderState.CANCELLED, None)
        told = connection.execute(select(events.c.type, events.c.subject)).all()
        assert told == [("no.varsel.order.cancelled", f"/orders/{key}")]
        line = connection.execute(select(audit_log)).one()
    assert (line.who, line.action, line.target) == ("anna", "orders.cancel", f"orders/{key}")


def test_a_send_time_that_is_refused_says_why(store: Store) -> None:
    with store.write() as connection:
        key = order(connection)
        for wrong, says in (
            ("90m", "A time such as"),
            ("now", "send-now"),
            ("2020-01-01", "is past"),
            ("9999-06-01", "too far away"),
        ):
            with pytest.raises(Invalid) as refused:
                perform(connection, "anna", find("orders", "reschedule"), key, wrong)
            assert says in refused.value.errors["time"][0]
            assert "how long ago" not in refused.value.errors["time"][0]


@pytest.mark.parametrize("wrong", [None, "", "soon", "2020-01-01", "9999-06-01", "1h"])
def test_a_send_time_that_is_none_or_past_is_refused(store: Store, wrong: str | None) -> None:
    with store.write() as connection:
        key = order(connection)
        with pytest.raises(Invalid) as refused:
            perform(connection, "anna", find("orders", "reschedule"), key, wrong)
        assert list(refused.value.errors) == ["time"]
        with pytest.raises(Invalid):
            perform(connection, "anna", find("orders", "cancel"), key, "2100-05-01")


def test_a_rescheduled_order_is_due_when_that_was_asked_for(store: Store) -> None:
    later = (now() + 5 * HOUR).replace(microsecond=0)
    with store.write() as connection:
        key = order(connection)
        perform(connection, "anna", find("orders", "reschedule"), key, later.isoformat())
        assert row(connection, ORDERS, key).due_at == row(connection, ORDERS, key).requested_send_time == later
        perform(connection, "anna", find("orders", "send_now"), key)
        assert row(connection, ORDERS, key).due_at <= now()
        details = connection.scalars(select(audit_log.c.detail).order_by(audit_log.c.seq)).all()
    assert [json.loads(detail) for detail in details] == [{"to": later.isoformat()}, {}]


def test_a_replayed_delivery_wakes_its_subscription(store: Store) -> None:
    with store.write() as connection:
        key = delivery(connection, DeliveryState.DEAD, attempts=9)
        connection.execute(update(subscriptions).values(due_at=None))
        perform(connection, "anna", find("deliveries", "retry"), key)
        found = row(connection, DELIVERIES, key)
        assert (found.state, found.attempts) == (DeliveryState.WAITING, 0)
        assert found.due_at <= now()
        assert connection.execute(select(subscriptions.c.due_at)).scalar_one() <= now()


def test_an_action_that_is_unknown_is_not_found() -> None:
    with pytest.raises(NotFound):
        find("orders", "explode")
    with pytest.raises(NotFound):
        find("events", "cancel")
