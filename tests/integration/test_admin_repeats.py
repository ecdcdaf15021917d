"""Sending again: operators' requests have effect once each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, func, select, update

from engine.admin.actions import act, find, perform
from engine.admin.resources import EMAILS, ORDERS
from engine.db.tables import audit_log, emails, orders
from engine.errors import Conflict
from engine.models import EmailState, OrderState
from engine.queue import due
from tests.helpers.admin_rows import FAILED, HOUR, LEASE, email, names, order, row
from tests.helpers.rows import add_order, now

if TYPE_CHECKING:
    from engine.admin.resources import Resource
    from engine.db.store import Store


def test_sending_again_is_a_new_series_and_opens_the_order(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED)
        key = email(connection, EmailState.FAILED_TTL, order=of, attempts=9, expires_at=now() - HOUR)
        perform(connection, "anna", find("emails", "retry"), key)
        found = row(connection, EMAILS, key)
        assert (found.state, found.attempts, found.unresolved) == (EmailState.NEW, 0, 0)
        assert found.due_at <= now() < found.expires_at
        assert connection.scalar(select(orders.c.state).where(orders.c.seq == of)) == OrderState.PROCESSED
        assert len(due.claim(connection, due.EMAILS, 10, LEASE)) == 1


def test_an_order_can_be_ordered_again_and_stays_as_it_was(store: Store) -> None:
    with store.write() as connection:
        key = order(connection, state=OrderState.COMPLETED, due_at=None, attempts=3, claim=7, senders_reference="r")
        before = row(connection, ORDERS, key)
        perform(connection, "anna", find("orders", "resend"), key)
        assert row(connection, ORDERS, key) == before
        copy = connection.execute(select(orders).where(orders.c.id != key)).one()
    assert (copy.state, copy.attempts, copy.unresolved) == (OrderState.REGISTERED, 0, 0)
    assert copy.due_at <= now()
    for name in ("creator", "senders_reference", "subject", "body", "recipients", "guarantee", "sender"):
        assert getattr(copy, name) == getattr(before, name)


def test_an_order_is_sent_again_to_those_who_did_not_get_it_and_to_nobody_else(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED)
        has = [email(connection, state, order=of) for state in (EmailState.SUCCEEDED, EmailState.DELIVERED)]
        failed = [email(connection, state, order=of, attempts=2) for state in FAILED]
        nowhere = email(connection, EmailState.FAILED_RECIPIENT_RESERVED, order=of, address="")
        another = email(connection, EmailState.FAILED)
        untouched = {key: row(connection, EMAILS, key) for key in (*has, nowhere, another)}
        key = connection.scalar(select(orders.c.id).where(orders.c.seq == of))
        assert key
        assert names(connection, ORDERS, key) == {"retry_failed", "resend_failed", "resend"}
        perform(connection, "anna", find("orders", "retry_failed"), key)
        assert [row(connection, EMAILS, each).state for each in failed] == [EmailState.NEW] * len(failed)
        assert {key: row(connection, EMAILS, key) for key in untouched} == untouched
        assert row(connection, ORDERS, key).state == OrderState.PROCESSED
        assert connection.scalar(select(func.count()).select_from(orders)) == 2
        assert names(connection, ORDERS, key) == {"withdraw"}, "it is on its way: neither choice is there"
        for name in ("retry_failed", "resend_failed", "resend"):
            with pytest.raises(Conflict, match="still on its way"):
                perform(connection, "anna", find("orders", name), key)


def test_an_order_with_many_who_did_not_get_it_is_sent_again_by_statements_of_one_size(store: Store) -> None:
    most: list[int] = []
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED)
        failed = [email(connection, EmailState.FAILED, order=of) for _ in range(30)]
        key = connection.scalar(select(orders.c.id).where(orders.c.seq == of))
        assert key
        event.listen(store.engine, "before_cursor_execute", lambda *given: most.append(len(given[3])))
        perform(connection, "anna", find("orders", "retry_failed"), key)
        assert 0 < max(most) < 30, "databases have a most of parameters"
        assert {row(connection, EMAILS, each).state for each in failed} == {EmailState.NEW}


@pytest.mark.parametrize("resource", [ORDERS, EMAILS], ids=lambda resource: resource.name)
def test_a_second_click_orders_nothing_a_second_time(store: Store, resource: Resource) -> None:
    with store.write() as connection:
        of_order = order(connection, state=OrderState.COMPLETED, due_at=None)
        key = of_order if resource is ORDERS else email(connection, EmailState.SUCCEEDED)
        count = connection.scalar(select(func.count()).select_from(orders))
        assert count
        perform(connection, "anna", find(resource.name, "resend"), key)
    for who in ("anna", "ola"):
        with pytest.raises(Conflict, match="a minute ago"), store.write() as connection:
            perform(connection, who, find(resource.name, "resend"), key)
    with store.write() as connection:
        assert connection.scalar(select(func.count()).select_from(orders)) == count + 1
        connection.execute(update(audit_log).values(at=now() - HOUR))
        perform(connection, "ola", find(resource.name, "resend"), key)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("orders.resend", "orders.retry_failed"),
        ("orders.resend", "orders.resend_failed"),
        ("orders.resend_failed", "orders.retry_failed"),
        ("orders.resend", "emails.resend"),
        ("orders.resend", "emails.retry"),
        ("emails.resend", "orders.resend"),
        ("orders.retry_failed", "orders.resend"),
    ],
)
def test_another_button_sends_nothing_a_second_time(store: Store, first: str, then: str) -> None:
    with store.write() as connection:
        both = json.dumps([{"emailAddress": "kari@example.no"}, {"emailAddress": "ola@example.no"}])
        key = order(connection, state=OrderState.COMPLETED, due_at=None, recipients=both)
        of = row(connection, ORDERS, key).seq
        has = email(connection, EmailState.SUCCEEDED, order=of)
        failed = email(connection, EmailState.FAILED, order=of, address="ola@example.no")
        keys = {"orders": key, "emails.resend": has, "emails.retry": failed}

        def do(who: str, name: str) -> None:
            resource, _, action = name.partition(".")
            perform(connection, who, find(resource, action), keys.get(name, keys["orders"]))

        do("anna", first)
        settled = {"state": EmailState.FAILED, "due_at": None}
        connection.execute(update(emails).where(emails.c.id == failed).values(settled))
        connection.execute(update(orders).where(orders.c.id == key).values(state=OrderState.COMPLETED))
        with pytest.raises(Conflict, match="a minute ago"):
            do("ola", then)


def test_what_fails_again_is_tried_again_and_another_mail_of_the_order_has_its_own_turn(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED)
        failed = email(connection, EmailState.FAILED, order=of)
        for _ in range(2):
            perform(connection, "anna", find("emails", "retry"), failed)
            connection.execute(update(emails).values(state=EmailState.FAILED, due_at=None))
        for _ in range(2):
            perform(connection, "anna", find("emails", "resend"), email(connection, EmailState.SUCCEEDED, order=of))


@pytest.mark.parametrize(
    ("state", "its", "says"),
    [
        (OrderState.SET_ASIDE, [], "was set aside"),
        (OrderState.PROCESSED, [], "is still on its way"),
        (OrderState.CANCELLED, [], "was cancelled"),
        (OrderState.REGISTERED, [], "waits for its send time"),
        (OrderState.COMPLETED, [(EmailState.SUCCEEDED, "a@b.no")], "everybody has it"),
        (OrderState.COMPLETED, [(EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, "")], "post a new order for them"),
        (OrderState.COMPLETED, [(EmailState.FAILED_RECIPIENT_RESERVED, "")], "have declined"),
    ],
)
def test_an_order_that_cannot_be_sent_again_to_some_says_the_one_reason(
    store: Store, state: str, its: list[tuple[str, str]], says: str
) -> None:
    with store.write() as connection:
        key = order(connection, state=state)
        for email_state, address in its:
            email(connection, email_state, order=row(connection, ORDERS, key).seq, address=address)
        with pytest.raises(Conflict, match=f"; this one .*{says}"):
            perform(connection, "anna", find("orders", "retry_failed"), key)


def test_what_is_done_to_emails_reads_none_of_their_texts(store: Store) -> None:
    read: list[str] = []
    with store.write() as connection:
        keys = [email(connection, EmailState.FAILED, subject="Hei", body="Hei!") for _ in range(3)]
        event.listen(store.engine, "before_cursor_execute", lambda *given: read.append(given[2]))
        act(connection, find("emails", "retry"), keys, None)
    assert read
    assert not [statement for statement in read if "emails.body" in statement]


def test_a_second_mail_says_what_the_first_said(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED, subject="Hei $recipientName$", body="$recipientName$!")
        key = email(connection, EmailState.SUCCEEDED, order=of, subject="Hei Kari", body="Kari!")
        perform(connection, "anna", find("emails", "resend"), key)
        copy = connection.execute(select(orders).where(orders.c.seq != of)).one()
    assert (copy.subject, copy.body) == ("Hei Kari", "Kari!")


def test_a_mail_that_arrived_is_sent_again_to_its_address_alone(store: Store) -> None:
    recipients = '[{"emailAddress":"a@example.no"},{"emailAddress":"b@example.no"}]'
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED, recipients=recipients)
        key = email(connection, EmailState.SUCCEEDED, order=of, address="b@example.no")
        perform(connection, "anna", find("emails", "resend"), key)
        copy = connection.execute(select(orders).where(orders.c.seq != of)).one()
    assert json.loads(copy.recipients) == [{"emailAddress": "b@example.no"}]
    assert copy.state == OrderState.REGISTERED


def test_a_mail_with_keywords_is_sent_again_with_its_recipients_name(store: Store) -> None:
    texts: dict[str, Any] = {"subject": "Til $recipientName$", "body": "<p>$recipientName$</p>", "content_type": "Html"}
    with store.write() as connection:
        of = add_order(connection, state=OrderState.COMPLETED, **texts)
        key = email(connection, EmailState.SUCCEEDED, order=of, recipient_name="Fjell & Fjord")
        perform(connection, "anna", find("emails", "resend"), key)
        copy = connection.execute(select(orders).where(orders.c.seq != of)).one()
    assert (copy.subject, copy.body) == ("Til Fjell & Fjord", "<p>Fjell &amp; Fjord</p>")
