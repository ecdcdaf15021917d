"""The page of each kind of row, with all that belongs to it and a text that says why it waits."""

from __future__ import annotations

from datetime import timedelta
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, insert, select, update

from engine.admin import details
from engine.admin.masking import MASKED, masked
from engine.admin.pausing import pause, pause_subscription
from engine.db.tables import deliveries, delivery_attempts, email_attempts, emails, orders, processes, subscriptions
from engine.errors import NotFound
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState, new_id
from engine.observability.audit import note
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection, Table

    from engine.db.store import Store

HOUR = timedelta(hours=1)


def id_of(connection: Connection, table: Table, seq: int) -> UUID:
    found: UUID = connection.execute(select(table.c.id).where(table.c.seq == seq)).scalar_one()
    return found


def attempt(connection: Connection, email_seq: int, outcome: str, code: int | None, reply: str) -> None:
    line = {"email_seq": email_seq, "claim": 1, "at": now(), "duration_ms": 12, "relay": "relay.example:25"}
    line |= {"outcome": outcome, "phase": "rcpt", "code": code, "reply": reply}
    connection.execute(insert(email_attempts).values(line))


def why_order(connection: Connection, **values: Any) -> str | None:
    seq = add_order(connection, **values)
    found: str | None = details.order(connection, id_of(connection, orders, seq))["why"]
    return found


def why_email(connection: Connection, seq: int) -> str | None:
    found = details.email(connection, id_of(connection, emails, seq))
    return f"{found['why']} {found['answer']}" if found["answer"] else found["why"]


def test_an_order_tells_what_to_do_about_recipients_without_a_known_address(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED)
        for _ in range(2):
            state = EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED
            add_email(connection, seq, state=state, due_at=None, address="")
        found = details.order(connection, id_of(connection, orders, seq))
    assert found["why"] == "No address of 2 recipients was known. When it is, post a new order for them."


def test_why_an_order_waits(store: Store) -> None:
    with store.write() as connection:
        assert why_order(connection, due_in=HOUR) == "Waits for its send time."
        assert str(why_order(connection, due_in=-HOUR)).startswith("It is due and waits for its turn:")
        assert why_order(connection, due_in=HOUR, state=OrderState.PROCESSING, unresolved=1) == "A worker works on it."
        asked = why_order(connection, due_in=HOUR, state=OrderState.PROCESSING, condition_endpoint="https://a.no")
        assert str(asked).startswith("Its send condition")
        failed = why_order(connection, due_in=HOUR, state=OrderState.PROCESSING)
        assert str(failed).startswith("An attempt to process it ended in an error")
        assert str(why_order(connection, state=OrderState.SET_ASIDE)).startswith("Set aside: five workers")
        assert why_order(connection, state=OrderState.COMPLETED) is None
        assert why_order(connection, **PAUSED) == "It is being released."
        pause(connection, "anna", "creator", "ttd")
        assert why_order(connection, **PAUSED) == "What ttd orders is paused."
        pause(connection, "anna", "lane", "orders")
        assert why_order(connection, due_in=HOUR) == "All orders are paused."


def test_why_an_email_waits_or_failed(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection)
        new = add_email(connection, of, due_in=-HOUR)
        assert str(why_email(connection, new)).startswith("It is due and waits for its turn:")
        attempt(connection, new, "deferred", 451, "4.7.1 greylisted,\r\ncome back")
        assert str(why_email(connection, new)).startswith("It is due")
        connection.execute(update(emails).values(due_at=now() + HOUR, attempts=1))
        assert why_email(connection, new) == (
            "The relay relay.example:25 did not take it when it was told the recipient; it is tried again by"
            " itself. It said: 451 4.7.1 greylisted, come back."
        )
        sending = add_email(connection, of, state=EmailState.SENDING, due_in=HOUR)
        assert why_email(connection, sending) == "A worker works on it."
        lost = add_email(connection, of, state=EmailState.SENDING)
        assert str(why_email(connection, lost)).startswith("It is due"), "its worker has ended"
        failed = add_email(connection, of, state=EmailState.FAILED_BOUNCED, due_at=None)
        assert why_email(connection, failed) is None
        attempt(connection, failed, "rejected", 550, "5.1.1 no such user.")
        assert str(why_email(connection, failed)).endswith("it is not tried again. It said: 550 5.1.1 no such user.")
        reserved = add_email(connection, of, state=EmailState.FAILED_RECIPIENT_RESERVED, due_at=None, address="")
        assert "declined electronic" in str(why_email(connection, reserved))
        unknown = add_email(connection, of, state=EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, due_at=None, address="")
        assert "contact directory" in str(why_email(connection, unknown))
        sent = add_email(connection, of, state=EmailState.SUCCEEDED, due_at=None)
        assert why_email(connection, sent) is None


