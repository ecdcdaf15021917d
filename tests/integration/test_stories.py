"""What happened to an e-mail, step by step: taken in, waited for what, each attempt, and its result."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from engine.admin import details
from engine.admin.masking import MASKED, masked
from engine.admin.pausing import pause, resume
from engine.db.tables import audit_log, email_attempts, emails
from engine.models import EmailState, OrderState
from engine.observability.audit import ITSELF, note
from tests.helpers.rows import add_email, add_order, now

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.db.store import Store

HOUR = timedelta(hours=1)
WINDOW = '{"days":["Mon"],"opens":"08:00","closes":"16:00","zone":"Europe/Oslo"}'


def attempt(connection: Connection, seq: int, ago: timedelta, outcome: str, **values: Any) -> None:
    line = {"email_seq": seq, "claim": 1, "at": now() - ago, "duration_ms": 27, "relay": "relay.example:25"}
    line |= {"outcome": outcome, "phase": "dot", "code": None, "reply": "no answer"}
    connection.execute(insert(email_attempts).values(line | values))


def story(connection: Connection) -> list[dict[str, Any]]:
    its = connection.execute(select(emails.c.id)).scalar_one()
    found: list[dict[str, Any]] = details.email(connection, its)["story"]
    return found


def test_a_story_tells_what_an_email_waited_for_and_how_far_each_attempt_came(store: Store) -> None:
    with store.write() as connection:
        order: dict[str, Any] = {
            "created": now() - 3 * HOUR,
            "requested_send_time": now() - 2 * HOUR,
            "state": OrderState.COMPLETED,
        }
        order |= {"condition_endpoint": "https://condition.example", "condition_answer": "200, and true"}
        seq = add_order(connection, **order)
        email = add_email(connection, seq, state=EmailState.FAILED, due_at=None)
        attempt(connection, email, timedelta(minutes=50), "deferred", phase="connect")
        attempt(connection, email, timedelta(minutes=40), "deferred", phase="rcpt", code=451, reply="4.7.1 greylisted")
        attempt(connection, email, timedelta(minutes=30), "in_doubt")
        attempt(connection, email, timedelta(minutes=20), "rejected", phase="dot", code=554, reply="5.7.1 spam")
        connection.execute(update(emails).values(last_update=now()))
        told = story(connection)
    assert [step["what"] for step in told] == [
        "Taken in",
        "Its send time",
        "Its condition was asked",
        "Waited 1 h 10 min from its send time to its first attempt",
        "The relay relay.example:25 gave no answer while connecting",
        "The relay relay.example:25 put it off when it was told the recipient",
        "In doubt: the relay relay.example:25 gave no answer after it had the whole message",
        "The relay relay.example:25 refused it after it had the whole message",
        "Failed",
    ]
    assert [(step["by"], step["reply"]) for step in told if step["reply"]] == [
        ("The answer", "200, and true"),
        ("Varsel", "no answer"),
        ("relay.example:25 said", "451 4.7.1 greylisted"),
        ("Varsel", "no answer"),
        ("relay.example:25 said", "554 5.7.1 spam"),
    ]
    assert told[-1]["detail"] == "it is not tried again by itself"
    seen = {masked(step)["reply"] for step in told}
    assert seen == {"", MASKED, f"451 4.7.1 {MASKED}", f"554 5.7.1 {MASKED}"}


def test_a_story_has_pauses_and_conditions_that_gave_no_answer(store: Store) -> None:
    with store.write() as connection:
        at = now() - HOUR
        seq = add_order(connection, created=at, requested_send_time=at, state=OrderState.PROCESSED)
        add_email(connection, seq)
        order_id = details.email(connection, connection.execute(select(emails.c.id)).scalar_one())["order_id"]
        then = {"reason": "status 500", "then": "sent anyway"}
        note(connection, ITSELF, "condition-failed", f"orders/{order_id}", then)
        pause(connection, "anna", "domain", "example.no", "their server is down")
        resume(connection, "ola", "domain", "example.no")
        pause(connection, "anna", "domain", "other.example", "not this one's")
        told = story(connection)
    assert [(step["what"], step["detail"]) for step in told[1:-1]] == [
        ("Its condition gave no clear answer", "sent anyway"),
        ("Paused: mail to example.no", "by anna: their server is down"),
        ("Resumed: mail to example.no", "by ola"),
    ]
    assert told[1]["reply"] == "status 500"
    assert (told[-1]["what"], told[-1]["kind"]) == ("Waits", "wait")
    assert told[-1]["detail"]


def test_what_was_not_tried_says_why(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED)
        add_email(connection, seq, state=EmailState.FAILED_RECIPIENT_RESERVED, due_at=None, address="")
        assert connection.scalar(select(audit_log.c.seq)) is None
        told = story(connection)
    assert [step["what"] for step in told] == ["Taken in", "Failed: recipient declined"]
    assert told[-1]["detail"] == "The recipient has declined electronic communication."
