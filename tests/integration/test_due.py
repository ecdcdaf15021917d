"""The one idea, on both databases: claims, leases, fencing, hand-back."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.db.tables import email_attempts, orders
from engine.db.tables import emails as emails_table
from engine.email import outcomes
from engine.models import EmailState, OrderState
from engine.queue import due, lateness
from tests.helpers.mails import result
from tests.helpers.rows import add_email, add_order
from tests.helpers.waiting import LONG, patience

if TYPE_CHECKING:
    from engine.db.store import Store

pytestmark = pytest.mark.dialects

LEASE = LONG
SHORT = timedelta(milliseconds=-1)  # a lease that has passed already


def claim(store: Store, limit: int = 100, lease: timedelta = LEASE) -> Any:
    with store.write() as connection:
        return due.claim(connection, due.EMAILS, limit, lease)


def rows(store: Store) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(select(emails_table).order_by(emails_table.c.seq)))


def fill(store: Store, count: int, **values: Any) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.PROCESSED)
        for _ in range(count):
            add_email(connection, order, **values)


def test_what_is_due_is_claimed_oldest_first_and_only_once(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.PROCESSED)
        late = add_email(connection, order, due_in=timedelta(seconds=-1))
        early = add_email(connection, order, due_in=timedelta(seconds=-9))
        add_email(connection, order, due_in=timedelta(hours=1))

    assert [row.seq for row in claim(store, limit=1)] == [early]
    [row] = claim(store)
    assert (row.seq, row.claim, row.unresolved) == (late, 1, 1)
    assert [each.state for each in rows(store) if each.seq == late] == [EmailState.SENDING]
    assert claim(store) == []


def test_a_claim_whose_lease_has_passed_is_claimed_again_and_fences_the_first(store: Store) -> None:
    fill(store, 1)
    [first] = claim(store, lease=SHORT)
    [second] = claim(store)
    assert (second.claim, second.unresolved) == (2, 2)

    with store.write() as connection:
        outcomes.record(connection, [result(first, EmailState.FAILED)])
    assert rows(store)[0].state == EmailState.SENDING

    with store.write() as connection:
        outcomes.record(connection, [result(second)])
    [row] = rows(store)
    assert (row.state, row.due_at, row.unresolved, row.attempts) == (EmailState.SUCCEEDED, None, 0, 1)


def test_an_extended_lease_holds_and_a_handed_back_row_is_as_if_never_claimed(store: Store) -> None:
    fill(store, 2)
    kept, given = claim(store, lease=SHORT)
    with store.write() as connection:
        due.extend(connection, due.EMAILS, [kept], LEASE)
        due.hand_back(connection, due.EMAILS, [given])
    [again] = claim(store)
    assert (again.seq, again.claim, again.unresolved) == (given.seq, 3, 1)


def test_each_row_is_handed_back_with_a_time_of_its_own(store: Store) -> None:
    fill(store, 3)
    claimed = claim(store)
    waits = [timedelta(milliseconds=-1), timedelta(hours=1), timedelta(hours=2)]
    with store.write() as connection:
        due.hand_back_later(connection, due.EMAILS, list(map(due.HandedBack, claimed, waits)))
    first, second, third = rows(store)
    assert third.due_at - second.due_at == timedelta(hours=1)
    assert [row.seq for row in claim(store)] == [first.seq]


def test_handing_back_an_old_claim_changes_nothing(store: Store) -> None:
    fill(store, 1)
    [first] = claim(store, lease=SHORT)
    [second] = claim(store)
    with store.write() as connection:
        due.hand_back(connection, due.EMAILS, [first])
        due.extend(connection, due.EMAILS, [first], timedelta(hours=1))
    [row] = rows(store)
    assert (row.state, row.claim, row.due_at) == (EmailState.SENDING, 2, second.due_at)


def test_claims_at_the_same_time_share_nothing_out_twice(store: Store) -> None:
    fill(store, 200)
    with ThreadPoolExecutor(8) as pool:
        claimed = [row.seq for batch in pool.map(lambda _: claim(store, limit=25), range(8)) for row in batch]
    assert len(claimed) == len(set(claimed)) == 200


def test_two_workers_that_settle_the_last_two_emails_at_once_complete_the_order(store: Store) -> None:
    for _ in range(10):
        fill(store, 2)
        pair = claim(store)
        together = threading.Barrier(2)

        def settle(email: Any, together: threading.Barrier = together) -> None:
            together.wait(patience())
            with store.write() as connection:
                outcomes.record(connection, [result(email)])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(settle, pair))
    with store.read() as connection:
        states = connection.scalars(select(orders.c.state)).all()
        assert states == [OrderState.COMPLETED] * 10
        assert len(connection.execute(select(email_attempts)).all()) == 20


def test_a_deferred_email_is_due_after_its_delay_and_keeps_its_order_open(store: Store) -> None:
    fill(store, 1)
    [email] = claim(store)
    with store.write() as connection:
        outcomes.record(connection, [result(email, EmailState.NEW, timedelta(minutes=10))])
        until = lateness.next_due(connection).get(due.EMAILS.name)
        assert connection.scalars(select(orders.c.state)).one() == OrderState.PROCESSED
    assert until is not None
    assert timedelta(minutes=9) < until <= timedelta(minutes=10)


def test_nothing_waits_in_an_empty_lane(store: Store) -> None:
    with store.read() as connection:
        assert lateness.next_due(connection).get(due.EMAILS.name) is None


def test_a_row_that_lost_two_workers_is_worked_on_alone(store: Store) -> None:
    fill(store, 5)
    with store.write() as connection:
        suspect = min(row.seq for row in connection.execute(select(emails_table.c.seq)))
        connection.execute(update(emails_table).where(emails_table.c.seq == suspect).values(unresolved=2))
    claimed = claim(store)
    work, rest = due.isolate(claimed)
    assert [row.seq for row in work] == [suspect]
    assert len(rest) == 4
    assert due.isolate(rest) == (rest, ())
