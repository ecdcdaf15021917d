"""Processing due orders, on both databases: fencing, orders that fail, and the e-mails of each recipient."""

from __future__ import annotations

import asyncio
from dataclasses import astuple
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Text, delete, func, select, update

from engine.db.dialects import Now
from engine.db.tables import audit_log, contacts, emails, orders
from engine.models import EXPIRY, Content, EmailState, OrderState
from engine.orders.contacts import ContactTable
from engine.orders.outcomes import RETRIES
from engine.orders.processing import RECIPIENTS_AT_ONCE, Orders
from engine.outbound import Guard, Outbound
from engine.queue import due
from engine.queue.runner import Runner
from engine.text.keywords import content
from tests.helpers.processing import Processing, batch, checks, made, place, the_order, told
from tests.helpers.waiting import LONG, SHORT
from tests.servers.http import Hang, Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from engine.db.store import Store

LEASE = LONG
KARI, OLA, FIRM, NOBODY = "16069412345", "01010112345", "910150804", "99999999999"


def run(store: Store, work: Callable[[Processing], Awaitable[Any]], within: timedelta = LONG) -> Any:
    """Work on the conditions of due orders."""

    async def opened() -> Any:
        outbound = Outbound(Guard(allow_private=True), within=within)
        try:
            return await work(checks(store, outbound))
        finally:
            await outbound.close()

    return asyncio.run(opened())


def check(store: Store) -> None:
    """Ask the conditions of due orders."""
    run(store, lambda checking: checking.run())


def know(store: Store, *rows: tuple[str, str, str, bool]) -> None:
    with store.write() as connection:
        for identity, name, email, reserved in rows:
            row = {"identity": identity, "name": name, "email": email, "is_reserved": reserved}
            connection.execute(contacts.insert().values(row))


def contents(store: Store, order: int) -> Sequence[Content]:
    """The texts of each e-mail."""
    return [content(the_order(store, order), email) for email in made(store, order)]


def test_due_orders_become_due_emails_and_others_wait(store: Store) -> None:
    batch(store)
    first, second = place(store), place(store)
    later = place(store, due_in=timedelta(hours=1))
    batch(store)
    for seq in (first, second):
        order, [email] = the_order(store, seq), made(store, seq)
        assert (order.state, order.due_at, order.unresolved) == (OrderState.PROCESSED, None, 0)
        assert (email.state, email.address, email.attempts) == (EmailState.NEW, "kari@example.no", 0)
        assert email.due_at == order.requested_send_time
        assert email.expires_at == order.requested_send_time + EXPIRY
        assert (email.subject, email.body) == (None, None)
    assert made(store, later) == []
    batch(store)


def test_a_claim_tells_of_due_orders_with_a_condition_and_leaves_them(store: Store) -> None:
    def calls() -> int:
        found: list[None] = []
        work = Orders(ContactTable(), others=[lambda: found.append(None)])
        asyncio.run(Runner(store, work, LEASE).run())
        return len(found)

    place(store)
    asked = place(store, due_in=timedelta(hours=1), condition_endpoint="http://127.0.0.1:1/")
    assert calls() == 0
    with store.write() as connection:
        connection.execute(update(orders).where(orders.c.seq == asked).values(due_at=Now()))
    assert calls() == 1
    assert (the_order(store, asked).claim, made(store, asked)) == (0, [])


def test_an_order_that_reaches_nobody_is_completed_at_once(store: Store) -> None:
    know(store, (OLA, "Ola", "ola@example.no", True), (FIRM, "Fjell", "", False))
    numbers: list[dict[str, str]] = [
        {"nationalIdentityNumber": OLA},
        {"organizationNumber": FIRM},
        {"nationalIdentityNumber": NOBODY},
    ]
    seq = place(store, *numbers)
    batch(store)
    assert the_order(store, seq).state == OrderState.COMPLETED
    assert [(email.state, email.address, email.due_at) for email in made(store, seq)] == [
        (EmailState.FAILED_RECIPIENT_RESERVED, "", None),
        (EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, "", None),
        (EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, "", None),
    ]


def test_what_is_known_at_the_send_time_counts(store: Store) -> None:
    seq = place(store, {"nationalIdentityNumber": KARI}, due_in=timedelta(hours=1))
    know(store, (KARI, "Kari", "kari.ny@example.no", False))
    with store.write() as connection:
        connection.execute(update(orders).values(due_at=Now()))
    batch(store)
    assert [email.address for email in made(store, seq)] == ["kari.ny@example.no"]


