"""Retention: what is removed in time, and what stays, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select, update

from engine.db.dialects import after
from engine.db.retention import FILES, ROWS, Reached, prune_some
from engine.db.tables import attachments, deliveries, emails, events, idempotency_keys, job_rows, jobs, orders
from engine.events.storing import persist
from engine.models import OrderState, new_id
from tests.helpers.attachments import place_with
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, count, now

if TYPE_CHECKING:
    from engine.db.store import Store

pytestmark = pytest.mark.dialects

YEAR, DAY = timedelta(days=365), timedelta(days=1)
KEPT = timedelta(days=90)


def test_finished_orders_go_with_their_emails_and_open_ones_stay(store: Store) -> None:
    with store.write() as connection:
        for age, state in (
            (YEAR, OrderState.COMPLETED),
            (YEAR, OrderState.CANCELLED),
            (YEAR, OrderState.SEND_CONDITION_NOT_MET),
            (YEAR, OrderState.SET_ASIDE),
            (YEAR, OrderState.PROCESSED),
            (DAY, OrderState.COMPLETED),
        ):
            seq = add_order(connection, state=state)
            add_email(connection, seq)
            ended = {"created": after(-YEAR), "last_update": after(-age)}  # whatever time it had waited before
            connection.execute(update(orders).where(orders.c.seq == seq).values(ended))
        assert not prune_some(connection, KEPT)
    assert (count(store, orders), count(store, emails)) == (2, 2)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
def test_an_order_that_somebody_opens_again_meanwhile_stays(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED, due_in=None, last_update=now() - YEAR)
        add_email(connection, seq)
    with store.write() as operator:
        operator.execute(update(orders).where(orders.c.seq == seq).values(state=OrderState.PROCESSED))
        with store.write() as connection:
            prune_some(connection, KEPT)
    assert (count(store, orders), count(store, emails)) == (1, 1)


def test_attachments_go_a_few_at_a_time_and_their_orders_behind_them(store: Store) -> None:
    for _ in range(2):
        place_with(store, *[b"Hei"] * (FILES - 1), state=OrderState.COMPLETED)
    with store.write() as connection:
        connection.execute(update(orders).values(due_at=None, fetches=None, last_update=after(-YEAR)))
    left = []
    for _ in range(2):
        with store.write() as connection:
            more = prune_some(connection, KEPT)
        left.append((count(store, orders), count(store, attachments), more))
    assert left == [(1, FILES - 2, True), (0, 0, False)]


def test_events_go_with_their_deliveries_in_batches(store: Store) -> None:
    with store.write() as connection:
        add_subscription(connection, "https://example.no/")
        persist(connection, [an_event() for _ in range(ROWS + 10)])
        connection.execute(update(events).where(events.c.seq <= ROWS + 5).values(registered=after(-YEAR)))
    with store.write() as connection:
        assert prune_some(connection, KEPT)
    assert (count(store, events), count(store, deliveries)) == (10, 10)
    with store.write() as connection:
        assert not prune_some(connection, KEPT)
    assert (count(store, events), count(store, deliveries)) == (5, 5)


def test_idempotency_keys_are_forgotten_after_two_days(store: Store) -> None:
    with store.write() as connection:
        for name, age in (("old", timedelta(hours=49)), ("young", timedelta(hours=47))):
            row = {"creator": "ttd", "key": name, "fingerprint": "f", "answer": "null", "created": after(-age)}
            order = add_order(connection)
            order_id = connection.execute(select(orders.c.id).where(orders.c.seq == order)).scalar_one()
            connection.execute(insert(idempotency_keys).values(row | {"order_id": order_id}))
        prune_some(connection, KEPT)
        assert connection.execute(select(idempotency_keys.c.key)).scalars().all() == ["young"]


def test_ended_jobs_go_when_all_is_gone_that_says_to_what_they_were_done(store: Store) -> None:
    job = {"who": "anna", "resource": "emails", "action": "retry", "filter": "{}", "total": 1, "created": after(-YEAR)}
    with store.write() as connection:
        for state, age, due_at in (("Done", YEAR, None), ("Done", DAY, None), ("Running", YEAR, after(DAY))):
            values = job | {"state": state, "last_update": after(-age), "due_at": due_at}
            seq = connection.execute(insert(jobs).values(values).returning(jobs.c.seq)).scalar_one()
            row = insert(job_rows).values(job_seq=seq, at=after(-age))
            connection.execute(row, [{"target": f"emails/{number}"} for number in range(ROWS + 1)])
    for more, jobs_left, rows_left in ((True, 3, 2 * ROWS + 3), (False, 2, 2 * ROWS + 2)):
        with store.write() as connection:
            assert prune_some(connection, KEPT) is more
        assert (count(store, jobs), count(store, job_rows)) == (jobs_left, rows_left)


def test_what_belongs_to_the_old_goes_before_it_in_steps_of_its_own(store: Store) -> None:
    with store.write() as connection:
        seqs = [add_subscription(connection, "https://example.no/") for _ in range(3)]
        persist(connection, [an_event() for _ in range(ROWS // 2)])
        connection.execute(update(events).values(registered=after(-YEAR)))
        order = add_order(connection, state=OrderState.COMPLETED, last_update=after(-YEAR))
        for _ in range(ROWS + 1):
            add_email(connection, order)
    assert len(seqs) * (ROWS // 2) > ROWS
    steps = []
    more = True
    while more:
        before = [count(store, table) for table in (deliveries, events, emails, orders)]
        with store.write() as connection:
            more = prune_some(connection, KEPT)
        left = [count(store, table) for table in (deliveries, events, emails, orders)]
        steps.append([one - other for one, other in zip(before, left, strict=True)])
    assert all(max(step) <= ROWS for step in steps)
    assert [sum(counts) for counts in zip(*steps, strict=True)] == [3 * (ROWS // 2), ROWS // 2, ROWS + 1, 1]
    assert left == [0, 0, 0, 0]


def test_what_the_oldest_orders_have_goes_whatever_else_is_old(store: Store) -> None:
    """A batch looks at the oldest alone: those behind them, which may be millions, have e-mails of their own."""
    with store.write() as connection:
        for each in (ROWS + 1, 0, 1):
            order = add_order(connection, state=OrderState.COMPLETED, last_update=after(-YEAR))
            for _ in range(each):
                add_email(connection, order)
    left, reached = [], Reached()
    more = True
    while more:
        with store.write() as connection:
            more = prune_some(connection, KEPT, reached)
        left.append((count(store, orders), count(store, emails)))
    assert left == [(3, 2), (0, 0)]


def test_a_batch_begins_where_the_one_before_it_began(store: Store) -> None:
    with store.write() as connection:
        persist(connection, [an_event() for _ in range(3)])
        for number in range(3):
            at = after(-YEAR + number * DAY)
            add_order(connection, state=OrderState.COMPLETED, last_update=at)
            connection.execute(update(events).where(events.c.seq == number + 1).values(registered=at))
        second = connection.execute(select(orders.c.last_update).where(orders.c.seq == 2)).scalar_one()
        reached = Reached(orders=second, events=second - timedelta(seconds=1))
    for now_reached, left in ((reached, 1), (Reached(), 0)):
        with store.write() as connection:
            assert not prune_some(connection, KEPT, now_reached)
        assert (count(store, orders), count(store, events)) == (left, left)
    assert reached.orders == second


def test_forgotten_idempotency_keys_go_in_steps(store: Store) -> None:
    with store.write() as connection:
        old = {
            "creator": "ttd",
            "fingerprint": "f",
            "answer": "null",
            "order_id": new_id(now()),
            "created": after(-YEAR),
        }
        for name in range(ROWS + 1):
            connection.execute(insert(idempotency_keys).values(old | {"key": str(name)}))
        assert prune_some(connection, KEPT)
    assert count(store, idempotency_keys) == 1
