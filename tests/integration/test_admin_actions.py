"""Actions: to what they apply, what they change, what they refuse, and what they leave in the audit log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, func, select, update

from engine.admin import details, jobs
from engine.admin.actions import ACTIONS, act, find, perform, possible
from engine.admin.filters import parse
from engine.admin.jobs import matching, start
from engine.admin.resources import DELIVERIES, EMAILS, ORDERS, RESOURCES
from engine.db.tables import audit_log, deliveries, emails, events, job_rows, orders, subscriptions
from engine.db.tables import jobs as jobs_table
from engine.errors import BadRequest, Conflict, Invalid, NotFound
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, JobState, OrderState, new_id
from engine.queue import due
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from engine.admin.resources import Resource
    from engine.db.store import Store

HOUR = timedelta(hours=1)
LEASE = LONG
FAILED = [state for state in EmailState if state.startswith("Failed")]


def order(connection: Connection, **values: Any) -> UUID:
    seq = add_order(connection, **{"due_in": HOUR} | values)
    found: UUID = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
    return found


def email(connection: Connection, state: str = EmailState.NEW, **values: Any) -> UUID:
    its = values.pop("order", None) or add_order(connection, state=OrderState.COMPLETED)
    waits = state in (EmailState.NEW, EmailState.SENDING)
    given = {"state": state, "due_at": now() + HOUR if waits else None} | values
    seq = add_email(connection, its, **given)
    found: UUID = connection.execute(select(emails.c.id).where(emails.c.seq == seq)).scalar_one()
    return found


def delivery(connection: Connection, state: str, **values: Any) -> int:
    seq = add_subscription(connection, "https://receiver.example/hook")
    persist(connection, [an_event()])
    made: int = connection.scalar(select(func.max(deliveries.c.seq)).where(deliveries.c.subscription_seq == seq))
    given = {"state": state, "due_at": now() + HOUR if state == DeliveryState.WAITING else None} | values
    connection.execute(update(deliveries).where(deliveries.c.seq == made).values(given))
    return made


def row(connection: Connection, resource: Resource, key: Any) -> Row[Any]:
    return connection.execute(select(resource.table).where(resource.key == key)).one()


def names(connection: Connection, resource: Resource, key: Any) -> set[str]:
    return {action.name for action in possible(connection, resource, key)}


def test_of_an_order_its_state_says_what_can_be_done(store: Store) -> None:
    with store.write() as connection:
        for values, can in (
            ({}, {"cancel", "reschedule"}),
            ({"unresolved": 1, "state": OrderState.PROCESSING}, set()),
            ({"state": OrderState.PROCESSING, "attempts": 1}, {"retry"}),
            ({"state": OrderState.SET_ASIDE, "due_at": None}, {"retry"}),
            ({"state": OrderState.PROCESSED, "due_at": None}, set()),
            ({"state": OrderState.COMPLETED, "due_at": None}, {"resend"}),
            ({"state": OrderState.CANCELLED, "due_at": None}, {"resend"}),
            (PAUSED, {"cancel", "reschedule"}),
        ):
            assert names(connection, ORDERS, order(connection, **values)) == can, values


def test_of_an_email_its_state_says_what_can_be_done(store: Store) -> None:
    with store.write() as connection:
        assert names(connection, EMAILS, email(connection)) == {"retry_now"}
        assert names(connection, EMAILS, email(connection, due_at=now() - HOUR)) == set()
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
        key = order(connection, state=OrderState.SET_ASIDE, due_at=None)
        add_email(connection, row(connection, ORDERS, key).seq, state=EmailState.FAILED, due_at=None)
        assert names(connection, EMAILS, connection.scalar(select(emails.c.id))) == set()
        perform(connection, "anna", find("orders", "retry"), key)
        assert connection.scalar(select(func.count()).select_from(emails)) == 0
        assert row(connection, ORDERS, key).state == OrderState.REGISTERED


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
    argument = "now" if action.takes else None
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
        for wrong, says in (("90m", "or now"), ("2020-01-01", "is past"), ("9999-06-01", "too far away")):
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
            perform(connection, "anna", find("orders", "cancel"), key, "now")


def test_a_rescheduled_order_is_due_when_that_was_asked_for(store: Store) -> None:
    later = (now() + 5 * HOUR).replace(microsecond=0)
    with store.write() as connection:
        key = order(connection)
        perform(connection, "anna", find("orders", "reschedule"), key, later.isoformat())
        assert row(connection, ORDERS, key).due_at == row(connection, ORDERS, key).requested_send_time == later
        perform(connection, "anna", find("orders", "reschedule"), key, "now")
        assert row(connection, ORDERS, key).due_at <= now()
        details = connection.scalars(select(audit_log.c.detail).order_by(audit_log.c.seq)).all()
    assert [json.loads(detail) for detail in details] == [{"to": later.isoformat()}, {"to": "now"}]


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
        assert names(connection, ORDERS, key) == {"resend_failed", "resend"}
        perform(connection, "anna", find("orders", "resend_failed"), key)
        assert [row(connection, EMAILS, each).state for each in failed] == [EmailState.NEW] * len(failed)
        assert {key: row(connection, EMAILS, key) for key in untouched} == untouched
        assert row(connection, ORDERS, key).state == OrderState.PROCESSED
        assert connection.scalar(select(func.count()).select_from(orders)) == 2
        assert names(connection, ORDERS, key) == set(), "it is on its way: neither choice is there"
        for name in ("resend_failed", "resend"):
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
        perform(connection, "anna", find("orders", "resend_failed"), key)
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
        ("orders.resend", "orders.resend_failed"),
        ("orders.resend", "emails.resend"),
        ("orders.resend", "emails.retry"),
        ("emails.resend", "orders.resend"),
        ("orders.resend_failed", "orders.resend"),
    ],
)
def test_another_button_sends_nothing_a_second_time(store: Store, first: str, then: str) -> None:
    with store.write() as connection:
        key = order(connection, state=OrderState.COMPLETED, due_at=None)
        of = row(connection, ORDERS, key).seq
        has, failed = (email(connection, state, order=of) for state in (EmailState.SUCCEEDED, EmailState.FAILED))
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
        (OrderState.COMPLETED, [(EmailState.FAILED_RECIPIENT_RESERVED, "")], "have reserved"),
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
            perform(connection, "anna", find("orders", "resend_failed"), key)


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


def test_a_batch_of_a_job_reads_none_of_its_orders_texts(store: Store) -> None:
    read: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    with store.write() as connection:
        keys = [order(connection, state=OrderState.REGISTERED) for _ in range(2)]
        read.clear()
        assert len(act(connection, find("orders", "cancel"), keys, None)) == 2
    assert read
    assert not any("orders.body" in statement or "orders.recipients" in statement for statement in read)


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


def done(store: Store) -> int:
    """Work on the oldest job to its end; how many batches it took."""
    with store.write() as connection:
        held = jobs.claim(connection, LEASE)
    assert held is not None
    batches, more = 0, True
    while more:
        with store.write() as connection:
            more = jobs.advance(connection, held, LEASE)
        batches += 1
    return batches


def job(store: Store) -> Row[Any]:
    with store.read() as connection:
        return connection.execute(select(jobs_table).order_by(jobs_table.c.seq.desc())).first()  # type: ignore[return-value]


def test_all_that_match_are_done_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ROWS", 4)
    with store.write() as connection:
        for number in range(10):
            email(connection, EmailState.FAILED_BOUNCED, address=f"p{number}@one.example")
        left = email(connection, EmailState.FAILED_BOUNCED, address="p@other.example")
        given = {"recipient": "@one.example", "state": ""}
        assert matching(connection, find("emails", "retry"), given).number == 10
        seq = start(connection, "anna", find("emails", "retry"), given)
        line = connection.execute(select(audit_log)).one()
        assert (line.action, line.target) == ("emails.retry", f"jobs/{seq}")
        assert json.loads(line.detail) == {"filter": {"recipient": "@one.example"}, "count": 10}
    assert done(store) == 3
    ended = job(store)
    assert (ended.state, ended.total, ended.done, ended.due_at) == (JobState.DONE, 10, 10, None)
    with store.read() as connection:
        assert row(connection, EMAILS, left).state == EmailState.FAILED_BOUNCED
        assert details.email(connection, left)["history"] == []
        one = connection.scalars(select(emails.c.id).where(emails.c.address == "p7@one.example")).one()
        (line,) = details.email(connection, one)["history"]
        assert (line["who"], line["action"], line["detail"]) == ("anna", "emails.retry", {"job": seq})
        assert len(connection.execute(select(job_rows)).all()) == 10
        states = select(emails.c.state).where(emails.c.id != left)
        assert set(connection.scalars(states)) == {EmailState.NEW}


def test_what_changed_meanwhile_is_left_as_it_is(store: Store) -> None:
    with store.write() as connection:
        keys = [order(connection) for _ in range(3)]
        start(connection, "anna", find("orders", "cancel"), {})
        connection.execute(
            update(orders).where(orders.c.id == keys[0]).values(state=OrderState.PROCESSING, unresolved=1)
        )
    assert done(store) == 1
    assert (job(store).done, job(store).total) == (2, 3)


def test_rescheduling_all_moves_each_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is rescheduled stands further on in the list that the job walks through."""
    monkeypatch.setattr(jobs, "ROWS", 2)
    later = (now() + 9 * HOUR).replace(microsecond=0).isoformat()
    with store.write() as connection:
        for _ in range(5):
            order(connection)
        start(connection, "anna", find("orders", "reschedule"), {"state": "waiting"}, later)
    assert done(store) <= 4
    assert (job(store).done, job(store).total) == (5, 5)


