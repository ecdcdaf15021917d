"""Orders that are sent again, as new orders: to those that failed, and on the terms of their creators' own."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.admin import copies, questions
from engine.admin.actions import find, perform
from engine.admin.copies import Terms
from engine.admin.resources import EMAILS, ORDERS
from engine.admin.senders import NewSender, add, remove
from engine.db.tables import audit_log, emails, orders, quota_use, senders
from engine.errors import Conflict, Invalid, QuotaExceeded
from engine.models import EmailState, OrderState
from engine.orders import uploads
from engine.orders.quotas import Quotas
from tests.helpers.admin_rows import names, row
from tests.helpers.processing import batch, made
from tests.helpers.rows import add_email, add_order, count, now
from tests.helpers.uploads import lines, make_portions, opened, sent, seq_of

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

HOUR = timedelta(hours=1)
PERSON, FIRM = "01019012345", "910000000"
AGAIN = find("orders", "resend_failed")
FAILED: dict[str, Any] = {"state": EmailState.FAILED_BOUNCED, "due_at": None}
DONE: dict[str, Any] = {"state": EmailState.SUCCEEDED, "due_at": None}


def an_order(connection: Connection, recipients: list[dict[str, Any]], **values: Any) -> tuple[int, UUID]:
    """An order that is completed."""
    given = {"state": OrderState.COMPLETED, "recipients": json.dumps(recipients)} | values
    seq = add_order(connection, **given)
    key: UUID = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
    return seq, key


def one_failed(connection: Connection, **values: Any) -> UUID:
    """An order to two, of whom one did not get it."""
    seq, key = an_order(connection, [{"emailAddress": "kari@example.no"}, {"emailAddress": "ola@example.no"}], **values)
    add_email(connection, seq, **DONE, address="kari@example.no")
    add_email(connection, seq, **FAILED, address="ola@example.no")
    return key


def recipients_of(connection: Connection, key: UUID | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(row(connection, ORDERS, key).recipients)
    return found


def test_a_new_order_goes_to_those_that_failed_as_they_were_ordered_for(store: Store) -> None:
    given: list[dict[str, Any]] = [
        {"emailAddress": "kari@example.no", "values": {"name": "Kari"}, "locale": "nb"},
        {"emailAddress": "ola@example.no", "values": {"name": "Ola"}, "timeZone": "Europe/Oslo"},
        {"nationalIdentityNumber": PERSON, "values": {"name": "Eva"}},
        {"organizationNumber": FIRM, "values": {"name": "Firma"}},
        {},
    ]
    pinned = {"senders_reference": "vedtak 7", "sender_name": "TTD", "reply_to": "post@ttd.example", "priority": 1}
    with store.write() as connection:
        seq, key = an_order(connection, given, **pinned, expires_at=now() + HOUR)
        add_email(connection, seq, **DONE, address="kari@example.no")
        add_email(connection, seq, **FAILED, address="ola@example.no")
        nowhere = EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED
        add_email(connection, seq, state=nowhere, due_at=None, address="", national_identity_number=PERSON)
        add_email(connection, seq, **DONE, address="a@firm.example", organization_number=FIRM)
        add_email(connection, seq, **FAILED, address="b@firm.example", organization_number=FIRM)
        asked = questions.of_one(connection, AGAIN, key)
        before = row(connection, ORDERS, key)
        new = perform(connection, "anna", AGAIN, key)
        assert row(connection, ORDERS, key) == before
        copy = row(connection, ORDERS, new)
        assert recipients_of(connection, new) == given[1:3], "the firm has it at another address"
        [line] = connection.execute(select(audit_log)).all()
    assert asked.title == "Send again to 2 recipients that failed?"
    assert asked.lines[:2] == (
        "2 addresses have it, and get nothing.",
        "1 recipient had no address: it is looked for anew.",
    )
    assert (copy.state, copy.due_at <= now(), copy.creator) == (OrderState.REGISTERED, True, "ttd")
    for name in (*pinned, "expires_at", "subject", "body", "sender", "template_id", "guarantee"):
        assert getattr(copy, name) == getattr(before, name), name
    assert (line.who, line.action, json.loads(line.detail)) == ("anna", "orders.resend_failed", {"order": str(new)})


def test_of_recipients_that_followed_those_that_failed_are_found_by_their_emails(store: Store) -> None:
    order_id = opened(store)
    sent(store, order_id, lines("kari@example.no", "ola@example.no"), b'{"organizationNumber":"%s"}\n' % FIRM.encode())
    with store.write() as connection:
        uploads.close(connection, Quotas(None), "ttd", order_id, valid_only=False)
    batch(store)
    make_portions(store)
    with store.write() as connection:
        settle = update(emails).where(emails.c.due_at.is_not(None))
        connection.execute(settle.where(emails.c.address == "kari@example.no").values(**DONE, rank=None))
        connection.execute(settle.values(**FAILED, rank=None))
        connection.execute(update(orders).values(state=OrderState.COMPLETED, due_at=None))
        assert names(connection, ORDERS, order_id) == {"retry_failed", "resend_failed"}
        new = perform(connection, "anna", AGAIN, order_id)
        assert recipients_of(connection, new) == [{"emailAddress": "ola@example.no"}, {"organizationNumber": FIRM}]
    assert new
    batch(store)
    assert [email.address for email in made(store, seq_of(store, new))] == ["ola@example.no", ""]


def test_too_many_that_followed_and_failed_are_retried_instead(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MOST", 2)
    with store.write() as connection:
        seq, key = an_order(connection, [], streamed=True)
        for number in range(3):
            add_email(connection, seq, **FAILED, address=f"{number}@example.no")
        for do in (questions.of_one, lambda *given: perform(given[0], "anna", *given[1:])):
            with pytest.raises(Conflict, match="More than 2 of its e-mails failed"):
                do(connection, AGAIN, key)


def test_where_all_that_failed_have_it_elsewhere_nobody_is_left(store: Store) -> None:
    with store.write() as connection:
        seq, key = an_order(connection, [{"organizationNumber": FIRM}])
        add_email(connection, seq, **DONE, address="a@firm.example", organization_number=FIRM)
        add_email(connection, seq, **FAILED, address="b@firm.example", organization_number=FIRM)
        with pytest.raises(Conflict, match="Nobody is left"):
            perform(connection, "anna", AGAIN, key)
        _, erased = an_order(connection, [{}])
        with pytest.raises(Conflict, match="Nobody is left"):
            perform(connection, "anna", find("orders", "resend"), erased)


@pytest.mark.parametrize("name", ["resend", "resend_failed", "retry_failed"])
def test_what_has_expired_is_sent_to_nobody_again(store: Store, name: str) -> None:
    with store.write() as connection:
        key = one_failed(connection, expires_at=now() - HOUR)
        assert names(connection, ORDERS, key) == set()
        with pytest.raises(Conflict, match="has expired: its sender lets nothing leave any more"):
            perform(connection, "anna", find("orders", name), key)
        for each in connection.scalars(select(emails.c.id)).all():
            assert names(connection, EMAILS, each) == set()
            with pytest.raises(Conflict, match="belongs to an order that has expired"):
                perform(connection, "anna", find("emails", "retry"), each)


def test_what_is_retried_expires_when_its_order_does(store: Store) -> None:
    at = (now() + HOUR).replace(microsecond=0)
    with store.write() as connection:
        key = one_failed(connection, expires_at=at)
        assert "until the order expires" in questions.of_one(connection, find("orders", "retry_failed"), key).lines[-1]
        perform(connection, "anna", find("orders", "retry_failed"), key)
        retried = select(emails.c.expires_at).where(emails.c.state == EmailState.NEW)
        assert connection.execute(retried).scalar_one() == at


def test_a_sender_that_was_removed_sends_nothing_again(store: Store) -> None:
    own = "noreply@varsel.example"
    with store.write() as connection:
        for address in ("post@ttd.example", "first@ttd.example"):
            add(connection, "anna", NewSender("ttd", address))
        key = one_failed(connection, sender="first@ttd.example")
        seq = connection.execute(select(senders.c.seq).where(senders.c.address == "first@ttd.example")).scalar_one()
        remove(connection, "anna", seq)
    for terms, says in ((Terms(), "This creator's senders are post@ttd.example."), (Terms(sender=own), "senders are")):
        with pytest.raises(Conflict, match=f"from first@ttd.example. .*{says}"), store.write() as connection:
            perform(connection, "anna", AGAIN, key, terms=terms)
    with store.write() as connection:
        remove(connection, "anna", connection.execute(select(senders.c.seq)).scalar_one())
    with pytest.raises(Conflict, match=f"E-mails have the sender {own} here"), store.write() as connection:
        perform(connection, "anna", AGAIN, key, terms=Terms(sender=own))
    with pytest.raises(Conflict, match="needs one"), store.write() as connection:
        perform(connection, "anna", AGAIN, key, terms=Terms(sender=own, senders_required=True))
    assert count(store, orders) == 1


@pytest.mark.parametrize(
    ("action", "of"), [("orders.resend", 2), ("orders.resend_failed", 1), ("emails.resend", 1)], ids=str
)
def test_a_new_order_counts_against_its_creators_quota(store: Store, tmp_path: Path, action: str, of: int) -> None:
    file = tmp_path / "quotas.toml"
    file.write_text("[creators.ttd]\nper_day = 10\n")
    resource, _, name = action.partition(".")
    with store.write() as connection:
        key = one_failed(connection)
        if resource == "emails":
            key = connection.execute(select(emails.c.id).where(emails.c.address == "kari@example.no")).scalar_one()
        perform(connection, "anna", find(resource, name), key, terms=Terms(Quotas(file)))
        assert connection.execute(select(quota_use.c.creator, quota_use.c.in_day)).one() == ("ttd", of)


def test_what_exceeds_a_quota_is_refused_or_waits_as_its_creators_own(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "quotas.toml"
    file.write_text("[creators.ttd]\nper_day = 1\n[creators.skd]\nper_day = 1\nexceeded = 'pace'\n")
    terms, everybody = Terms(Quotas(file)), find("orders", "resend")
    with store.write() as connection:
        first, second, third = (one_failed(connection) for _ in range(3))
        perform(connection, "anna", AGAIN, first, terms=terms)
    with pytest.raises(QuotaExceeded, match="can be taken in later"), store.write() as connection:
        perform(connection, "anna", AGAIN, second, terms=terms)
    with pytest.raises(Invalid, match="at most 1 recipients"), store.write() as connection:
        perform(connection, "anna", everybody, third, terms=terms)
    assert count(store, orders) == 4
    with store.write() as connection:
        for number in range(2):
            new = perform(connection, "anna", AGAIN, one_failed(connection, creator="skd"), terms=terms)
            due_at = row(connection, ORDERS, new).due_at
            assert (due_at > now()) == bool(number)
