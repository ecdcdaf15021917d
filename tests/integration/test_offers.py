"""A list offers what can be done to a row that matches, and nothing that applies to none."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, true

from engine.admin import lists
from engine.admin.actions import ACTIONS
from engine.admin.jobs import matching
from engine.admin.offers import offers
from engine.admin.resources import DELIVERIES, EMAILS, ORDERS
from engine.admin.standing import GROUPS
from engine.db.tables import deliveries, events, orders
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState, new_id
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    import pytest
    from sqlalchemy import Connection

    from engine.admin.resources import Resource
    from engine.db.store import Store

HOUR = timedelta(hours=1)
FAILED: dict[str, Any] = {"state": EmailState.FAILED_BOUNCED, "due_at": None}
STATES = ((ORDERS, OrderState), (EMAILS, EmailState), (DELIVERIES, DeliveryState))


def offered(connection: Connection, resource: Resource, given: dict[str, str], size: int = lists.SIZE) -> list[str]:
    """As the first page of the list has them, of so many rows."""
    shown = lists.page(connection, resource, given, size=size)
    keys = [item[resource.key.name] for item in shown.items]
    return [action.name for action in offers(connection, resource, given, keys, whole=shown.next is None).actions]


def test_of_an_order_whose_emails_have_all_failed_none_can_be_sent_now(store: Store) -> None:
    with store.write() as connection:
        failed, mixed = add_order(connection, state=OrderState.COMPLETED), add_order(connection)
        for seq in (failed, failed, failed, mixed):
            add_email(connection, seq, **FAILED)
        add_email(connection, mixed, due_in=HOUR, attempts=1)
        ids = [connection.scalar(select(orders.c.id).where(orders.c.seq == seq)) for seq in (failed, mixed)]
        of_failed, of_mixed = ({"order": str(id_)} for id_ in ids)
        assert offered(connection, EMAILS, of_failed) == ["retry"]
        assert offered(connection, EMAILS, of_failed, size=2) == ["retry"], "other pages were looked at"
        assert offered(connection, EMAILS, of_mixed) == ["retry", "retry_now"]
        assert offered(connection, EMAILS, of_mixed, size=1) == ["retry", "retry_now"]
        assert offered(connection, EMAILS, {"state": EmailState.SUCCEEDED}) == []
        assert offered(connection, ORDERS, {"state": OrderState.COMPLETED}) == []


def test_a_state_is_known_by_any_of_its_spellings(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection)
        for due_in in (HOUR, -HOUR):
            add_email(connection, seq, due_in=due_in)
        for spelled in ("New", "new", ""):
            assert offered(connection, EMAILS, {"state": spelled}, size=1) == ["retry_now"], spelled


def test_nothing_applies_to_a_row_that_was_removed_since_the_page_was_read(store: Store) -> None:
    with store.read() as connection:
        gone = new_id(now())
        assert offers(connection, EMAILS, {}, [gone], whole=True).of_rows == {str(gone): ""}


def test_each_row_says_what_applies_to_it(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        for values in ({"due_in": HOUR}, FAILED, {"state": EmailState.SUCCEEDED, "due_at": None}):
            add_email(connection, seq, **values)
        items = lists.page(connection, EMAILS, {}).items
        found = offers(connection, EMAILS, {}, [item["id"] for item in items], whole=True)
    fits = {item["state"]: found.of_rows[str(item["id"])] for item in items}
    assert fits == {EmailState.NEW: "retry_now", EmailState.FAILED_BOUNCED: "retry", EmailState.SUCCEEDED: ""}


def test_beyond_what_a_page_looks_at_an_action_is_offered_unless_the_state_forbids_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write() as connection:
        fill(connection)
        for resource, states in STATES:
            mine = [action for action in ACTIONS if action.resource is resource and action.for_all]
            for given in ({}, *({"state": state} for state in (*GROUPS, *states))):
                applying = [each.name for each in mine if matching(connection, each, given).number]
                assert offered(connection, resource, given, size=1) == applying, (resource.name, given)
        monkeypatch.setattr(lists, "WINDOW", 2)
        for resource, states in STATES:
            mine = [action for action in ACTIONS if action.resource is resource and action.for_all]
            for state in states:
                given = {"state": state}
                applying = [each.name for each in mine if matching(connection, each, given).number]
                keys, _ = lists.batch(connection, resource, given, true(), None, 1)
                found = {each.name for each in offers(connection, resource, given, keys, whole=False).actions}
                assert found.issuperset(applying), (resource.name, given)
        assert offered(connection, EMAILS, {"state": EmailState.FAILED_BOUNCED}, size=1) == ["retry"]
        assert offered(connection, EMAILS, {"state": "failed"}, size=1) == ["retry"]


def fill(connection: Connection) -> None:
    """Rows in all sorts of states, several of each kind."""
    orders_: tuple[dict[str, Any], ...] = (
        {"due_in": HOUR},
        {"state": OrderState.OPEN, "due_in": HOUR},
        {"state": OrderState.PROCESSING, "due_in": HOUR},
        {"state": OrderState.SET_ASIDE, "due_at": None},
        {"state": OrderState.COMPLETED, "due_at": None},
        PAUSED,
    )
    emails: tuple[dict[str, Any], ...] = (
        {"due_in": HOUR},
        {"due_in": HOUR, "attempts": 1},
        {},
        FAILED,
        {"state": EmailState.FAILED_TTL, "due_at": None},
        {"state": EmailState.SUCCEEDED, "due_at": None},
        PAUSED,
    )
    for _ in range(2):
        for values in orders_:
            seq = add_order(connection, **values)
        for values in emails:
            add_email(connection, seq, **values)
    of = {"subscription_seq": add_subscription(connection, "https://receiver.example/hook")}
    persist(connection, [an_event(resource="urn:altinn:resource:nobodys")])
    of |= {"event_seq": connection.execute(select(events.c.seq)).scalar_one()}
    for state in DeliveryState:
        due_at = now() + HOUR if state == DeliveryState.WAITING else None
        row = of | {"state": state, "due_at": due_at, "created": now(), "last_update": now()}
        connection.execute(deliveries.insert(), [row, row])