@pytest.mark.parametrize(
    ("kind", "text", "person", "firm"),
    [
        ("Plain", "$recipientName$", "Kari <N>", "Fjell & Fjord"),
        ("Html", "$recipientName$", "Kari &lt;N&gt;", "Fjell &amp; Fjord"),
        ("Plain", "[$recipientNumber$]", "[]", f"[{FIRM}]"),
        ("Plain", "$recipientName$$recipientName$", "Kari <N>Kari <N>", "Fjell & FjordFjell & Fjord"),
        ("Plain", "$RecipientName$ $recipientname$ $recipientName", None, None),
        ("Plain", "uten", None, None),
    ],
)
def test_keywords_have_the_values_of_the_directory(
    store: Store, kind: str, text: str, person: str | None, firm: str | None
) -> None:
    know(store, (KARI, "Kari <N>", "kari@example.no", False), (FIRM, "Fjell & Fjord", "post@fjell.example", False))
    recipients: list[dict[str, str]] = [
        {"nationalIdentityNumber": KARI},
        {"organizationNumber": FIRM},
        {"nationalIdentityNumber": NOBODY},
        {"emailAddress": "direkte@example.no"},
    ]
    seq = place(store, *recipients, subject="Hei", body=text, content_type=kind)
    batch(store)
    assert [said.body for said in contents(store, seq)] == [person or text, firm or text, text, text]
    assert {said.subject for said in contents(store, seq)} == {"Hei"}


def test_a_name_in_a_subject_is_not_html(store: Store) -> None:
    know(store, (FIRM, "Fjell & Fjord", "post@fjell.example", False))
    seq = place(store, {"organizationNumber": FIRM}, subject="Til $recipientName$", content_type="Html")
    batch(store)
    assert [said.subject for said in contents(store, seq)] == ["Til Fjell & Fjord"]


@pytest.mark.parametrize("word", ["$recipientName$", "$recipientNumber$"])
def test_a_body_with_keywords_is_stored_once_however_many_recipients_there_are(store: Store, word: str) -> None:
    """Texts of 100 kB for 300 recipients do not become 30 MB; a subject, too, is stored once."""
    know(store, (FIRM, "Fjell", "post@fjell.example", False))
    body = f"{word} {'x' * 100_000}"
    seq = place(store, *[{"organizationNumber": FIRM}] * 300, subject=f"Til {word}", body=body)
    batch(store)
    with store.read() as connection:
        texts = [column for column in emails.c if isinstance(column.type, Text)]
        stored = connection.execute(select(*texts)).all()
    assert sum(len(text or "") for row in stored for text in row) < 300 * 100
    assert {said.body for said in contents(store, seq)} == {body.replace(word, "Fjell" if "Name" in word else FIRM)}


def test_a_claim_of_orders_brings_none_of_their_texts(store: Store) -> None:
    place(store, body="x" * 100_000)
    with store.write() as connection:
        [order] = due.claim(connection, due.ORDERS, 10, LEASE)
    assert sum(len(value) for value in astuple(order) if isinstance(value, str)) < 200


def test_a_text_that_keywords_make_empty_is_the_orders_own(store: Store) -> None:
    know(store, (KARI, "", "kari@example.no", False), (FIRM, "Firm", "post@firm.example", False))
    recipients = ({"nationalIdentityNumber": KARI}, {"organizationNumber": FIRM})
    seq = place(store, *recipients, subject="$recipientName$ ", body="$recipientNumber$")
    batch(store)
    own, filled = ("$recipientName$ ", "$recipientNumber$"), ("Firm ", FIRM)
    assert [(said.subject, said.body) for said in contents(store, seq)] == [own, filled]


def test_large_orders_are_split_over_transactions_and_all_recipients_reached(store: Store) -> None:
    number = RECIPIENTS_AT_ONCE // 100
    for order in range(4):
        place(store, *[{"emailAddress": f"kari.{order}@example.no"}] * number)
    batch(store)
    with store.read() as connection:
        counted = connection.execute(select(emails.c.address, func.count()).group_by(emails.c.address)).all()
    assert sorted(tuple(row) for row in counted) == [(f"kari.{order}@example.no", number) for order in range(4)]


