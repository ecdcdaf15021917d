"""A commit is done, and its answer is lost: the write is repeated, and has effect once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from engine.db.store import Store
from engine.db.tables import orders
from engine.models import DeliveryState, EmailState, OrderState
from engine.queue import due
from tests.helpers import mails, processing, subscribers
from tests.helpers.rows import an_event
from tests.helpers.waiting import LONG
from tests.servers.http import Receiver, Say
from tests.servers.lossy import Lossy

if TYPE_CHECKING:
    from collections.abc import Iterator

# SQLite is in the process: it cannot fail to answer.
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database", ["postgresql"], indirect=True)]


@pytest.fixture
def way(database_url: str) -> Iterator[Lossy]:
    with Lossy(database_url) as lossy:
        yield lossy


@pytest.fixture
def store(way: Lossy) -> Iterator[Store]:
    store = Store(way.url)
    yield store
    store.close()


def test_an_order_becomes_one_email_for_each_recipient(way: Lossy, store: Store) -> None:
    seq = processing.place(store, {"emailAddress": "kari@example.no"}, {"emailAddress": "ola@example.no"})
    way.lose(b"INSERT INTO emails")
    processing.batch(store)
    way.await_loss()
    assert len(processing.made(store, seq)) == 2
    assert processing.the_order(store, seq).state == OrderState.PROCESSED


def test_an_attempt_to_send_has_one_line(way: Lossy, store: Store) -> None:
    mails.fill(store, "kari@example.no")
    way.lose(b"INSERT INTO email_attempts")
    mails.batch(store)
    way.await_loss()
    assert len(mails.log(store)) == 1
    row = mails.one(store)
    assert (row.state, row.attempts, row.unresolved) == (EmailState.SUCCEEDED, 1, 0)
    assert mails.order_states(store) == [OrderState.COMPLETED]


def test_what_is_handed_back_counts_down_once_and_can_be_held_again(way: Lossy, store: Store) -> None:
    mails.fill(store, "kari@example.no")
    with store.write() as connection:
        rows = due.claim(connection, due.EMAILS, 10, LONG)
    way.lose(b"UPDATE emails")
    asyncio.run(store.recording(due.hand_back, due.EMAILS, rows))
    way.await_loss()
    assert mails.one(store).unresolved == 0
    with store.write() as connection:
        again = due.claim(connection, due.EMAILS, 10, LONG)
        assert len(due.extend(connection, due.EMAILS, again, LONG)) == 1


def test_a_delivery_that_becomes_a_mail_is_delivered(
    way: Lossy, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    seq = subscribers.subscribe(store, "mailto:kari@example.no", template="event", creator="ttd")
    subscribers.publish(store, an_event())
    way.lose(b"INSERT INTO orders")
    subscribers.push(store)
    way.await_loss()
    [delivery], [attempt] = subscribers.deliveries_of(store, seq), subscribers.attempts(store, seq)
    assert (delivery.state, delivery.attempts, attempt.outcome) == (DeliveryState.DELIVERED, 1, "accepted")
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(orders)) == 1
    assert "Traceback" not in caplog.text


def test_a_push_has_one_line_and_its_subscription_is_let_go_once(way: Lossy, store: Store) -> None:
    with Receiver(Say(503)) as receiver:
        seq = subscribers.subscribe(store, receiver.url)
        subscribers.publish(store, an_event())
        way.lose(b"INSERT INTO delivery_attempts")
        subscribers.push(store)
    way.await_loss()
    [delivery], [_], row = (
        subscribers.deliveries_of(store, seq),
        subscribers.attempts(store, seq),
        subscribers.subscription(store, seq),
    )
    assert (delivery.state, delivery.attempts) == (DeliveryState.WAITING, 1)
    assert (row.unresolved, row.failures) == (0, 1)