def test_why_an_email_is_held_back(store: Store) -> None:
    with store.write() as connection:
        seq = add_email(connection, add_order(connection), **PAUSED, address="Kari@Slow.Example")
        assert why_email(connection, seq) == "It is being released."
        pause(connection, "anna", "domain", "slow.example")
        assert why_email(connection, seq) == "Mail to slow.example is paused."
        pause(connection, "anna", "creator", "ttd")
        assert why_email(connection, seq) == "What ttd orders is paused."
        pause(connection, "anna", "lane", "emails")
        assert why_email(connection, seq) == "All e-mails are paused."


def test_a_relay_that_cannot_be_reached_is_why(store: Store) -> None:
    with store.write() as connection:
        seq = add_email(connection, add_order(connection), due_in=-HOUR)
        worker = {
            "id": new_id(now()),
            "kind": "worker",
            "host": "h",
            "pid": 1,
            "version": "1",
            "started": now(),
            "seen": now(),
        }
        worker |= {"relay": "relay.example:25", "trouble": "connection refused", "trouble_since": now()}
        connection.execute(insert(processes).values(worker))
        assert why_email(connection, seq) == "The relay relay.example:25 cannot be used: connection refused"
        connection.execute(update(processes).values(seen=now() - HOUR))
        assert str(why_email(connection, seq)).startswith("It is due"), "of a worker that is gone, it is no news"


def test_why_a_delivery_waits_or_was_given_up(store: Store) -> None:
    with store.write() as connection:
        subscription = add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event()])
        seq = connection.scalar(select(func.max(deliveries.c.seq)))
        assert seq

        def why(**values: Any) -> str | None:
            if values:
                connection.execute(update(deliveries).values(values))
            found = details.delivery(connection, seq)
            return f"{found['why']} {found['answer']}" if found["answer"] else found["why"]

        assert str(why(due_at=now() - HOUR)).startswith("It is due and waits for a worker.")
        assert str(why(due_at=now() + HOUR)).startswith("The last attempt did not succeed")
        connection.execute(update(subscriptions).values(open_until=now() + HOUR))
        assert str(why(due_at=now() + HOUR)).startswith("The endpoint has failed several times")
        pause_subscription(connection, "anna", subscription, "weekend")
        assert why() == "The subscription is paused: Paused by an operator: weekend"
        pause(connection, "anna", "lane", "webhooks")
        assert why() == "All webhooks are paused."
        connection.execute(update(subscriptions).values(removed=now()))
        assert why() == "Its subscription was removed: nothing more is pushed to it."
        assert details.delivery(connection, seq)["standing"] is None, "as in no list and no count"
        connection.execute(update(subscriptions).values(removed=None))
        assert why(state=DeliveryState.DELIVERED, due_at=None) is None
        assert str(why(state=DeliveryState.DEAD)).startswith("Given up after its last attempt.")
        line = {"delivery_seq": seq, "at": now(), "duration_ms": 9, "outcome": "deferred", "status": 503}
        connection.execute(insert(delivery_attempts).values(line | {"reply": "down for\nmaintenance"}))
        assert str(why()).endswith("Replay it when the cause is gone. The endpoint's answer: 503 down for maintenance.")


def test_the_last_mail_of_a_large_order_leads_to_its_event(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection)
        order = connection.execute(select(orders)).one()
        mails = [new_id(now()) for _ in range(details.LINKED)]
        its = id_of(connection, emails, add_email(connection, seq, state=EmailState.FAILED, due_at=None))
        persist(connection, [email_event(order, mail, EmailState.SUCCEEDED, now()) for mail in mails])
        persist(connection, [email_event(order, its, EmailState.FAILED, now())])
        assert [event["type"] for event in details.email(connection, its)["events"]] == ["no.varsel.email.failed"]


