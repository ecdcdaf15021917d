"""Actions of operators on all rows that match: jobs, in batches."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, func, select, update

from engine.admin import details, jobs, questions
from engine.admin.actions import act, find
from engine.admin.filters import parse
from engine.admin.jobs import confirmed, matching, start
from engine.admin.lists import page
from engine.admin.resources import EMAILS, ORDERS
from engine.db.tables import attachments, audit_log, emails, history, job_rows, orders
from engine.db.tables import jobs as jobs_table
from engine.errors import BadRequest, Conflict, Invalid, NotFound
from engine.models import EmailState, JobState, OrderState
from tests.helpers.admin_rows import HOUR, LEASE, email, order, row
from tests.helpers.rows import add_email, add_order, now

if TYPE_CHECKING:
    from sqlalchemy import Row

    from engine.db.store import Store


def test_a_batch_of_a_job_reads_none_of_its_orders_texts(store: Store) -> None:
    read: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *given: read.append(given[2]))
    with store.write() as connection:
        keys = [order(connection, state=OrderState.REGISTERED) for _ in range(2)]
        read.clear()
        assert len(act(connection, find("orders", "cancel"), keys, None).keys) == 2
    assert read
    assert not any("orders.body" in statement or "orders.recipients" in statement for statement in read)


def done(store: Store) -> int:
    """Work on the oldest job to its end; returns the number of batches."""
    with store.write() as connection:
        claimed = jobs.claim(connection, LEASE)
    assert claimed is not None
    batches, more = 0, True
    while more:
        with store.write() as connection:
            more = jobs.advance(connection, claimed)
        batches += 1
    return batches


def job(store: Store) -> Row[Any]:
    with store.read() as connection:
        return connection.execute(select(jobs_table).order_by(jobs_table.c.seq.desc())).first()  # type: ignore[return-value]


def test_all_that_match_are_done_in_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ROWS", 4)
    with store.write() as connection:
        for number in range(10):
            email(connection, EmailState.FAILED_BOUNCED, address=f"p{number}@one.example")
        left = email(connection, EmailState.FAILED_BOUNCED, address="p@other.example")
        given = {"recipient": "@one.example", "state": ""}
        assert matching(connection, find("emails", "retry"), given).number == 10
        seq = start(connection, "anna", find("emails", "retry"), given)
        line = connection.execute(select(audit_log)).one()
        assert (line.action, line.target) == ("emails.retry", f"jobs/{seq}")
        assert json.loads(line.detail) == {"filter": {"recipient": "@one.example"}, "count": 10}
    assert done(store) == 3
    ended = job(store)
    assert (ended.state, ended.total, ended.done, ended.due_at) == (JobState.DONE, 10, 10, None)
    with store.read() as connection:
        assert row(connection, EMAILS, left).state == EmailState.FAILED_BOUNCED
        assert details.email(connection, left)["history"] == []
        one = connection.scalars(select(emails.c.id).where(emails.c.address == "p7@one.example")).one()
        (line,) = details.email(connection, one)["history"]
        assert (line["who"], line["action"], line["detail"]) == ("anna", "emails.retry", {"job": seq})
        assert len(connection.execute(select(job_rows)).all()) == 10
        states = select(emails.c.state).where(emails.c.id != left)
        assert set(connection.scalars(states)) == {EmailState.NEW}


def test_what_changed_meanwhile_is_left_as_it_is(store: Store) -> None:
    with store.write() as connection:
        keys = [order(connection) for _ in range(3)]
        start(connection, "anna", find("orders", "cancel"), {})
        connection.execute(
            update(orders).where(orders.c.id == keys[0]).values(state=OrderState.PROCESSING, unresolved=1)
        )
    assert done(store) == 1
    assert (job(store).done, job(store).total) == (2, 3)


def test_a_job_for_which_another_has_left_nothing_is_done_and_has_done_nothing(store: Store) -> None:
    """Two operators press the same button; the second confirms when the first one's job is done."""
    with store.write() as connection:
        key = email(connection, EmailState.FAILED)
        asked = matching(connection, find("emails", "retry"), {})
        act(connection, find("emails", "retry"), [key], None)
        counted = confirmed(connection, find("emails", "retry"), {}, asked)
        start(connection, "ola", find("emails", "retry"), {}, None, counted)
    assert done(store) == 1
    assert (job(store).state, job(store).done, job(store).total) == (JobState.DONE, 0, 0)


