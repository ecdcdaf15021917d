"""What operators see of attachments, and can do with orders that have some, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from engine.admin import details
from engine.admin.actions import find, perform
from engine.admin.masking import MASKED, masked
from engine.admin.resources import EMAILS, ORDERS
from engine.db.tables import attachments, emails, orders
from engine.errors import Conflict
from engine.models import EmailState, OrderState
from tests.helpers.admin_rows import names
from tests.helpers.attachments import SECRET, files_of, place_with
from tests.helpers.rows import add_email

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.db.store import Store

FAR = "https://files.example.no/vedtak.pdf"


def ended(connection: Connection, seq: int, state: EmailState) -> tuple[UUID, UUID]:
    """The identifiers of an order that has ended with one e-mail in this state."""
    add_email(connection, seq, state=state)
    connection.execute(update(emails).where(emails.c.order_seq == seq).values(due_at=None))
    done = {"state": OrderState.COMPLETED, "due_at": None}
    order = connection.execute(update(orders).where(orders.c.seq == seq).values(done).returning(orders.c.id))
    its = connection.execute(select(emails.c.id).where(emails.c.order_seq == seq))
    return order.scalar_one(), its.scalar_one()


def test_attachments_are_listed_with_their_size_and_why_they_are_not_there(store: Store) -> None:
    seq = place_with(store, b"Hei", FAR)
    with store.write() as connection:
        connection.execute(update(attachments).where(attachments.c.position == 1).values(answer="h: status 503"))
        order = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
        shown = details.order(connection, order)
    there, missing = shown["attachments"]
    assert (there["filename"], there["mime_type"], there["size"], there["fetch"]) == ("0.txt", "text/plain", 3, "there")
    assert (missing["size"], missing["fetch"], missing["answer"]) == (None, "to be fetched", "h: status 503")
    assert SECRET not in str(shown)
    assert "files.example.no" not in str(shown)
    assert [file["filename"] for file in masked(shown)["attachments"]] == [MASKED] * 2


def test_an_order_is_sent_again_with_its_attachments(store: Store) -> None:
    seq = place_with(store, b"Hei", b"og hei")
    with store.write() as connection:
        order, email = ended(connection, seq, EmailState.FAILED_BOUNCED)
        assert names(connection, EMAILS, email) == {"retry"}
        assert names(connection, ORDERS, order) == {"retry_failed", "resend_failed", "resend"}
        made = perform(connection, "ola", find("orders", "resend"), order)
        new = connection.execute(select(orders).where(orders.c.id == made)).one()
        message = details.message(connection, email)
    assert (new.attachments, new.fetches, new.rank) == (2, 2, None)  # looked at once more, before it is sent
    copied, given = files_of(store, new.seq), files_of(store, seq)
    assert [(file.filename, file.content) for file in copied] == [(file.filename, file.content) for file in given]
    assert b'filename="1.txt"' in message


def test_what_could_not_be_fetched_cannot_be_sent_again(store: Store) -> None:
    seq = place_with(store, FAR)
    with store.write() as connection:
        order, email = ended(connection, seq, EmailState.FAILED_INVALID_SAS_URL)
        connection.execute(update(attachments).values(address=None))
        assert names(connection, EMAILS, email) == names(connection, ORDERS, order) == set()
        for resource, action, key in (
            ("orders", "resend", order),
            ("orders", "resend_failed", order),
            ("emails", "retry", email),
        ):
            with pytest.raises(Conflict, match="could not be fetched: post a new order"):
                perform(connection, "ola", find(resource, action), key)
        with pytest.raises(Conflict, match="not fetched"):
            details.message(connection, email)
        assert details.order(connection, order)["attachments"][0]["fetch"] == "given up"
        shown = details.email(connection, email)
        assert "the order names" in str(shown["why"])
        assert [step["what"] for step in shown["story"]] == [
            "Taken in",
            "An attachment could not be fetched, and was given up",
            "Failed: attachment not available",
        ]
