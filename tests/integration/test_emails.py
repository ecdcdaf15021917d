"""Delivering batches of e-mails to a real relay, on both databases."""

from __future__ import annotations

import gc
import itertools
from datetime import timedelta
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from engine.db.dialects import Now
from engine.db.tables import emails
from engine.email.messages import Messages
from engine.email.mime import Compiled
from engine.email.outcomes import BACKOFF, backoff
from engine.email.smtp import Relay
from engine.email.tempo import LEAST
from engine.models import EXPIRY, DeliveryGuarantee, EmailState, OrderState
from engine.queue import due
from engine.queue.backoff import JITTER
from tests.helpers.claims import claim_emails
from tests.helpers.mails import batch, failing_with, fill, log, one, order_states, rows
from tests.helpers.relaying import LEASE, Delivering, deliver
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import LONG, due_between
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Say, Slow

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.servers.smtp_script import Step


def waits(store: Store, address: str) -> timedelta:
    """How long until the e-mail is due, by the database's clock."""
    with store.read() as connection:
        at, clock = connection.execute(select(emails.c.due_at, Now()).where(emails.c.address == address)).one()
    remaining: timedelta = at - clock
    return remaining


def test_a_batch_is_delivered_recorded_and_completes_its_orders(store: Store) -> None:
    addresses = [f"kari.{n}@example.no" for n in range(20)]
    fill(store, *addresses)
    fill(store, "ola@example.no")
    server = batch(store)
    assert sorted(to for mail in server.accepted for to in mail.rcpt_tos) == sorted([*addresses, "ola@example.no"])
    for row in rows(store).values():
        assert (row.state, row.attempts, row.unresolved, row.due_at) == (EmailState.SUCCEEDED, 1, 0, None)
    assert order_states(store) == [OrderState.COMPLETED] * 2
    lines = log(store)
    assert len(lines) == 21
    assert {(line.outcome, line.code, line.claim, line.relay) for line in lines} == {
        ("accepted", 250, 1, server.url.removeprefix("smtp://"))
    }


def test_what_is_in_hand_of_a_slow_relay_is_what_it_takes_in_a_moment(store: Store) -> None:
    in_hand: list[int] = []

    def slowly(step: Step) -> Slow | None:
        if step.phase == "data":
            with store.read() as connection:
                in_hand.append(connection.scalar(select(func.count()).where(emails.c.state == EmailState.SENDING)) or 0)
            return Slow(0.02)
        return None

    async def twice(delivering: Delivering) -> None:
        for count in (4, 150):  # the first ones show how slow it is
            in_hand.clear()
            fill(store, *(f"kari.{n}@{count}.example.no" for n in range(count)))
            await delivering.run()

    with ScriptedSMTP(slowly) as server:
        deliver(store, server.url, twice)
    assert len(in_hand) == 150
    assert max(in_hand) < 2 * LEAST


def test_nothing_due_is_nothing_done(store: Store) -> None:
    fill(store, "kari@example.no", due_in=timedelta(hours=1))
    assert batch(store).count("connect") == 0
    assert one(store).claim == 0


def test_each_message_says_what_its_recipient_is_to_read(store: Store) -> None:
    fill(store, "kari@example.no", order={"subject": "Hei $recipientName$"}, subject="Hei Kari", body="Til Kari")
    fill(store, "ola@example.no")
    mails = {mail.rcpt_tos[0]: message_from_bytes(mail.data, policy=default) for mail in batch(store).accepted}
    kari, ola = mails["kari@example.no"], mails["ola@example.no"]
    assert (kari["Subject"], kari.get_content().strip()) == ("Hei Kari", "Til Kari")
    assert (ola["Subject"], ola["To"]) == ("Hei", "ola@example.no")
    assert kari["Message-ID"] != ola["Message-ID"]


def test_an_email_of_an_order_with_keywords_has_its_recipients_name_in_it(store: Store) -> None:
    texts = {
        "subject": "Hei $recipientName$",
        "body": "<p>$recipientName$ [$recipientNumber$]</p>",
        "content_type": "Html",
    }
    fill(store, "post@fjell.example", order=texts, recipient_name="Fjell & Fjord", organization_number="910150804")
    [mail] = batch(store).accepted
    message = message_from_bytes(mail.data, policy=default)
    assert message["Subject"] == "Hei Fjell & Fjord"
    html = message.get_body(("html",))
    assert html is not None
    assert html.get_content().strip() == "<p>Fjell &amp; Fjord [910150804]</p>"