def test_what_is_overdue_is_rescheduled_to_one_moment(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A moment of each batch's own would be further on in the list, batch after batch."""
    monkeypatch.setattr(jobs, "ROWS", 2)
    with store.write() as connection:
        for _ in range(5):
            order(connection, due_in=-HOUR)
        start(connection, "anna", find("orders", "reschedule"), {"state": "waiting"}, "now")
    assert done(store) <= 4
    assert (job(store).done, job(store).total) == (5, 5)
    with store.read() as connection:
        times = set(connection.scalars(select(orders.c.requested_send_time)))
    assert [now() - HOUR < time <= now() for time in times] == [True]


def test_a_job_whose_worker_died_is_gone_on_with_and_the_dead_one_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS", 2)
    with store.write() as connection:
        for _ in range(5):
            email(connection, EmailState.FAILED)
        start(connection, "anna", find("emails", "retry"), {})
        lost = jobs.claim(connection, timedelta(0))
    assert lost is not None
    with store.write() as connection:
        assert jobs.advance(connection, lost, timedelta(0))
    with store.write() as connection:
        assert jobs.claim(connection, LEASE) is not None
    with store.write() as connection:
        assert not jobs.advance(connection, lost, LEASE)  # its claim is not the newest any more
        assert job(store).done == 2
        connection.execute(update(jobs_table).values(due_at=now() - HOUR))
    assert done(store) == 2
    assert (job(store).state, job(store).done) == (JobState.DONE, 5)


def test_a_stopped_job_does_no_further_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ROWS", 1)
    with store.write() as connection:
        for _ in range(3):
            email(connection, EmailState.FAILED)
        seq = start(connection, "anna", find("emails", "retry"), {})
        held = jobs.claim(connection, LEASE)
        assert held is not None
        assert jobs.advance(connection, held, LEASE)
        jobs.stop(connection, "ola", seq)
        assert not jobs.advance(connection, held, LEASE)
        with pytest.raises(Conflict):
            jobs.stop(connection, "ola", seq)
        with pytest.raises(NotFound):
            jobs.stop(connection, "ola", 99)
        assert connection.scalar(select(func.count()).where(emails.c.state == EmailState.NEW)) == 1
        assert jobs.claim(connection, LEASE) is None
    assert (job(store).state, job(store).done) == (JobState.STOPPED, 1)


def test_how_long_ago_is_counted_from_the_beginning_of_a_job(store: Store) -> None:
    with store.write() as connection:
        before = now()
        start(connection, "anna", find("orders", "cancel"), {"creator": "ttd", "since": "24h", "until": " "})
        given = json.loads(connection.execute(select(jobs_table.c.filter)).scalar_one())
        assert given.keys() == {"creator", "since"}
        since = parse(given, ORDERS.fields, before + 30 * HOUR)["since"]
        assert before - HOUR < since + 24 * HOUR < before + HOUR


def test_more_than_a_job_may_do_is_refused_before_anything_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.jobs.MOST", 2)
    with store.write() as connection:
        for _ in range(3):
            order(connection)
        with pytest.raises(BadRequest, match="narrow the list down"):
            start(connection, "anna", find("orders", "cancel"), {})
        with pytest.raises(BadRequest, match="one at a time"):
            start(connection, "anna", find("orders", "resend"), {})
        with pytest.raises(Invalid):
            start(connection, "anna", find("orders", "cancel"), {"state": "nonsense"})
        assert connection.scalar(select(func.count()).select_from(jobs_table)) == 0