def test_rescheduling_all_moves_each_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rescheduled row comes later in the list that the job walks through."""
    monkeypatch.setattr(jobs, "ROWS", 2)
    later = (now() + 9 * HOUR).replace(microsecond=0).isoformat()
    with store.write() as connection:
        for _ in range(5):
            order(connection)
        start(connection, "anna", find("orders", "reschedule"), {"state": "waiting"}, later)
    assert done(store) <= 4
    assert (job(store).done, job(store).total) == (5, 5)


def test_a_job_whose_worker_died_is_gone_on_with_and_the_dead_one_changes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ROWS", 2)
    with store.write() as connection:
        for _ in range(5):
            email(connection, EmailState.FAILED)
        start(connection, "anna", find("emails", "retry"), {})
        lost = jobs.claim(connection, timedelta(0))
    assert lost is not None
    with store.write() as connection:
        assert jobs.advance(connection, lost)
    with store.write() as connection:
        assert jobs.claim(connection, LEASE) is not None
    with store.write() as connection:
        assert not jobs.advance(connection, lost)  # its claim is not the newest any more
        assert job(store).done == 2
        connection.execute(update(jobs_table).values(due_at=now() - HOUR))
    assert done(store) == 2
    assert (job(store).state, job(store).done) == (JobState.DONE, 5)


def test_a_stopped_job_does_no_further_batch(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "ROWS", 1)
    with store.write() as connection:
        for _ in range(3):
            email(connection, EmailState.FAILED)
        seq = start(connection, "anna", find("emails", "retry"), {})
        claimed = jobs.claim(connection, LEASE)
        assert claimed is not None
        assert jobs.advance(connection, claimed)
        jobs.stop(connection, "ola", seq)
        assert not jobs.advance(connection, claimed)
        with pytest.raises(Conflict):
            jobs.stop(connection, "ola", seq)
        with pytest.raises(NotFound):
            jobs.stop(connection, "ola", 99)
        assert connection.scalar(select(func.count()).where(emails.c.state == EmailState.NEW)) == 1
        assert jobs.claim(connection, LEASE) is None
    assert (job(store).state, job(store).done) == (JobState.STOPPED, 1)


def test_how_long_ago_is_counted_from_the_beginning_of_a_job(store: Store) -> None:
    with store.write() as connection:
        before = now()
        start(connection, "anna", find("orders", "cancel"), {"creator": "ttd", "since": "24h", "until": " "})
        given = json.loads(connection.execute(select(jobs_table.c.filter)).scalar_one())
        assert given.keys() == {"creator", "since"}
        since = parse(given, ORDERS.fields, before + 30 * HOUR)["since"]
        assert before - HOUR < since + 24 * HOUR < before + HOUR


def test_more_than_a_job_may_do_is_refused_before_anything_is_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.jobs.MOST", 2)
    with store.write() as connection:
        for _ in range(3):
            order(connection)
        with pytest.raises(BadRequest, match="narrow the list down"):
            start(connection, "anna", find("orders", "cancel"), {})
        with pytest.raises(BadRequest, match="one at a time"):
            start(connection, "anna", find("orders", "resend"), {})
        with pytest.raises(Invalid):
            start(connection, "anna", find("orders", "cancel"), {"state": "nonsense"})
        assert connection.scalar(select(func.count()).select_from(jobs_table)) == 0


def test_a_job_tells_what_became_of_its_rows_and_lists_them(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED)
        for place in range(3):
            add_email(connection, seq, state=EmailState.FAILED_BOUNCED, due_at=None, address=f"a{place}@example.no")
        add_email(connection, seq, state=EmailState.FAILED_BOUNCED, due_at=None, address="")
        number = start(connection, "anna", find("emails", "retry"), {"state": "failed"})
    done(store)
    with store.write() as connection:
        first = select(func.min(emails.c.seq)).scalar_subquery()
        connection.execute(update(emails).where(emails.c.seq == first).values(state="Succeeded", due_at=None))
        found = details.job(connection, number)
        assert (found["now"], found["now_of"]) == ({"sent": 1, "waiting": 2}, 3)
        for state, count in {"Succeeded": 1, "waiting": 2, "failed": 0}.items():
            assert len(page(connection, EMAILS, {"job": str(number), "state": state}).items) == count


def test_nothing_can_be_done_is_told_with_the_reason(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED, attachments=1)
        add_email(connection, seq, state=EmailState.FAILED_INVALID_SAS_URL, due_at=None)
        given_up = {"order_seq": seq, "position": 0, "filename": "a.pdf", "mime_type": "application/pdf"}
        connection.execute(attachments.insert().values(given_up))
        asked, question = questions.of_all(connection, find("emails", "retry"), {"state": "failed"})
        assert asked.number == 0
        [line] = question.lines
        assert line.startswith("1 e-mail matches; this can be done to none of them. Of the first: Only an e-mail that")
        assert line.endswith("this one has attachments that could not be fetched: post a new order.")
        assert questions.of_all(connection, find("emails", "retry"), {"recipient": "nobody@x.no"})[1].lines == ()


def test_all_that_match_are_asked_about_with_a_sample_and_a_rate(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.COMPLETED)
        for number in range(7):
            add_email(connection, seq, state=EmailState.FAILED, due_at=None, address=f"a{number}@example.no")
        sent = {"minute": now() - timedelta(minutes=3), "series": "emails.accepted", "count": 600}
        connection.execute(history.insert().values(sent))
        _, question = questions.of_all(connection, find("emails", "retry"), {"state": "failed"})
    assert len(question.sample) == questions.SAMPLE
    assert question.lines == (
        "60 e-mails a minute were sent in the last 10 minutes: that is about 1 min for 7 e-mails.",
    )
