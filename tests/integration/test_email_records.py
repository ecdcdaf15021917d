"""What becomes of a batch of e-mails that cannot be recorded, sent or ended properly."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text, update

from engine.db.dialects import Now, after
from engine.db.tables import emails
from engine.email.messages import Messages
from engine.email.outcomes import BACKOFF, RELAY_RETRY
from engine.models import DeliveryGuarantee, EmailState, OrderState
from tests.helpers.mails import batch, failing_with, fill, log, one, order_states, rows
from tests.helpers.ports import free_port
from tests.helpers.relaying import Delivering, deliver
from tests.helpers.rows import now
from tests.helpers.waiting import due_between, wait_for
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    from engine.db.store import Store

BROKEN = {
    "sqlite": ("CREATE TRIGGER broken BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, 'broken'); END",),
    "postgresql": (
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$",
        "CREATE TRIGGER broken BEFORE {act} ON {table} FOR EACH ROW EXECUTE FUNCTION broken()",
    ),
}


def break_(store: Store, act: str, table: str) -> None:
    """Let every such statement fail, with an error that is in no table of faults."""
    with store.write() as connection:
        for statement in BROKEN[store.dialect.name]:
            connection.execute(text(statement.format(act=act, table=table)))


def mend(store: Store, table: str) -> None:
    with store.write() as connection:
        connection.execute(text("DROP TRIGGER broken" + (f" ON {table}" if store.dialect.name == "postgresql" else "")))


@pytest.mark.dialects
@pytest.mark.parametrize("table", ["email_attempts", "events"])
def test_an_email_that_was_sent_has_its_state_though_nothing_else_can_be_recorded(store: Store, table: str) -> None:
    fill(store, "kari@example.no")
    break_(store, "INSERT", table)
    assert len(batch(store).accepted) == 1
    assert (one(store).state, one(store).due_at, one(store).unresolved) == (EmailState.SUCCEEDED, None, 0)
    assert order_states(store) == [OrderState.COMPLETED]


@pytest.mark.dialects
def test_an_email_that_was_sent_waits_until_its_state_is_recorded(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    async def mended(deliverer: Delivering) -> None:
        running = asyncio.create_task(deliverer.run())
        await asyncio.to_thread(wait_for, lambda: "the substitute for an outcome could not be recorded" in caplog.text)
        assert not running.done()
        await asyncio.to_thread(mend, store, "emails")
        await running

    fill(store, "kari@example.no")
    break_(store, "UPDATE OF attempts", "emails")
    with ScriptedSMTP() as server:
        deliver(store, server.url, mended)
    assert len(server.accepted) == 1
    assert (one(store).state, one(store).due_at) == (EmailState.SUCCEEDED, None)


def test_an_attempt_that_fails_in_an_error_of_ours_is_repeated_and_ends_with_the_reason(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(store, "kari@example.no")
    monkeypatch.setattr(Messages, "made", failing_with(RuntimeError()))
    for count in range(1, len(BACKOFF) + 2):
        batch(store)
        assert one(store).attempts == count
        with store.write() as connection:
            connection.execute(update(emails).where(emails.c.due_at.is_not(None)).values(due_at=Now()))
    assert (one(store).state, one(store).due_at) == (EmailState.FAILED, None)
    assert [line.outcome for line in log(store)] == ["deferred"] * len(BACKOFF) + ["abandoned"]
    assert "RuntimeError" in log(store)[-1].reply
    assert caplog.text.count("Traceback") == 1


def test_an_attempt_that_fails_in_an_error_of_ours_is_the_last_when_there_may_be_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, "kari@example.no", order={"guarantee": DeliveryGuarantee.AT_MOST_ONCE})
    monkeypatch.setattr(Messages, "made", failing_with(RuntimeError()))
    batch(store)
    assert one(store).state == EmailState.FAILED


def test_while_the_relay_is_down_everything_is_handed_back_and_nobody_knocks_again(store: Store) -> None:
    fill(store, *[f"kari.{n}@example.no" for n in range(10)])
    url = f"smtp://127.0.0.1:{free_port()}"

    async def twice(deliverer: Delivering) -> None:
        await deliverer.run()
        with store.write() as connection:
            connection.execute(update(emails).values(due_at=after(timedelta(0))))
        await deliverer.run()

    deliver(store, url, twice)
    for row in rows(store).values():
        assert (row.state, row.attempts, row.unresolved, row.claim) == (EmailState.NEW, 0, 0, 2)
    assert {line.outcome for line in log(store)} == {"deferred"}
    assert len(log(store)) <= 2  # one per connection, not one per e-mail


def test_what_is_handed_back_by_a_relay_that_is_down_waits_a_little(store: Store) -> None:
    fill(store, "kari@example.no", "ola@example.no", "nils@example.no")
    began = now()
    batch(store, {"connect": Say(421, "4.3.2 closed", close=True)})
    for row in rows(store).values():
        assert due_between(row.due_at, began, timedelta(0), RELAY_RETRY)


def test_a_worker_that_is_ending_begins_nothing(store: Store) -> None:
    fill(store, "kari@example.no")

    async def ending(deliverer: Delivering) -> None:
        deliverer.stop()
        await deliverer.run()

    with ScriptedSMTP() as server:
        deliver(store, server.url, ending)
    assert one(store).claim == 0