def test_an_order_leads_to_its_mails_its_events_and_who_did_what(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, recipients="[" + ",".join(['{"emailAddress":"a@b.no"}'] * 150) + "]")
        for state in (EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.FAILED):
            mail = add_email(connection, seq, state=state, due_at=None)
        row = connection.execute(select(orders)).one()
        its = connection.execute(select(emails).where(emails.c.seq == mail)).one()
        told = [
            email_event(row, its.id, EmailState.FAILED, now()),
            order_event(row, OrderState.COMPLETED, now()),
            an_event(),
        ]
        persist(connection, told)
        note(connection, "anna", "orders.resend", f"orders/{row.id}")
        note(connection, "ola", "emails.retry", f"emails/{its.id}")
        found = details.order(connection, row.id)
        assert found["emails"] == {EmailState.SUCCEEDED: 2, EmailState.FAILED: 1}
        assert (found["recipient_count"], len(found["recipients"])) == (150, details.LINKED)
        assert [event["type"] for event in found["events"]] == ["no.varsel.email.failed", "no.varsel.order.completed"]
        assert [(line["who"], line["action"]) for line in found["history"]] == [("anna", "orders.resend")]
        of_mail = details.email(connection, its.id)
        assert [event["type"] for event in of_mail["events"]] == ["no.varsel.email.failed"]
        assert [line["who"] for line in of_mail["history"]] == ["ola"]
        event = details.event(connection, found["events"][0]["seq"])
        assert f'"{row.id}"' in event["text"]
        assert event["deliveries"] == []


def test_the_newest_attempts_are_shown_the_oldest_first(store: Store) -> None:
    with store.write() as connection:
        seq = add_email(connection, add_order(connection))
        for number in range(details.TIMELINE + 3):
            attempt(connection, seq, "deferred", 451, f"answer {number}")
        shown = details.email(connection, id_of(connection, emails, seq))["timeline"]
    assert [line["reply"] for line in shown] == [f"answer {number}" for number in range(3, details.TIMELINE + 3)]


def test_a_message_is_made_as_the_relay_would_get_it(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, subject="Blåbær", body="<p>Hei, æøå</p>", content_type="Html")
        seq = add_email(connection, of, address="kari@example.no")
        key = id_of(connection, emails, seq)
        message: Any = message_from_bytes(details.message(connection, key), policy=policy.default)
        assert (message["To"], message["Subject"]) == ("kari@example.no", "Blåbær")
        assert str(message["Message-ID"]) == details.email(connection, key)["message_id"]
        assert "Hei, æøå" in message.get_body(("html",)).get_content()
        assert "Hei, æøå" in message.get_body(("plain",)).get_content()


@pytest.mark.parametrize("resource", ["order", "email", "message", "event", "subscription", "delivery", "job"])
def test_what_is_not_there_is_not_found(store: Store, resource: str) -> None:
    key: Any = new_id(now()) if resource in ("order", "email", "message") else 4711
    with store.read() as connection, pytest.raises(NotFound, match=str(key)):
        getattr(details, resource)(connection, key)


def test_a_viewer_sees_states_and_codes_but_nobody(store: Store) -> None:
    with store.write() as connection:
        seq = add_email(connection, add_order(connection, subject="Secret"), address="kari@example.no")
        attempt(connection, seq, "deferred", 451, "kari@example.no is over quota")
        shown = masked(details.email(connection, id_of(connection, emails, seq)))
    assert (shown["address"], shown["subject"], shown["body"]) == (f"k{MASKED}@example.no", MASKED, MASKED)
    assert (shown["state"], shown["timeline"][0]["code"]) == (EmailState.NEW, 451)
    assert "kari" not in str(shown)
    assert "over quota" not in str(shown)


def test_an_order_tells_its_chain(store: Store) -> None:
    chain = new_id(now())
    with store.write() as connection:
        first = add_order(connection, chain_id=chain)
        second = add_order(connection, chain_id=chain, kind="Reminder")
        alone = add_order(connection)
        ids = [id_of(connection, orders, seq) for seq in (first, second, alone)]
        found = details.order(connection, ids[1])
        assert found["kind"] == "Reminder"
        assert [(each["id"], each["kind"]) for each in found["chain"]] == [
            (ids[0], "Notification"), (ids[1], "Reminder"),
        ]  # fmt: skip
        assert details.order(connection, ids[2])["chain"] == []
        assert details.order(connection, chain)["id"] == ids[0], "a chain's identifier leads to its first order"
        assert details.order(connection, chain)["chain_id"] == found["chain_id"] == chain
