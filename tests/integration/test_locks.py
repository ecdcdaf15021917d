"""Every change of deliveries or e-mails locks their subscription or order, as workers do: none misses another."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text, update

from engine.admin import changes
from engine.admin.actions import find, perform
from engine.db.records import Letter, columns, read
from engine.db.tables import EMAIL_FAILED, deliveries, emails, orders, subscriptions
from engine.email.outcomes import record, result_of
from engine.email.smtp import Accepted, Phase, Reply
from engine.errors import Conflict, Unavailable
from engine.events import completing, tallies
from engine.events.fan_out import lock
from engine.models import Caller, DeliveryState, EmailState, OrderState
from engine.queue import due
from engine.subscriptions.registry import retry, subscribe
from engine.subscriptions.spec import SubscriptionSpec
from tests.helpers.rows import APP, add_email, add_order, now
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.email.outcomes import Result

pytestmark = pytest.mark.dialects

TTD = Caller(creator="ttd", scopes=frozenset(), platform=False, identity="/org/ttd")
SPEC = SubscriptionSpec(
    endpoint="https://receiver.example/hook",
    source_filter=None,
    source_prefix=None,
    resource_filter=APP,
    subject_filter=None,
    alternative_subject_filter=None,
    types=(),
    type_as_given=None,
    include_subunits=False,
    ordered=False,
    template=None,
    is_app=True,
)
LEASE = timedelta(minutes=5)
TAKEN = Accepted(Reply(250, "taken"), Phase.DOT, timedelta())
CHANGES: dict[str, Callable[[Connection, int, int], Any]] = {
    "subscribe": lambda connection, _seq, _delivery: subscribe(connection, TTD, SPEC, 500),
    "retry": lambda connection, seq, delivery: retry(connection, TTD, seq, delivery),
    "replay": lambda connection, _seq, delivery: perform(connection, "anna", find("deliveries", "retry"), delivery),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changing_a_delivery_while_its_outcome_is_written_waits_its_turn(store: Store, change: str) -> None:
    failed: list[BaseException] = []
    with store.write() as connection:
        seq = subscribe(connection, TTD, SPEC, 500)[0].seq
        delivery = connection.execute(select(deliveries.c.seq)).scalar_one()
        if change == "replay":
            connection.execute(update(deliveries).values(state=DeliveryState.DEAD, due_at=None))

    def changing() -> None:
        try:
            with store.write() as connection:
                CHANGES[change](connection, seq, delivery)
        except BaseException as error:  # noqa: BLE001 shown below
            failed.append(error)

    thread = threading.Thread(target=changing)
    with store.write() as connection:
        connection.execute(lock({seq}))  # as engine/webhooks/outcomes.py settles
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        connection.execute(update(deliveries).values(last_update=now()))
        connection.execute(update(subscriptions).values(failures=0))
    thread.join()
    assert failed == []


def test_an_order_whose_last_mail_is_settled_while_another_is_tried_again_is_not_completed(store: Store) -> None:
    done: list[BaseException | None] = []
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        mail = add_email(connection, seq, state=EmailState.FAILED, due_at=None)
        failed = connection.execute(select(emails.c.id).where(emails.c.seq == mail)).scalar_one()
        add_email(connection, seq)
        [last] = due.claim(connection, due.EMAILS, 1, LEASE)
        [order] = read(Letter, connection.execute(select(*columns(Letter, orders.c))))

    def trying_again() -> None:
        try:
            with store.write() as connection:
                perform(connection, "anna", find("emails", "retry"), failed)
            done.append(None)
        except BaseException as error:  # noqa: BLE001 shown below
            done.append(error)

    thread = threading.Thread(target=trying_again)
    with store.write() as connection:
        record(connection, [result_of(last, order, TAKEN, "relay:25", now())])
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert done == [None]
    with store.read() as connection:
        assert connection.scalar(select(orders.c.state)) == OrderState.PROCESSED


def two_results(store: Store) -> tuple[Result, Result]:
    """The outcomes of an order's two e-mails, which are in the hands of two workers."""
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        for _ in range(2):
            add_email(connection, seq)
        claimed = due.claim(connection, due.EMAILS, 2, LEASE)
        [order] = read(Letter, connection.execute(select(*columns(Letter, orders.c))))
    first, last = (result_of(email, order, TAKEN, "relay:25", now()) for email in claimed)
    return first, last


