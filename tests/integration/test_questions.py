"""What is asked before something is done that cannot be undone: the numbers are the database's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from engine.admin import questions
from engine.admin.actions import find
from engine.admin.pausing import LANES, pause
from engine.emails import _claim as claim_emails
from engine.epoch import look
from engine.errors import Conflict, Invalid, NotFound
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.tables import attempts_log, emails, orders
from tests.servers.rows import add_email, add_order, add_subscription, an_event, now
from tests.servers.waiting import LONG

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.store import Store

HOUR = timedelta(hours=1)
RECIPIENTS = json.dumps([{"emailAddress": f"p{number}@example.no"} for number in range(7)])


def order(connection: Connection, **values: Any) -> tuple[int, UUID]:
    seq = add_order(connection, recipients=RECIPIENTS, **values)
    key: UUID = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
    return seq, key


def settled(connection: Connection) -> UUID:
    """An order of seven: four have it, two failed, one of them in doubt, and one has no address."""
    seq, key = order(connection, state=OrderState.COMPLETED)
    for state in (EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.DELIVERED):
        add_email(connection, seq, state=state, due_at=None)
    add_email(connection, seq, state=EmailState.FAILED_BOUNCED, due_at=None)
    doubt = add_email(connection, seq, state=EmailState.FAILED, due_at=None)
    add_email(connection, seq, state=EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, due_at=None, address="")
    line = {"email_seq": doubt, "claim": 1, "at": now(), "duration_ms": 3, "relay": "relay:25", "reply": "lost"}
    connection.execute(insert(attempts_log).values(line | {"outcome": "in_doubt"}))
    return key


def test_before_an_order_is_sent_again_it_is_said_who_has_it(store: Store) -> None:
    with store.write() as connection:
        key = settled(connection)
        failed = questions.of_one(connection, find("orders", "resend_failed"), key)
        everybody = questions.of_one(connection, find("orders", "resend"), key)
        cancelled = questions.of_one(
            connection, find("orders", "resend"), order(connection, state=OrderState.CANCELLED)[1]
        )
    assert failed.title == "Send again to 2 recipients who did not get it?"
    assert failed.lines[:3] == (
        "4 recipients have it, and get nothing.",
        "1 recipient cannot be reached by this: with no address, only a new order looks one up again.",
        "Of 1 e-mail it is in doubt whether it arrived: it may come a second time.",
    )
    assert everybody.title == "Send again to everybody, 7 recipients?"
    assert everybody.lines[0] == "4 recipients have it already, and get it a second time."
    assert cancelled.lines[0] == "None of them has it yet."


def test_before_an_order_is_cancelled_or_rescheduled_it_is_said_for_whom_and_when(store: Store) -> None:
    later = now().replace(microsecond=0) + 5 * HOUR
    with store.write() as connection:
        _, key = order(connection, due_in=HOUR)
        assert "7 recipients" in questions.of_one(connection, find("orders", "cancel"), key).title
        asked = questions.of_one(connection, find("orders", "reschedule"), key, later.isoformat())
        assert (asked.at, asked.before) == (later, connection.scalar(select(orders.c.requested_send_time)))
        with pytest.raises(Invalid):
            questions.of_one(connection, find("orders", "reschedule"), key, "soon")
        with pytest.raises(Conflict):
            questions.of_one(connection, find("orders", "resend"), key)
        with pytest.raises(NotFound):
            questions.of_one(connection, find("orders", "cancel"), new_id(now()))


def test_before_something_is_done_to_many_it_is_said_to_how_many(store: Store) -> None:
    with store.write() as connection:
        for _ in range(3):
            order(connection, due_in=HOUR)
        settled(connection)
        asked, cancel = questions.of_all(connection, find("orders", "cancel"), {})
        assert (asked.number, cancel.title, cancel.lines) == (3, "Cancel: 3 orders", ("To 21 recipients.",))
        asked, retry = questions.of_all(connection, find("emails", "retry"), {"state": "failed"})
        assert (asked.number, retry.title) == (2, "Try again: 2 e-mails")
        assert retry.lines[0].startswith("Of 1 e-mail it is in doubt")
        assert questions.of_all(connection, find("emails", "retry"), {"recipient": "@other.example"})[0].number == 0


def test_of_very_long_lists_the_recipients_are_not_added_up(store: Store) -> None:
    recipients = json.dumps([{"emailAddress": "kari@example.no"}] * 10_000)
    with store.write() as connection:
        for _ in range(8_000_000 // len(recipients) + 2):
            add_order(connection, due_in=HOUR, recipients=recipients)
        assert questions.of_all(connection, find("orders", "cancel"), {})[1].lines == ()


def test_before_lanes_are_paused_or_go_on_it_is_said_what_stays_and_what_goes_out(store: Store) -> None:
    with store.write() as connection:
        seq, _ = order(connection, due_in=HOUR)
        add_email(connection, seq, due_in=HOUR, state=EmailState.SENDING, unresolved=1)
        for number in range(5):
            add_email(connection, seq, address=f"{number}@{'slow' if number < 2 else 'quick'}.example")
        add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event(), an_event()])
        busy, left, _ = questions.of_drain(connection, LANES).lines
        assert busy == "In flight, and ended first: 1 e-mail."
        assert left.startswith("Not done until each lane is resumed: 1 order, 5 e-mails, 2 webhooks,")
        with pytest.raises(Invalid):
            questions.of_drain(connection, ("sms",))
        with pytest.raises(Conflict):
            questions.of_resume(connection, "lane", "emails")
        pause(connection, "anna", "domain", "slow.example")
        claim_emails(connection, LONG)
        assert questions.of_resume(connection, "domain", "Slow.example").lines == ("Goes out at once: 2 e-mails.",)
        pause(connection, "anna", "creator", "ttd")
        assert questions.of_resume(connection, "creator", "ttd").lines == ("Goes out at once: 2 e-mails.",)
        connection.execute(emails.update().where(emails.c.state == EmailState.SENDING).values(due_at=now() - HOUR))
        pause(connection, "anna", "lane", "emails")
        assert questions.of_resume(connection, "lane", "emails").lines == ("Goes out at once: 4 e-mails.",)
        assert questions.of_resume(connection, "lane", "emails").title == "Let the lane emails go on?"


def test_before_a_restored_database_goes_on_it_is_said_what_is_done_again(store: Store) -> None:
    with store.write() as connection:
        with pytest.raises(Conflict):
            questions.of_restored(connection)
        name, mark = look(connection, {})
        add_email(connection, add_order(connection))
        look(connection, {name: mark + HOUR})
        assert questions.of_restored(connection).lines[0].startswith("Done at once: 0 orders, 1 e-mail, 0 webhooks.")
