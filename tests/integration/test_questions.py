"""Questions before actions that cannot be undone: their numbers are the database's."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, update

from engine.admin import details, jobs, questions
from engine.admin.actions import find
from engine.admin.pausing import LANES, drain, pause, pause_subscription, resume, resume_all
from engine.db.tables import email_attempts, emails, installation, orders, pauses
from engine.errors import Conflict, Invalid, NotFound
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.queue.epoch import look, restored
from engine.queue.pauses import in_force
from tests.helpers.claims import claim_emails
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

HOUR = timedelta(hours=1)
STANDS_DUE = {"state": EmailState.NEW, "due_at": now() - HOUR, "unresolved": 0}
RECIPIENTS = json.dumps([{"emailAddress": f"p{number}@example.no"} for number in range(7)])


def order(connection: Connection, **values: Any) -> tuple[int, UUID]:
    seq = add_order(connection, recipients=RECIPIENTS, **values)
    key: UUID = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
    return seq, key


def settled(connection: Connection) -> UUID:
    """An order to seven recipients: four have it, two failed, one of them in doubt, and one has no address."""
    seq, key = order(connection, state=OrderState.COMPLETED)
    for state in (EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.DELIVERED):
        add_email(connection, seq, state=state, due_at=None)
    add_email(connection, seq, state=EmailState.FAILED_BOUNCED, due_at=None)
    doubt = add_email(connection, seq, state=EmailState.FAILED, due_at=None)
    add_email(connection, seq, state=EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, due_at=None, address="")
    line = {"email_seq": doubt, "claim": 1, "at": now(), "duration_ms": 3, "relay": "relay:25", "reply": "lost"}
    connection.execute(insert(email_attempts).values(line | {"outcome": "in_doubt"}))
    return key


def test_before_an_order_is_sent_again_it_is_said_who_has_it(store: Store) -> None:
    with store.write() as connection:
        key = settled(connection)
        failed = questions.of_one(connection, find("orders", "retry_failed"), key)
        everybody = questions.of_one(connection, find("orders", "resend"), key)
        cancelled = questions.of_one(
            connection, find("orders", "resend"), order(connection, state=OrderState.CANCELLED)[1]
        )
    assert failed.title == "Retry 2 addresses that failed?"
    assert failed.lines[:3] == (
        "4 addresses have it, and get nothing.",
        "1 recipient cannot be reached by this, for want of an address; Send again looks for one anew.",
        "It is in doubt whether 1 e-mail arrived: it may come a second time.",
    )
    assert everybody.title == "Send again to all, 7 recipients?"
    assert everybody.lines[0] == "4 addresses have it already, and get it a second time."
    assert cancelled.lines[0] == "None of them has it yet."


def test_of_an_organisation_with_several_addresses_each_is_counted(store: Store) -> None:
    with store.write() as connection:
        recipients = json.dumps([{"organizationNumber": "910000000"}])
        seq, key = order(connection, state=OrderState.COMPLETED)
        connection.execute(update(orders).where(orders.c.seq == seq).values(recipients=recipients))
        for state in (EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.FAILED):
            add_email(connection, seq, state=state, due_at=None, organization_number="910000000")
        failed = questions.of_one(connection, find("orders", "retry_failed"), key)
        everybody = questions.of_one(connection, find("orders", "resend"), key)
    assert (failed.title, failed.lines[0]) == (
        "Retry 1 address that failed?",
        "2 addresses have it, and get nothing.",
    )
    assert everybody.title == "Send again to all, 1 recipient at 3 addresses?"


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
        assert (asked.number, retry.title) == (2, "Retry: 2 e-mails")
        assert retry.lines[0].startswith("It is in doubt whether 1 e-mail")
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
        assert questions.of_resume(connection, "domain", "Slow.example").lines[1:] == ("Goes out at once: 2 e-mails.",)
        pause(connection, "anna", "creator", "ttd")
        assert questions.of_resume(connection, "creator", "ttd").title == "Resume what ttd orders?"


def test_before_a_pause_ends_it_is_said_who_made_it_since_when_until_when_and_why(store: Store) -> None:
    with store.write() as connection:
        pause(connection, "anna", "domain", "slow.example", "their server is down", now() + HOUR)
        row = connection.execute(select(pauses)).one()
        asked = questions.of_resume(connection, "domain", "slow.example")
        since, until = (f"{at:%Y-%m-%d %H:%M} UTC" for at in (row.at, row.ends))
        of_domain = "Mail to slow.example is paused by anna"
        assert asked.lines[0] == f"{of_domain} since {since}, until {until}: their server is down."
        pause(connection, "ola", "lane", "emails")
        asked = questions.of_resume(connection, "lane", "emails")
        assert asked.lines[0].startswith("All e-mails are paused by ola since 2")
        assert asked.lines[0].endswith(" UTC, without an end.")
        seq = add_subscription(connection, "https://receiver.example/hook")
        pause_subscription(connection, "anna", seq, "their weekend")
        why, who, *_ = questions.of_subscription(connection, seq).lines
        assert why == "Paused by an operator: their weekend"
        assert who.startswith("It has been paused since 2")
        assert who.endswith(" UTC, by anna.")


def test_before_a_restored_database_goes_on_it_is_said_what_is_done_again(store: Store) -> None:
    with store.write() as connection:
        with pytest.raises(Conflict):
            questions.of_restored(connection)
        name, mark = look(connection, {})
        add_email(connection, add_order(connection))
        look(connection, {name: mark + HOUR})
        assert questions.of_restored(connection).lines == (
            "Goes out at once: 1 e-mail.",
            "Of that, perhaps done before the restore, and then done a second time: 1 e-mail.",
        )


def test_what_goes_out_is_what_no_other_pause_stops(store: Store) -> None:
    """Before and after a claim has looked at it."""
    nothing = ("Nothing goes out at once.",)

    def lines(connection: Connection, kind: str, value: str) -> tuple[str, ...]:
        return questions.of_resume(connection, kind, value).lines[1:]

    with store.write() as connection:
        seq, _ = order(connection, due_in=-HOUR)
        for number in range(8):
            add_email(connection, seq, address=f"{number}@{'slow' if number < 5 else 'quick'}.example")
        pause(connection, "anna", "domain", "slow.example")
        for claim in (None, claim_emails):
            if claim:
                claim(connection, LONG)
                connection.execute(emails.update().where(emails.c.due_at.is_not(None)).values(STANDS_DUE))
            assert lines(connection, "domain", "Slow.example") == ("Goes out at once: 5 e-mails.",)
            pause(connection, "anna", "lane", "emails")
            assert lines(connection, "lane", "emails") == ("Goes out at once: 3 e-mails.",)
            assert lines(connection, "domain", "slow.example") == nothing
            pause(connection, "anna", "creator", "ttd")
            assert lines(connection, "lane", "emails") == nothing
            assert lines(connection, "creator", "ttd") == ("Goes out at once: 1 order.",)
            resume(connection, "anna", "lane", "emails")
            assert lines(connection, "creator", "ttd") == ("Goes out at once: 1 order, 3 e-mails.",)
            assert lines(connection, "domain", "slow.example") == nothing
            resume(connection, "anna", "creator", "ttd")


def test_a_domain_is_the_same_whatever_its_case(store: Store) -> None:
    with store.write() as connection:
        seq, _ = order(connection)
        for address in ("a@BLÅBÆR.example", "b@blåbær.example", "c@sub.blåbær.example"):
            add_email(connection, seq, address=address)
        pause(connection, "anna", "domain", "blåbær.example")
        claim_emails(connection, LONG)
        asked = questions.of_resume(connection, "domain", "BLÅBÆR.example")
        assert asked.lines[1:] == ("Goes out at once: 2 e-mails.",)


def test_after_a_restore_the_question_counts_all_that_leaves_and_nothing_that_stays(store: Store) -> None:
    with store.write() as connection:
        look(connection, {})
        add_email(connection, order(connection)[0])
        restored(connection)
        before = connection.execute(select(installation.c.seen)).scalar_one()
        connection.execute(update(installation).values(seen=before - HOUR))
        order(connection, due_in=timedelta(seconds=-5))
        add_subscription(connection, "https://receiver.example/hook", paused_reason="by its consumer", due_at=None)
        persist(connection, [an_event()])
        asked = questions.of_restored(connection)
        assert asked.lines == (
            "Goes out at once: 1 order, 1 e-mail.",
            "Of that, perhaps done before the restore, and then done a second time: nothing.",
        )
        connection.execute(update(installation).values(seen=before))
        pause(connection, "anna", "creator", "ttd")
        assert questions.of_restored(connection).lines[0] == "Nothing goes out at once."


def test_before_all_lanes_go_on_it_is_said_what_goes_out(store: Store) -> None:
    with store.write() as connection:
        with pytest.raises(Conflict):
            questions.of_resume_all(connection)
        add_email(connection, order(connection, due_in=-HOUR)[0])
        drain(connection, "anna", LANES)
        asked = questions.of_resume_all(connection)
        assert asked.title == "Resume all orders, all e-mails, all fan-outs, all webhooks?"
        assert asked.lines[len(LANES) :] == ("Goes out at once: 1 order, 1 e-mail.",)
        assert all("are paused by anna since" in line for line in asked.lines[: len(LANES)])
        resume_all(connection, "anna")
        assert not in_force(connection).lanes


def test_a_question_counts_up_to_a_bound_and_the_yes_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.admin.jobs.COUNTED", 2)
    cancel = find("orders", "cancel")
    with store.write() as connection:
        for _ in range(4):
            add_order(connection, due_in=HOUR)
        asked, question = questions.of_all(connection, cancel, {})
        assert question.title == "Cancel: 2+ orders"
        job = jobs.start(connection, "anna", cancel, {}, counted=jobs.confirmed(connection, cancel, {}, asked))
        assert details.job(connection, job)["total"] == 4


def test_where_not_all_were_looked_at_any_may_come_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.admin.jobs.COUNTED", 2)
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED)
        for _ in range(3):
            add_email(connection, seq, state=EmailState.FAILED, due_at=None)
        _, retry = questions.of_all(connection, find("emails", "retry"), {"state": "failed"})
    assert retry.title == "Retry: 2+ e-mails"
    assert retry.lines == ("Not all were looked at: some may have arrived already, and come a second time.",)