def order_state(store: Store) -> str:
    with store.read() as connection:
        return str(connection.execute(select(orders.c.state)).scalar_one())


def test_who_settles_the_last_mail_of_an_order_waits_for_those_who_have_more_of_it_in_hand(store: Store) -> None:
    first, last = two_results(store)

    def settling() -> None:
        with store.write() as connection:
            record(connection, [last])

    thread = threading.Thread(target=settling)
    with store.write() as connection:
        record(connection, [first], lambda _: True)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert order_state(store) == OrderState.COMPLETED


def test_who_loses_what_it_has_in_hand_of_an_order_while_it_records_looks_whether_that_was_the_last(
    store: Store,
) -> None:
    first, last = two_results(store)
    with store.write() as connection:
        record(connection, [last], lambda _: True)
    has_more = iter([True, False])
    with store.write() as connection:
        record(connection, [first], lambda _: next(has_more))
    assert order_state(store) == OrderState.COMPLETED


def counted_order(store: Store) -> int:
    """An order that is being sent, and counted as it is; two of its e-mails failed."""
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        add_email(connection, seq)
        for _ in range(2):
            add_email(connection, seq, state=EmailState.FAILED, due_at=None)
        tallies.begin(connection, {seq: {EmailState.NEW.value: 1, EmailState.FAILED.value: 2}}, always=[seq])
    return seq


def beside(
    store: Store, resource: str, action: str, first: Callable[[Connection], Any], then: Callable[[Connection], Any]
) -> BaseException | None:
    """Do one thing and another in a transaction, and between them an action on the order or a failed e-mail of it.

    The action waits for the transaction, which must not wait for the action; returns its error.
    """
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    with store.read() as connection:
        its = select(orders.c.id) if resource == "orders" else select(emails.c.id).where(EMAIL_FAILED)
        key = connection.scalars(its.limit(1)).one()

    def acting() -> None:
        with store.write() as connection:
            perform(connection, "anna", find(resource, action), key)

    with ThreadPoolExecutor() as threads, store.write() as connection:
        first(connection)
        thread = threads.submit(acting)
        wait_for(lambda: connection.scalar(waiting))
        then(connection)
        connection.commit()
        return thread.exception(patience())


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_who_cancels_the_rest_of_an_order_and_a_worker_that_counts_its_mails_do_not_wait_for_each_other(
    store: Store,
) -> None:
    seq = counted_order(store)
    counts = {seq: {tallies.OPEN: 0, EmailState.SUCCEEDED.value: 0}}
    error = beside(
        *(store, "orders", "withdraw"),
        lambda connection: completing.lock(connection, [seq], shared=True),
        lambda connection: tallies.move(connection, counts),
    )
    assert error is None


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # likewise
def test_who_retries_a_failed_mail_and_who_retries_all_that_failed_do_not_wait_for_each_other(store: Store) -> None:
    seq = counted_order(store)
    error = beside(
        *(store, "emails", "retry"),
        lambda connection: connection.execute(completing.rows([seq])),
        lambda connection: changes.try_failed_again(connection, [seq], None),
    )
    assert isinstance(error, Conflict), "the other has done it"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # likewise
def test_who_finds_out_too_late_that_it_settles_the_last_mail_does_not_wait_for_another_who_does(store: Store) -> None:
    first, last = two_results(store)
    has_more = iter([True, False])
    with store.write() as connection:
        record(connection, [first], lambda _: True)
        with pytest.raises(Unavailable, match="same orders"), store.write() as other:
            record(other, [last], lambda _: next(has_more))
    with store.write() as connection:
        record(connection, [last])
    assert order_state(store) == OrderState.COMPLETED
