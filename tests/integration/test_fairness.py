"""Creators take turns, on both databases: shares, priorities, what small orders pass, and what becomes ready when."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text, update

from engine.db.dialects import Now
from engine.db.tables import emails, milliseconds, orders
from engine.models import Priority
from engine.queue import due
from engine.queue.fairness import STEP, FairClaims, Turns
from engine.queue.flows import FLOWS, READIED
from tests.helpers.claims import claim_orders
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.records import Email
    from engine.db.store import Store

CREATOR = select(orders.c.creator).where(orders.c.seq == emails.c.order_seq).scalar_subquery()
MANY = "INSERT INTO emails (id, {0}) SELECT gen_random_uuid(), {0} FROM emails, generate_series(1, 5000)"
KNOWN = "UPDATE pg_class SET reltuples = 100000, relpages = pg_relation_size(oid) / 8192 WHERE relname = 'emails'"
READ = "SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'emails'"
USUAL = (Priority.NORMAL, Priority.BULK)


def claims(priorities: Sequence[Priority] = USUAL, **turns: Any) -> FairClaims[Email]:
    return FairClaims(due.EMAILS, Turns(priorities, **turns), copied={"creator": CREATOR})


def claim(store: Store, fair: FairClaims[Email], limit: int) -> list[Email]:
    with store.write() as connection:
        return list(fair.claim(connection, limit, LONG).rows)


def backlog(store: Store, creator: str, count: int, priority: Priority = Priority.NORMAL, **values: Any) -> int:
    """Due e-mails of one order; returns the order's `seq`."""
    with store.write() as connection:
        order = add_order(connection, creator=creator, priority=priority.level)
        for _ in range(count):
            add_email(connection, order, priority=priority.level, creator=creator, **values)
    return order


def of_each(claimed: Sequence[Email]) -> Counter[str]:
    return Counter(email.creator for email in claimed)


def ranks(store: Store) -> list[int | None]:
    with store.read() as connection:
        return list(connection.scalars(select(emails.c.rank).order_by(emails.c.seq)))


def test_each_creator_gets_an_equal_part_however_much_it_has_waiting(store: Store) -> None:
    for creator, count in {"large": 200, "middle": 30, "small": 25}.items():
        backlog(store, creator, count)
    fair = claims()
    assert of_each(claim(store, fair, 60)) == {"large": 20, "middle": 20, "small": 20}
    assert of_each(claim(store, fair, 60))["small"] == 5


def test_what_one_creator_does_not_use_goes_to_the_others(store: Store) -> None:
    backlog(store, "large", 100)
    backlog(store, "small", 3)
    assert of_each(claim(store, claims(), 60)) == {"large": 57, "small": 3}


def test_a_weight_is_a_larger_part(store: Store) -> None:
    for creator in ("heavy", "light", "usual"):
        backlog(store, creator, 100)
    fair = claims(weights={"heavy": 2.5, "light": 0.5})
    assert of_each(claim(store, fair, 80)) == {"heavy": 50, "usual": 20, "light": 10}


def test_bulk_has_its_part_and_all_of_it_when_nothing_else_is_ready(store: Store) -> None:
    backlog(store, "ttd", 100, Priority.BULK)
    backlog(store, "skd", 60)
    fair = claims(bulk=0.25)
    assert of_each(claim(store, fair, 40)) == {"ttd": 10, "skd": 30}
    assert of_each(claim(store, fair, 60)) == {"ttd": 30, "skd": 30}
    assert of_each(claim(store, fair, 40)) == {"ttd": 40}


def test_instant_rows_are_claimed_by_the_runner_that_is_for_them(store: Store) -> None:
    backlog(store, "ttd", 2, Priority.INSTANT)
    backlog(store, "ttd", 3)
    assert {email.priority for email in claim(store, claims((Priority.INSTANT,)), 10)} == {Priority.INSTANT.level}
    assert len(claim(store, claims(), 10)) == 3


def test_a_small_order_passes_most_of_a_large_one_of_the_same_creator(store: Store) -> None:
    began = milliseconds(now()) - 5_000
    backlog(store, "ttd", 0)
    with store.write() as connection:
        large, small = (add_order(connection) for _ in range(2))
        for place in range(200):
            add_email(connection, large, creator="ttd", rank=began + STEP * place)
        add_email(connection, small, creator="ttd", rank=began + 5_000)
    claimed = claim(store, claims(), 60)
    assert [email.order_seq for email in claimed].index(small) >= 0
    assert Counter(email.order_seq for email in claimed) == {large: 59, small: 1}


def test_more_creators_than_a_claim_looks_at_take_turns(store: Store) -> None:
    creators = [f"c{n:03}" for n in range(FLOWS + 10)]
    for creator in creators:
        backlog(store, creator, 2)
    fair = claims()
    first, second = (of_each(claim(store, fair, FLOWS)) for _ in range(2))
    assert first == dict.fromkeys(creators[:FLOWS], 1)
    assert second == dict.fromkeys(creators[FLOWS:], 1) | dict.fromkeys(creators[: FLOWS - 10], 1)


