"""Recipients that follow their order: taken in line by line, and made into e-mails portion by portion."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, update

from engine.admin import changes, copies
from engine.db.dialects import Now
from engine.db.retention import prune_some
from engine.db.tables import emails, orders, portions
from engine.errors import Conflict, Invalid, QuotaExceeded
from engine.models import Duplicates, EmailState, OrderState
from engine.orders import reading as orders_of
from engine.orders import upload_reading, uploads
from engine.orders.quotas import Quotas
from engine.orders.upload_reading import Start
from engine.orders.withdrawing import Fate, fates
from tests.helpers.processing import batch, made, the_order, told
from tests.helpers.rows import add_email
from tests.helpers.uploads import lines, make_portions, opened, reading, sent, seq_of

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from engine.db.store import Store

FIVE = [f"mottaker{number}@example.no" for number in range(5)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of two."""
    monkeypatch.setattr(upload_reading, "PORTION", 2)


def close(store: Store, order_id: UUID, *, valid_only: bool = False, quotas: Path | None = None) -> None:
    with store.write() as connection:
        uploads.close(connection, Quotas(quotas), "ttd", order_id, valid_only=valid_only)


def make_due(store: Store, seq: int) -> None:
    with store.write() as connection:
        connection.execute(update(orders).where(orders.c.seq == seq).values(due_at=Now()))


def settle_all(store: Store) -> None:
    with store.write() as connection:
        connection.execute(update(emails).values(state=EmailState.SUCCEEDED, due_at=None, rank=None))


def test_an_open_order_is_not_processed_and_a_closed_one_is_portion_by_portion(store: Store) -> None:
    order_id = opened(store)
    seq = seq_of(store, order_id)
    sent(store, order_id, lines(*FIVE))
    batch(store)
    make_portions(store)
    assert (the_order(store, seq).state, made(store, seq)) == (OrderState.OPEN, [])
    close(store, order_id)
    batch(store)
    assert (the_order(store, seq).state, the_order(store, seq).portion) == (OrderState.PROCESSING, 1)
    make_portions(store)
    found = made(store, seq)
    assert [email.address for email in found] == FIVE
    assert len({email.id for email in found}) == 5, "each place has an identifier of its own"
    assert [email.rank - found[0].rank for email in found] == [0, 100, 200, 300, 400]
    assert (the_order(store, seq).state, the_order(store, seq).due_at) == (OrderState.PROCESSED, None)
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(portions)) == 0


