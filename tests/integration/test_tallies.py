"""What became of an order's e-mails, in numbers that are counted as it happens: always those of the rows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select, text, update

from engine.admin import actions, details, jobs
from engine.admin.results import results
from engine.db.tables import emails, orders, tallies
from engine.email import outcomes
from engine.email.outcomes import record
from engine.email.smtp import Reply
from engine.events import tallies as counting
from engine.models import EmailState, OrderState
from engine.orders.withdrawing import Aim, withdraw
from engine.queue.calendars import Calendars
from tests.helpers.claims import claim_emails
from tests.helpers.mails import result
from tests.helpers.processing import batch, place
from tests.helpers.rows import add_email, add_order, count, now
from tests.helpers.uploads import lines, make_portions, opened, sent, seq_of
from tests.helpers.waiting import LONG, patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.store import Store
    from engine.email.outgoing import Outgoing

pytestmark = pytest.mark.dialects

MANY = counting.SMALL + 50


def large(store: Store, number: int = MANY) -> int:
    seq = place(store, *({"emailAddress": f"person{place}@example.no"} for place in range(number)))
    batch(store)
    return seq


def settle(store: Store, claimed: Sequence[Outgoing], state: EmailState) -> None:
    with store.write() as connection:
        record(connection, [result(each.email, state) for each in claimed])


def agree(store: Store, seq: int) -> dict[str, int]:
    """The tally of an order, which is what its rows say."""
    with store.read() as connection:
        told = counting.of_orders(connection, [seq])[seq].states
        chosen = select(emails.c.state, func.count()).where(emails.c.order_seq == seq).group_by(emails.c.state)
        there = {state: number for state, number in connection.execute(chosen)}  # noqa: C416 rows are no tuples to mypy
    there["New"] = there.pop("New", 0) + there.pop("Sending", 0)
    assert told == {state: number for state, number in there.items() if number}
    return told


def test_a_large_order_is_counted_from_its_first_email_to_its_last(store: Store) -> None:
    seq = large(store)
    assert agree(store, seq) == {"New": MANY}
    while True:
        with store.write() as connection:
            claimed = claim_emails(connection, LONG)
        if not claimed:
            break
        settle(store, claimed[:1], EmailState.FAILED_BOUNCED)
        settle(store, claimed[1:], EmailState.SUCCEEDED)
        agree(store, seq)
    told = agree(store, seq)
    assert told["Succeeded"] + told["Failed_Bounced"] == MANY
    with store.read() as connection:
        found = results(connection, [seq])[seq]
        assert connection.scalar(select(orders.c.state)) == OrderState.COMPLETED
    assert found.lately == MANY
    assert found.words == f"{told['Succeeded']} sent, {told['Failed_Bounced']} failed"


def test_what_is_sent_again_is_waiting_again(store: Store) -> None:
    seq = large(store)
    with store.write() as connection:
        claimed = claim_emails(connection, LONG)
    settle(store, claimed, EmailState.FAILED)
    with store.write() as connection:
        done = actions.act(connection, actions.find("emails", "retry"), [claimed[0].email.id], None)
        assert len(done.keys) == 1
    assert agree(store, seq) == {"New": MANY - len(claimed) + 1, "Failed": len(claimed) - 1}


def test_what_is_withdrawn_is_cancelled(store: Store) -> None:
    seq = large(store)
    with store.write() as connection:
        order_id = connection.execute(select(orders.c.id)).scalar_one()
        withdraw(connection, "ttd", order_id, Aim(None), Calendars())
    assert agree(store, seq) == {"Cancelled": MANY}


def test_recipients_that_follow_are_counted_however_few(store: Store) -> None:
    order_id = opened(store)
    sent(store, order_id, lines("a@example.no", "b@example.no"))
    with store.write() as connection:
        connection.execute(update(orders).values(state=OrderState.PROCESSING, portion=1, due_at=now()))
    make_portions(store)
    assert agree(store, seq_of(store, order_id)) == {"New": 2}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite has one writer at a time
@pytest.mark.parametrize("alone", [True, False], ids=["the last e-mails", "some e-mails"])
def test_whoever_has_an_order_may_count_while_a_worker_records(store: Store, alone: bool) -> None:  # noqa: FBT001
    """As the next portion of a large order does: neither waits for what the other has."""
    seq = large(store)
    with store.write() as connection:
        claimed = claim_emails(connection, LONG)
    written = [result(each.email, EmailState.SUCCEEDED) for each in claimed]
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")

    def work() -> None:
        with store.write() as connection:
            record(connection, written, lambda _: not alone)

    with ThreadPoolExecutor() as threads, store.write() as connection:
        connection.execute(select(orders.c.seq).where(orders.c.seq == seq).with_for_update(key_share=True))
        worker = threads.submit(work)
        wait_for(lambda: worker.done() if not alone else connection.scalar(waiting))
        counting.move(connection, {seq: {counting.OPEN: 0}})
        connection.commit()
        worker.result(patience())
    assert agree(store, seq)["Succeeded"] == len(claimed)


def test_small_orders_are_counted_when_somebody_looks(store: Store) -> None:
    seq = place(store, {"emailAddress": "a@example.no"}, {"nationalIdentityNumber": "01017012345"})
    batch(store)
    assert count(store, tallies) == 0
    with store.read() as connection:
        found = results(connection, [seq])[seq]
    assert found.counts == {"failed": 1, "waiting": 1}
    assert found.words == "1 failed, 1 waiting"


def test_of_more_orders_than_a_statement_has_places_each_is_counted(store: Store) -> None:
    with store.write() as connection:
        seqs = [add_order(connection, state=OrderState.COMPLETED) for _ in range(600)]
        for seq in seqs[1::2]:
            add_email(connection, seq, state=EmailState.SUCCEEDED)
    with store.read() as connection:
        found = results(connection, seqs)
    assert [found[seq].counts for seq in seqs] == [{}, {"sent": 1}] * 300


def test_of_a_large_order_that_an_older_version_made_the_first_are_counted(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        for _ in range(3):
            add_email(connection, seq)
        assert results(connection, [seq], most=2)[seq].words == "of the first 10,000: 2 waiting"


def test_how_far_an_order_is_and_when_it_ends(store: Store) -> None:
    large(store)
    with store.write() as connection:
        claimed = claim_emails(connection, LONG)
    settle(store, claimed, EmailState.SUCCEEDED)
    with store.write() as connection:
        connection.execute(update(tallies).where(tallies.c.slot == 0).values(minute=now() - timedelta(hours=1)))
        order_id = connection.execute(select(orders.c.id)).scalar_one()
        found = details.order(connection, order_id)["progress"]
    assert (found["done"], found["total"]) == (len(claimed), MANY)
    assert found["percent"] == 100 * len(claimed) // MANY
    assert len(claimed) / 2 <= found["per_minute"] <= len(claimed)
    assert found["ends"] > now()


def test_failures_are_grouped_by_reply_and_domain_and_each_group_is_a_list(store: Store) -> None:
    replies = [(550, "5.1.1 <a@one.example>: no such user"), (550, "5.1.1 no such user"), (554, "5.7.1 spam")]
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED)
        for place_ in range(4):
            domain = "two" if place_ == 3 else "one"
            add_email(connection, seq, address=f"person{place_}@{domain}.example", state=EmailState.NEW)
    with store.write() as connection:
        claimed = sorted(claim_emails(connection, LONG), key=lambda each: each.email.seq)
        for each, (code, reply) in zip(claimed, [*replies, (550, "5.1.1 gone")], strict=True):
            ended = outcomes.Result(
                each.email, EmailState.FAILED_BOUNCED, None, True, "rejected", "rcpt", Reply(code, reply), LONG, "r:25"
            )
            record(connection, [ended])
    with store.read() as connection:
        order_id = connection.execute(select(orders.c.id)).scalar_one()
        found = details.order(connection, order_id)
        groups = [(each["count"], each["domain"], each["code"]) for each in found["causes"]]
        assert groups[0] == (2, "one.example", "550 5.1.1")
        assert sorted(groups[1:]) == [(1, "one.example", "554 5.7.1"), (1, "two.example", "550 5.1.1")]
        assert found["causes"][0]["reply"] == "no such user"
        assert found["all_causes"]
        for each in found["causes"]:
            given = {"order": str(order_id), **each["found_by"]}
            matching = jobs.matching(connection, actions.find("emails", "retry"), given)
            assert matching.number == each["count"]


@pytest.mark.parametrize("number", [3, MANY], ids=["looked at", "counted"])
def test_an_orders_last_change_is_that_of_its_emails(store: Store, number: int) -> None:
    seq, long_ago = large(store, number), now().replace(microsecond=0) - timedelta(hours=1)
    a_minute_ago = now() - timedelta(minutes=1)  # a large order tells it to the minute
    with store.write() as connection:
        connection.execute(update(orders).values(last_update=long_ago))
        connection.execute(update(emails).values(last_update=long_ago))
        connection.execute(update(tallies).values(minute=long_ago))
        order_id = connection.execute(select(orders.c.id).where(orders.c.seq == seq)).scalar_one()
        assert details.order(connection, order_id)["last_update"] == long_ago
        claimed = claim_emails(connection, LONG)
    settle(store, claimed, EmailState.SUCCEEDED)
    with store.read() as connection:
        assert a_minute_ago < details.order(connection, order_id)["last_update"] <= now()