def test_whoever_lost_the_claim_makes_no_emails_and_decides_nothing(store: Store) -> None:
    with Receiver(Hang(), Say(200, b'{"sendNotification": true}')) as receiver:
        seq = place(store, condition_endpoint=receiver.url)

        async def overtaken(slow: Processing) -> None:
            first = asyncio.create_task(slow.run())
            await asyncio.to_thread(receiver.wait_for, lambda: len(receiver.requests) == 1)
            with store.write() as connection:  # as if its machine had slept past the lease
                connection.execute(update(orders).values(due_at=Now()))
            await asyncio.to_thread(check, store)
            await first  # its call ends without an answer, which would have asked again in a minute

        run(store, overtaken, within=SHORT)
    order = the_order(store, seq)
    assert (order.state, order.claim, order.due_at) == (OrderState.PROCESSED, 3, None)
    assert len(made(store, seq)) == 1


def test_an_order_that_every_worker_lost_is_set_aside_and_the_others_go_on(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    recipients = ({"emailAddress": "kari@example.no"}, {"nationalIdentityNumber": KARI})
    poison = place(store, *recipients, unresolved=due.LOST_IS_DEAD)
    harmless = place(store)
    batch(store)
    order = the_order(store, poison)
    assert (order.state, order.due_at) == (OrderState.SET_ASIDE, None)
    assert "set aside" in caplog.text
    assert [(row.address, row.state, row.due_at) for row in made(store, poison)] == [
        ("kari@example.no", EmailState.FAILED, None),
        ("", EmailState.FAILED, None),
    ]
    assert told(store, order.id) == ["order.completed", "email.failed", "email.failed"]
    with store.read() as connection:
        line = connection.execute(select(audit_log)).one()
    assert (line.who, line.action, line.target) == ("varsel", "set-aside", f"orders/{order.id}")
    assert the_order(store, harmless).claim == 4  # it was handed back and claimed once more
    assert len(made(store, harmless)) == 1


def test_an_order_that_cannot_be_processed_takes_no_other_along_and_is_set_aside_with_the_reason(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    broken, harmless = place(store, recipients="nonsense"), place(store)
    asking = place(store, recipients="nonsense", condition_endpoint="http://127.0.0.1:1/")
    for count in range(1, len(RETRIES) + 2):
        batch(store)
        check(store)
        assert the_order(store, broken).attempts == count
        with store.write() as connection:
            connection.execute(update(orders).where(orders.c.due_at.is_not(None)).values(due_at=Now()))
    batch(store)
    check(store)
    assert len(made(store, harmless)) == 1
    for seq in (broken, asking):
        order = the_order(store, seq)
        assert (order.state, order.due_at) == (OrderState.SET_ASIDE, None)
        assert told(store, order.id) == ["order.completed"]
        with store.read() as connection:
            about = select(audit_log).where(audit_log.c.target == f"orders/{order.id}")
            lines = connection.execute(about.order_by(audit_log.c.seq)).all()
        assert [line.action for line in lines] == ["condition-failed"] * (seq == asking) + ["set-aside"]
        line = lines[-1]
        assert line.who == "varsel"
        assert "JSONDecodeError" in line.detail
    assert caplog.text.count("Traceback") == 2


def test_an_order_that_two_workers_lost_is_worked_on_alone(store: Store) -> None:
    suspect = place(store, unresolved=due.LOST_IS_SUSPECT)
    harmless = place(store)
    batch(store)
    assert (the_order(store, suspect).claim, the_order(store, harmless).claim) == (2, 4)  # handed back meanwhile
    assert (len(made(store, suspect)), len(made(store, harmless))) == (1, 1)
    assert the_order(store, harmless).unresolved == 0


def test_emails_that_are_generated_again_keep_their_identifiers(store: Store) -> None:
    """After a restore, a repeated e-mail has the Message-ID that the receiver has seen."""
    know(store, (FIRM, "Firm", "a@firm.no", False), (FIRM, "Firm", "b@firm.no", False), (KARI, "Kari", "", False))
    twice = {"emailAddress": "ola@example.no"}
    numbers = ({"organizationNumber": FIRM}, {"nationalIdentityNumber": KARI}, {"nationalIdentityNumber": NOBODY})
    seqs = [place(store, twice, twice, *numbers), place(store, twice)]

    def identifiers() -> list[str]:
        batch(store)
        return [str(row.id) for seq in seqs for row in made(store, seq)]

    first = identifiers()
    assert len(set(first)) == len(first) == 7
    assert {name[14] for name in first} == {"8"}, "the version (RFC 9562, 4.2)"
    with store.write() as connection:
        connection.execute(delete(emails))
        again = {"state": OrderState.REGISTERED, "due_at": orders.c.requested_send_time}
        connection.execute(update(orders).values(again))
    assert identifiers() == first