def test_more_creators_than_a_claim_has_rows_take_turns(store: Store) -> None:
    creators = [f"c{n}" for n in range(7)]
    for creator in creators:
        backlog(store, creator, 4)
    fair = claims()
    seen = sum((of_each(claim(store, fair, 4)) for _ in range(7)), Counter[str]())
    assert seen == dict.fromkeys(creators, 4)


def test_they_take_turns_also_while_others_become_ready(store: Store) -> None:
    creators = [f"c{n}" for n in range(7)]
    for creator in creators:
        backlog(store, creator, 20)
    fair, seen = claims(), Counter[str]()
    for _ in range(14):
        backlog(store, "a", 1)  # due, and not ready: the claim looks twice
        seen += of_each(claim(store, fair, 4))
    assert min(seen[creator] for creator in creators) >= 5
    assert max(seen[creator] for creator in creators) <= 9


@pytest.mark.dialects
def test_a_claim_reads_no_more_of_a_backlog_than_it_takes_though_nobody_has_counted_that(store: Store) -> None:
    backlog(store, "ttd", 1, rank=1)
    if store.dialect.name == "postgresql":
        with store.write() as connection:
            connection.exec_driver_sql(MANY.format(", ".join(c.name for c in emails.c if c.name not in {"seq", "id"})))
            connection.exec_driver_sql(KNOWN)
        with store.write() as connection:
            assert len(claims().claim(connection, 10, LONG).rows) == 10
            assert connection.scalar(text(READ)) < 100


def test_the_rows_of_all_creators_are_mixed(store: Store) -> None:
    for creator, count in {"large": 20, "middle": 4, "small": 2}.items():
        backlog(store, creator, count)
    claimed = claim(store, claims(), 26)
    assert of_each(claimed[:13]) == {"large": 10, "middle": 2, "small": 1}
    assert [email.seq for email in claimed if email.creator == "large"] == sorted(
        email.seq for email in claimed if email.creator == "large"
    )


def test_what_is_due_becomes_ready_with_the_name_of_its_creator(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, creator="skd")
        add_email(connection, order)  # as by an older version
        add_email(connection, order, due_in=timedelta(hours=1))
    [email] = claim(store, claims(), 10)
    assert email.creator == "skd"


def test_a_claimed_row_is_not_ready_and_a_lease_that_ended_makes_it_ready_again(store: Store) -> None:
    backlog(store, "ttd", 1)
    fair = claims()
    [email] = claim(store, fair, 10)
    assert ranks(store) == [None]
    assert claim(store, fair, 10) == []
    with store.write() as connection:
        connection.execute(update(emails).values(due_at=Now()))
    [again] = claim(store, fair, 10)
    assert (again.seq, again.claim, again.unresolved) == (email.seq, email.claim + 1, 2)


def test_more_due_rows_than_one_claim_makes_ready_are_all_claimed(store: Store) -> None:
    count = READIED + 20
    backlog(store, "ttd", count)
    fair, seen = claims(), 0
    while claimed := claim(store, fair, 400):
        seen += len(claimed)
    assert seen == count


@pytest.mark.parametrize("change", [{"due_at": None}])
def test_a_row_without_a_due_time_cannot_be_ready(store: Store, change: dict[str, Any]) -> None:
    backlog(store, "ttd", 1, rank=1)
    with pytest.raises(Exception, match=r"(?i)check"), store.write() as connection:
        connection.execute(update(emails).values(change))


def test_orders_take_turns_too(store: Store) -> None:
    with store.write() as connection:
        for _ in range(150):
            add_order(connection, due_in=timedelta(seconds=-9), creator="large")
        add_order(connection, due_in=timedelta(seconds=-1), creator="small")
    with store.write() as connection:
        assert Counter(order.creator for order in claim_orders(connection, LONG)) == {"large": 99, "small": 1}


def test_however_few_rows_a_claim_takes_bulk_gets_its_part_and_no_more(store: Store) -> None:
    backlog(store, "bulk", 30, Priority.BULK)
    backlog(store, "normal", 30)
    fair = claims()
    assert of_each([email for _ in range(20) for email in claim(store, fair, 1)]) == {"normal": 18, "bulk": 2}


def test_among_rows_that_wait_for_two_everybody_gets_turns_for_each(store: Store) -> None:
    names = ("a", "b", "c")
    for name in names:
        for target in ("domain one.no", "domain two.no"):
            backlog(store, name, 4, waits_for=target, rank=1)
    fair = FairClaims(due.EMAILS, Turns(USUAL), waiting=True)
    for number in range(12):
        target = ("domain one.no", "domain two.no")[number % 2]
        with store.write() as connection:
            [taken] = fair.claim(connection, 1, LONG, target=target).rows
            assert (taken.waits_for, taken.creator) == (target, names[number // 2 % 3])
