"""Leases: what is sent stays with its worker until the outcome is recorded, and what is lost is not sent."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text, update

from engine.db.tables import emails
from engine.email import outcomes
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState
from engine.queue import due
from engine.queue.leases import Leases
from tests.helpers.claims import claim_emails
from tests.helpers.mails import result
from tests.helpers.relaying import Delivering
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import LONG, slowness
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Row

    from engine.db.records import Email
    from engine.db.store import Store

LEASE = timedelta(seconds=min(slowness(), 3))

FULL = """
    CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER disk_full BEFORE INSERT ON {table} EXECUTE FUNCTION disk_full()
"""


DEADLOCKS = """
    CREATE SEQUENCE deadlocks;
    CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF nextval('deadlocks') > 3 THEN RETURN NEW; END IF;
       RAISE EXCEPTION 'deadlock detected' USING ERRCODE = 'deadlock_detected'; END $$;
    CREATE TRIGGER deadlock BEFORE UPDATE ON emails FOR EACH ROW EXECUTE FUNCTION deadlock()
"""


@contextmanager
def disk_full(store: Store, table: str) -> Iterator[None]:
    """Within the block, rows of the table can be changed but not added, as if the disk were full."""
    with store.write() as connection:
        connection.execute(text(FULL.format(table=table)))
    yield
    with store.write() as connection:
        connection.execute(text(f"DROP TRIGGER disk_full ON {table}"))


def an_email(store: Store, **values: Any) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, state=OrderState.PROCESSED), **values)


def one(store: Store) -> Row[Any]:
    with store.read() as connection:
        return connection.execute(select(emails)).one()


def claim(store: Store, lease: timedelta = LONG) -> list[Email]:
    with store.write() as connection:
        return list(due.claim(connection, due.EMAILS, 10, lease))


def made_ready(store: Store) -> Email:
    """An e-mail whose lease has ended, and which another worker has made ready without claiming it yet."""
    an_email(store)
    [held] = claim(store)
    past, ready = now() - timedelta(seconds=1), 1
    with store.write() as connection:
        connection.execute(update(emails).values(due_at=past, rank=ready, creator="ttd"))
    return held


def test_an_outcome_is_recorded_though_the_lease_has_ended_and_others_are_about_to_claim(store: Store) -> None:
    held = made_ready(store)
    with store.write() as connection:
        outcomes.record(connection, [result(held)])
    assert (one(store).state, one(store).due_at, one(store).rank) == (EmailState.SUCCEEDED, None, None)


def test_a_lease_that_ended_and_is_extended_in_time_is_nobody_elses(store: Store) -> None:
    held = made_ready(store)
    with store.write() as connection:
        assert due.extend(connection, due.EMAILS, [held], LONG)
        assert not claim_emails(connection, LONG)


def test_what_is_held_back_after_its_lease_has_ended_is_not_claimed_before_its_time(store: Store) -> None:
    held = made_ready(store)
    with store.write() as connection:
        due.hand_back_later(connection, due.EMAILS, [due.HandedBack(held, LONG)])
        assert not claim_emails(connection, LONG)


def test_what_is_paused_after_its_lease_has_ended_is_paused(store: Store) -> None:
    held = made_ready(store)
    with store.write() as connection:
        due.pause(connection, due.EMAILS, [held], {held.seq: "creator:ttd"})
    assert (one(store).due_at, one(store).paused_by, one(store).rank) == (None, "creator:ttd", None)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_mail_stays_leased_until_its_outcome_is_recorded(store: Store) -> None:
    """The disk is full for several leases: another worker that polls gets nothing to send again."""
    an_email(store)

    async def deliver(url: str) -> None:
        relay = Relay(url, connections=1, connect_timeout=LONG, data_timeout=LONG)
        try:
            sending = asyncio.create_task(Delivering(store, relay, 1, LEASE).run())
            with disk_full(store, "email_attempts"):
                await asyncio.to_thread(server.wait_for, lambda: bool(server.accepted))
                since = one(store).due_at
                while one(store).due_at < since + 3 * LEASE:
                    assert await store.writing(due.claim, due.EMAILS, 10, LEASE) == []
                    await asyncio.sleep(0.01)
            await sending
        finally:
            await relay.close()

    with ScriptedSMTP() as server:
        asyncio.run(deliver(server.url))
    assert len(server.messages) == 1
    assert (one(store).state, one(store).claim) == (EmailState.SUCCEEDED, 2)  # claimed once, which has ended


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_lease_is_kept_though_extending_it_meets_deadlocks(store: Store) -> None:
    """Three deadlocks would take a whole lease if the write were not tried again sooner."""
    an_email(store)
    leases: Leases[Email] = Leases(store, due.EMAILS, LEASE)
    leases.take(claim(store, LEASE))
    with store.write() as connection:
        connection.execute(text(DEADLOCKS))

    async def keep() -> None:
        since = one(store).due_at
        async with leases.kept():
            while one(store).due_at < since + 2 * LEASE:
                assert await store.writing(due.claim, due.EMAILS, 10, LEASE) == []
                await asyncio.sleep(0.01)

    asyncio.run(keep())


def test_a_row_is_held_until_its_lease_ends_by_the_databases_clock(store: Store) -> None:
    an_email(store)
    leases: Leases[Email] = Leases(store, due.EMAILS, LEASE)
    [row] = claim(store, LEASE)
    assert not leases.ours(row)
    leases.take([row])
    assert leases.ours(row)
    while not (taken_over := claim(store)):  # nobody extends it
        pass
    assert not leases.ours(row)
    leases.take(taken_over)
    assert leases.ours(taken_over[0])
    leases.let_go(taken_over)
    assert not leases.ours(taken_over[0])


def test_who_extends_learns_what_is_lost(store: Store) -> None:
    for address in ("kept@example.no", "lost@example.no", "recorded@example.no"):
        an_email(store, address=address)
    kept, lost, recorded = claim(store, timedelta(0))
    with store.write() as connection:
        connection.execute(emails.update().where(emails.c.seq == lost.seq).values(claim=2))
        outcomes.record(connection, [result(recorded)])

    leases: Leases[Email] = Leases(store, due.EMAILS, LONG)
    leases.take([kept, lost, recorded])
    asyncio.run(leases.extend())
    assert [leases.ours(row) for row in (kept, lost, recorded)] == [True, False, False]
