"""Jobs: they do what was confirmed and nothing else, and they end, whatever happens."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from engine.admin import details, jobs, pausing, questions
from engine.admin.actions import find
from engine.admin.job_lane import Jobs
from engine.db.tables import emails, orders
from engine.db.tables import jobs as jobs_table
from engine.errors import Conflict
from engine.models import EmailState, JobState, OrderState
from engine.queue import due
from engine.queue.runner import Runner
from tests.helpers.claims import claim_emails
from tests.helpers.mails import order_states
from tests.helpers.rows import PAUSED, add_email, add_order, now
from tests.helpers.waiting import LONG, wait_for

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.db.records import Job
    from engine.db.store import Store
    from engine.queue.work import Hand

HOUR = timedelta(hours=1)
CANCEL = find("orders", "cancel")


def work(store: Store) -> None:
    """Run the oldest job to its end."""
    with store.write() as connection:
        claimed = jobs.claim(connection, LONG)
    assert claimed is not None
    more = True
    while more:
        with store.write() as connection:
            more = jobs.advance(connection, claimed)


def job(store: Store) -> dict[str, Any]:
    with store.read() as connection:
        return details.job(connection, connection.execute(select(func.max(jobs_table.c.seq))).scalar_one())


@pytest.mark.parametrize("given", [{}, {"state": "later"}, {"creator": "ttd", "since": "1h"}], ids=str)
def test_a_job_is_done_to_nothing_that_came_after_the_yes(store: Store, given: dict[str, str]) -> None:
    with store.write() as connection:
        for _ in range(3):
            add_order(connection, due_in=HOUR)
        asked, _ = questions.of_all(connection, CANCEL, given)
        add_order(connection, due_in=HOUR)
        counted = jobs.confirmed(connection, CANCEL, given, asked)
        jobs.start(connection, "anna", CANCEL, given, counted=counted)
        add_order(connection, due_in=HOUR)
    work(store)
    assert (job(store)["total"], job(store)["done"]) == (3, 3)
    assert order_states(store) == ["Cancelled"] * 3 + ["Registered"] * 2


def test_a_job_is_done_to_no_more_rows_than_were_counted(store: Store) -> None:
    """A row to which the action did not apply then may replace one that has changed, but the number stays."""
    with store.write() as connection:
        busy = add_order(connection, state=OrderState.PROCESSING, unresolved=1)
        for _ in range(2):
            add_order(connection, due_in=HOUR)
        jobs.start(connection, "anna", CANCEL, {})
        connection.execute(update(orders).where(orders.c.seq == busy).values(state=OrderState.REGISTERED, unresolved=0))
    work(store)
    assert (job(store)["total"], job(store)["done"]) == (2, 2)
    assert order_states(store).count("Cancelled") == 2


def test_where_more_match_than_somebody_was_asked_about_it_is_asked_again(store: Store) -> None:
    with store.write() as connection:
        ended = add_order(connection, state=OrderState.CANCELLED)
        add_order(connection, due_in=HOUR)
        asked, _ = questions.of_all(connection, CANCEL, {})
        connection.execute(update(orders).where(orders.c.seq == ended).values(state=OrderState.REGISTERED))
        with pytest.raises(Conflict, match="2 orders match by now, not 1"):
            jobs.confirmed(connection, CANCEL, {}, asked)
        assert connection.scalar(select(func.count()).select_from(jobs_table)) == 0


def test_what_a_pause_has_held_back_is_released_whenever_it_came(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.PROCESSED)
        add_email(connection, order)
        pausing.pause(connection, "anna", "creator", "ttd")
        claim_emails(connection, LONG)
        pausing.resume(connection, "anna", "creator", "ttd")
        add_email(connection, order, **PAUSED)
    work(store)
    with store.read() as connection:
        assert connection.scalar(select(func.count()).where(emails.c.paused_by.is_not(None))) == 0


def test_the_end_of_a_pause_releases_nothing_that_another_one_covers(store: Store) -> None:
    with store.write() as connection:
        for creator in ("ttd", "skd"):
            order = add_order(connection, creator=creator, state=OrderState.PROCESSED)
            for domain in ("slow.example", "SLOW.example", "quick.example", "notslow.example"):
                add_email(connection, order, address=f"kari@{domain}")
            add_order(connection, creator=creator, **PAUSED)
        for kind, value in (("creator", "ttd"), ("creator", "skd"), ("domain", "slow.example")):
            pausing.pause(connection, "anna", kind, value)
        claim_emails(connection, LONG)
        totals = select(jobs_table.c.total).order_by(jobs_table.c.seq)
        pausing.resume(connection, "anna", "domain", "slow.example")
        assert connection.scalars(totals).all() == [], "the creators' pauses cover all"
        pausing.pause(connection, "anna", "domain", "slow.example")
        pausing.resume(connection, "anna", "creator", "ttd")
        assert connection.scalars(totals).all() == [1, 2]
    for _ in range(2):
        work(store)
    with store.read() as connection:
        left = select(emails.c.address, orders.c.creator).join(orders).where(emails.c.paused_by.is_not(None))
        held = connection.execute(left).all()
    assert len(held) == 6
    assert {address.lower() for address, creator in held if creator == "ttd"} == {"kari@slow.example"}


def break_down(_connection: Connection, *_given: object) -> None:
    raise ZeroDivisionError


def test_a_job_whose_batch_ends_in_an_error_is_given_up_and_says_why(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection), state=EmailState.FAILED, due_at=None)
        jobs.start(connection, "anna", find("emails", "retry"), {})
    monkeypatch.setattr("engine.admin.changes._open_again", break_down)
    attempts = 0
    while job(store)["due_at"] is not None:
        with store.write() as connection:
            claimed = jobs.claim(connection, LONG)
        assert claimed is not None
        with pytest.raises(ZeroDivisionError), store.write() as connection:
            jobs.advance(connection, claimed)
        with store.write() as connection:
            jobs.failed(connection, claimed)
        attempts += 1
    assert attempts == jobs.ERRORS
    assert job(store)["state"] == JobState.FAILED
    assert "an error of Varsel's" in job(store)["reason"]


def test_a_job_that_ends_its_workers_is_given_up(store: Store) -> None:
    with store.write() as connection:
        add_order(connection, due_in=HOUR)
        jobs.start(connection, "anna", CANCEL, {})
        for _ in range(due.LOST_IS_DEAD + 1):
            connection.execute(update(jobs_table).values(due_at=now() - HOUR))
            claimed = jobs.claim(connection, LONG)
        assert claimed is not None
        assert not jobs.advance(connection, claimed)
    assert job(store)["state"] == JobState.FAILED
    assert order_states(store) == ["Registered"]


def test_the_runner_extends_a_jobs_lease_while_it_works_on_it(store: Store) -> None:
    class Slow(Jobs):
        async def perform(self, hand: Hand[Job, Job], job_: Job) -> None:
            await asyncio.to_thread(wait_for, lambda: job(store)["due_at"] > job_.due_at)
            await super().perform(hand, job_)

    with store.write() as connection:
        add_order(connection, due_in=HOUR)
        jobs.start(connection, "anna", CANCEL, {})
    asyncio.run(Runner(store, Slow(store), timedelta(seconds=1)).run())
    assert (job(store)["state"], job(store)["due_at"]) == (JobState.DONE, None)
    assert order_states(store) == ["Cancelled"]


def test_a_batch_leaves_the_lease_as_it_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ROWS", 1)
    with store.write() as connection:
        for _ in range(2):
            add_order(connection, due_in=HOUR)
        jobs.start(connection, "anna", CANCEL, {})
        claimed = jobs.claim(connection, LONG)
        assert claimed is not None
        assert jobs.advance(connection, claimed)
    assert job(store)["due_at"] == claimed.due_at