def test_e_mails_of_an_order_with_attachments_are_side_by_side_and_others_mixed(store: Store) -> None:
    with store.write() as connection:
        for creator, files in (("files a", 1), ("files b", 1), ("text a", 0), ("text b", 0)):
            of = add_order(connection, creator=creator, attachments=files, state=OrderState.PROCESSED)
            for _ in range(3):
                add_email(connection, of)
        relay = Relay("smtp://127.0.0.1:1", connections=1, connect_timeout=LONG, data_timeout=LONG)
        claimed = Delivering(store, relay, 1).deliverer.claim(connection, LEASE).rows
    creators = [row.letter.creator for row in claimed]
    runs = [creator for creator, _ in itertools.groupby(creators) if creator.startswith("files")]
    mixed = [creator for creator, _ in itertools.groupby(each for each in creators if each.startswith("text"))]
    assert sorted(runs) == ["files a", "files b"]
    assert len(mixed) == 6


def test_a_batch_has_a_bounded_number_of_bytes_of_its_orders_texts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six orders of 40 kB; e-mails that do not fit are handed back, and due as before."""
    monkeypatch.setattr("engine.email.outgoing.CONTENTS", 100_000)
    for number in range(6):
        fill(store, f"kari.{number}@example.no", order={"body": str(number) * 40_000})
    with ScriptedSMTP() as server:
        with store.write() as connection:
            claimed = claim_emails(connection, LEASE)
        assert [row.email.address for row in claimed] == [f"kari.{number}@example.no" for number in range(3)]
        left = [row for row in rows(store).values() if row.state == EmailState.NEW]
        assert [(row.unresolved, row.attempts, row.due_at <= now()) for row in left] == [(0, 0, True)] * 3
        deliver(store, server.url, lambda deliverer: deliverer.run())
        assert len(server.accepted) == 3


def test_compiled_messages_are_kept_up_to_a_number_of_bytes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.email.messages.COMPILED", 200_000)
    for number in range(6):
        fill(store, f"kari.{number}@example.no", order={"body": str(number) * 40_000})

    async def kept(deliverer: Delivering) -> int:
        await deliverer.run()
        return sum(len(found.text) for found in gc.get_objects() if isinstance(found, Compiled))

    with ScriptedSMTP() as server:
        assert 40_000 < deliver(store, server.url, kept) <= 100_000  # beside as many characters that they are of


def test_a_deferred_email_waits_for_its_backoff_and_keeps_its_order_open(store: Store) -> None:
    fill(store, "kari@example.no", "ola@example.no")

    def busy(step: Any) -> Say | None:
        return Say(450, "4.2.1 later") if step.phase == "rcpt" and "kari" in step.argument else None

    began = now()
    first = batch(store, busy)
    kari = rows(store)["kari@example.no"]
    assert (kari.state, kari.attempts, kari.unresolved) == (EmailState.NEW, 1, 0)
    assert due_between(kari.due_at, began, BACKOFF[0] * (1 - JITTER), BACKOFF[0] * (1 + JITTER))
    assert order_states(store) == [OrderState.PROCESSED]
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.due_at.is_not(None)).values(due_at=Now()))
    second = batch(store)
    assert rows(store)["kari@example.no"].attempts == 2
    assert order_states(store) == [OrderState.COMPLETED]
    assert [line.outcome for line in log(store)].count("deferred") == 1
    assert len(first.accepted) == len(second.accepted) == 1


def test_the_last_attempt_is_not_later_than_the_end_of_the_48_hours(store: Store) -> None:
    fill(store, "kari@example.no", attempts=20, expires_at=now() + timedelta(seconds=60))
    batch(store, {"dot": Say(451, "4.3.0 later")})
    row = one(store)
    assert row.due_at is not None
    assert row.due_at <= row.expires_at + timedelta(seconds=1)  # while it was sent, and recorded
    assert waits(store, "kari@example.no") <= timedelta(seconds=60)


@pytest.mark.parametrize("guarantee", DeliveryGuarantee)
def test_an_expired_email_is_given_up_without_the_relay(store: Store, guarantee: DeliveryGuarantee) -> None:
    fill(store, "kari@example.no", order={"guarantee": guarantee}, expires_at=now() - timedelta(seconds=1))
    assert batch(store).count("connect") == 0
    assert (one(store).state, one(store).due_at, one(store).attempts) == (EmailState.FAILED_TTL, None, 0)
    [line] = log(store)
    assert (line.outcome, line.code, line.relay) == ("expired", None, "")
    assert order_states(store) == [OrderState.COMPLETED]


def test_what_a_vanished_worker_held_is_sent_again_under_its_name(store: Store) -> None:
    fill(store, "kari@example.no")
    with ScriptedSMTP() as server:
        for _ in range(2):
            with store.write() as connection:  # as a worker leaves it that sent it and ended before it recorded that
                connection.execute(update(emails).values(due_at=Now(), state=EmailState.SENDING, unresolved=1))
            deliver(store, server.url, lambda deliverer: deliverer.run())
    assert len({mail.message_id for mail in server.accepted}) == 1
    assert len(server.accepted) == 2


def test_what_a_vanished_worker_held_is_reported_when_it_must_not_be_sent_twice(store: Store) -> None:
    fill(store, "kari@example.no", order={"guarantee": DeliveryGuarantee.AT_MOST_ONCE}, unresolved=1)
    assert batch(store).count("connect") == 0
    assert (one(store).state, one(store).due_at) == (EmailState.FAILED, None)
    [line] = log(store)
    assert line.outcome == "in_doubt"
    assert "at most once" in line.reply


@pytest.mark.parametrize(
    ("guarantee", "state", "settled"),
    [
        (DeliveryGuarantee.AT_LEAST_ONCE, EmailState.NEW, False),
        (DeliveryGuarantee.AT_MOST_ONCE, EmailState.FAILED, True),
    ],
)
def test_an_attempt_in_doubt_is_repeated_or_reported_as_the_order_asks(
    store: Store, guarantee: DeliveryGuarantee, state: EmailState, *, settled: bool
) -> None:
    fill(store, "kari@example.no", order={"guarantee": guarantee})
    batch(store, {"dot": Close()})
    assert (one(store).state, one(store).due_at is None, one(store).attempts) == (state, settled, 1)
    assert [line.outcome for line in log(store)] == ["in_doubt"]


def test_an_email_that_ended_too_many_workers_is_set_aside(store: Store) -> None:
    fill(store, "kari@example.no", unresolved=due.LOST_IS_DEAD)
    fill(store, "ola@example.no")
    assert [mail.rcpt_tos for mail in batch(store).accepted] == [["ola@example.no"]]
    found = rows(store)
    assert (found["kari@example.no"].state, found["kari@example.no"].due_at) == (EmailState.FAILED, None)
    assert found["ola@example.no"].claim == 4  # it was handed back and claimed once more
    assert [line.outcome for line in log(store)] == ["abandoned", "accepted"]


def test_a_message_that_cannot_be_made_fails_at_once_and_holds_up_no_other(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, "kari@example.no", order={"content_type": "Nonsense"})
    fill(store, "ola@example.no")
    assert [mail.rcpt_tos for mail in batch(store).accepted] == [["ola@example.no"]]
    unmade = rows(store)["kari@example.no"]
    assert (unmade.state, unmade.due_at, unmade.unresolved, unmade.attempts) == (EmailState.FAILED, None, 0, 0)
    assert order_states(store) == [OrderState.COMPLETED] * 2
    line = next(line for line in log(store) if line.email_seq == unmade.seq)
    assert (line.outcome, line.reply) == ("abandoned", "no message can be made: ValueError")
    assert caplog.text.count("Traceback") == 1
    assert str(unmade.id) in caplog.text
    assert "kari@example.no" not in caplog.text


@pytest.mark.parametrize("address", ["kari@æø--x.no", "kari@" + "æ" * 62 + ".no", "kari nordmann@example.no"])
def test_an_address_without_a_form_on_the_wire_fails_at_once(store: Store, address: str) -> None:
    fill(store, address, "ola@example.no")
    assert len(batch(store).accepted) == 1
    row = rows(store)[address]
    assert (row.state, row.due_at, row.attempts) == (EmailState.FAILED_INVALID_EMAIL_FORMAT, None, 0)
    assert [line.outcome for line in log(store) if line.email_seq == row.seq] == ["abandoned"]


def test_an_address_that_the_contract_has_beyond_the_rfc_goes_quoted_on_the_wire(store: Store) -> None:
    fill(store, "kari;ola@example.no")
    [mail] = batch(store).accepted
    assert mail.rcpt_tos == ['"kari;ola"@example.no']
    assert message_from_bytes(mail.data, policy=default)["To"].addresses[0].username == "kari;ola"


@pytest.mark.parametrize("error", [MemoryError(), OSError("no file left")])
def test_what_the_machine_lacks_is_an_attempt(store: Store, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    fill(store, "kari@example.no")
    began = now()

    monkeypatch.setattr(Messages, "made", failing_with(error))
    batch(store)
    row = one(store)
    assert (row.state, row.attempts) == (EmailState.NEW, 1)
    assert due_between(row.due_at, began, BACKOFF[0] * (1 - JITTER), BACKOFF[0] * (1 + JITTER))


def test_html_that_explodes_is_delivered_with_a_text(store: Store) -> None:
    body = "<p>" + "".join(f"<b a{number}>" for number in range(2_000)) + "<p>x" * 2_000
    fill(store, "kari@example.no", order={"content_type": "Html", "body": body})
    [mail] = batch(store).accepted
    message = message_from_bytes(mail.data, policy=default)
    text = message.get_body(("plain",))
    assert text is not None
    assert text.get_content().split() == ["x"] * 2_000


def test_the_backoff_grows_with_the_attempts_and_stays_at_its_longest() -> None:
    for attempts, expected in zip(range(1, 30), itertools.chain(BACKOFF, itertools.repeat(BACKOFF[-1])), strict=False):
        for _ in range(20):
            assert expected * (1 - JITTER) <= backoff(attempts) <= expected * (1 + JITTER)
    assert list(BACKOFF) == sorted(BACKOFF)
    assert sum(BACKOFF, timedelta(0)) < EXPIRY