def test_portions_wait_until_few_emails_of_the_order_are_left(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.orders.portions.WAITING", 2)
    order_id = opened(store)
    seq = seq_of(store, order_id)
    sent(store, order_id, lines(*FIVE))
    close(store, order_id)
    batch(store)
    for count in (2, 4, 5):
        make_portions(store)
        assert len(made(store, seq)) == count
        settle_all(store)
        make_due(store, seq) if count < 5 else None
    assert the_order(store, seq).state == OrderState.PROCESSED


def test_an_order_is_completed_with_its_last_portion_if_nothing_is_open(store: Store) -> None:
    order_id = opened(store)
    sent(store, order_id, b'{"organizationNumber":"910150804"}\n{"nationalIdentityNumber":"01017512345"}\n')
    close(store, order_id)
    batch(store)
    make_portions(store)
    seq = seq_of(store, order_id)
    assert {email.state for email in made(store, seq)} == {EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED}
    assert the_order(store, seq).state == OrderState.COMPLETED
    assert told(store, order_id) == ["order.completed", *["email.failed_recipientnotidentified"] * 2]


def test_an_order_that_is_never_closed_is_cancelled_and_its_recipients_are_removed(store: Store) -> None:
    order_id = opened(store)
    seq = seq_of(store, order_id)
    sent(store, order_id, lines(*FIVE))
    make_due(store, seq)
    batch(store)
    make_portions(store)
    assert (the_order(store, seq).state, told(store, order_id)) == (OrderState.CANCELLED, ["order.cancelled"])
    with pytest.raises(Conflict, match="not open"):
        close(store, order_id)
    with pytest.raises(Conflict, match="not open"):
        reading(store, order_id)
    with store.write() as connection:
        prune_some(connection, timedelta(days=1))
        assert {tuple(row) for row in connection.execute(select(portions.c.recipients, portions.c.digests))} == {
            ("", b"")
        }
        assert fates(connection, "ttd", order_id).counts == {Fate.CANCELLED: 5}, "which is told without their names"


def test_an_open_order_can_be_cancelled_at_any_time(store: Store) -> None:
    order_id = opened(store)
    its = reading(store, order_id)
    piece = its.take(lines(*FIVE))
    with store.write() as connection:
        orders_of.cancel(connection, "ttd", order_id)
    assert piece
    with store.write() as connection, pytest.raises(Conflict, match="not open"):
        uploads.add(connection, seq_of(store, order_id), 0, piece)


def test_invalid_lines_stop_the_closing_unless_only_valid_ones_are_asked_for(store: Store) -> None:
    order_id = opened(store)
    upload = sent(store, order_id, lines("kari@example.no", "kari"))
    assert (upload.valid, upload.invalid) == (1, 1)
    assert upload.report == '[{"line": 2, "column": "emailAddress", "reason": "This is not a valid e-mail address."}]'
    with pytest.raises(Conflict, match="1 line is no recipient"):
        close(store, order_id)
    close(store, order_id, valid_only=True)
    close(store, order_id)  # once more
    empty = opened(store)
    with pytest.raises(Invalid):
        close(store, empty)


def test_duplicates_are_counted_and_dropped_or_kept(store: Store) -> None:
    text = lines("kari@example.no", "Kari@Example.no", "ola@example.no")
    for asked, valid in ((Duplicates.DROP, 2), (Duplicates.KEEP, 4)):
        order_id = opened(store, asked)
        sent(store, order_id, text)
        upload = sent(store, order_id, lines("OLA@example.no"), start=Start(4, csv=False))
        assert (upload.valid, upload.duplicate) == (valid, 2)


def test_an_upload_goes_on_where_it_broke_off(store: Store) -> None:
    order_id = opened(store)
    whole = lines(*FIVE)
    first, rest = lines(*FIVE[:3]), lines(*FIVE[3:])
    sent(store, order_id, first)
    with pytest.raises(Conflict, match="The next line is 4"):
        sent(store, order_id, rest, start=Start(3, csv=False))
    with pytest.raises(Conflict, match="differ"):
        sent(store, order_id, lines(*reversed(FIVE)))
    with pytest.raises(Conflict, match="ends before line 3"):
        sent(store, order_id, lines(*FIVE[:2]))
    upload = sent(store, order_id, first, rest)
    assert (upload.lines, upload.valid, upload.duplicate) == (5, 5, 0)
    again = sent(store, order_id, whole)
    assert again == upload


@pytest.mark.dialects
def test_two_uploads_at_once_do_not_both_count(store: Store) -> None:
    order_id = opened(store)
    one, other = (reading(store, order_id).take(lines(*FIVE)) for _ in range(2))
    assert one
    assert other
    seq = seq_of(store, order_id)
    with store.write() as connection:
        uploads.add(connection, seq, 0, one)
    with store.write() as connection, pytest.raises(Conflict, match="Somebody else"):
        uploads.add(connection, seq, 0, other)


@pytest.mark.usefixtures("same_day")
def test_recipients_count_for_the_quota_when_the_order_is_closed(store: Store, tmp_path: Path) -> None:
    quotas = tmp_path / "quotas.toml"
    quotas.write_text("[default]\nper_day = 6\n")
    first, second = opened(store), opened(store)
    for order_id in (first, second):
        sent(store, order_id, lines(*FIVE))
    close(store, first, quotas=quotas)
    with pytest.raises(QuotaExceeded):
        close(store, second, quotas=quotas)
    with store.read() as connection:
        assert uploads.find(connection, "ttd", second).is_open


def test_an_order_that_was_set_aside_goes_on_with_its_next_portion(store: Store) -> None:
    order_id = opened(store)
    seq = seq_of(store, order_id)
    sent(store, order_id, lines(*FIVE))
    close(store, order_id)
    batch(store)
    with store.write() as connection:
        broken = {"state": OrderState.SET_ASIDE, "portion": 2, "due_at": None, "attachments": 1}
        connection.execute(update(orders).where(orders.c.seq == seq).values(broken))
        add_email(connection, seq)
        changes.process(connection, [seq], None)
    assert the_order(store, seq).fetches is None
    make_portions(store)
    assert [email.address for email in made(store, seq)] == ["kari@example.no", *FIVE[2:]]
    assert the_order(store, seq).state == OrderState.PROCESSED


def test_an_email_of_an_upload_can_be_sent_to_its_address_again(store: Store) -> None:
    order_id = opened(store)
    sent(store, order_id, lines(*FIVE))
    close(store, order_id)
    batch(store)
    make_portions(store)
    first = made(store, seq_of(store, order_id))[0]
    with store.write() as connection:
        [again] = copies.to_address(connection, [first.seq], None)
    batch(store)
    assert [email.address for email in made(store, seq_of(store, again))] == [FIVE[0]]
