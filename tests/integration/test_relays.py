"""Several relays: weights share the mail, and others take over while one is down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine.db.tables import processes
from engine.email.outcomes import RELAY_RETRY
from engine.models import EmailState
from engine.observability.heartbeat import Heartbeat, Kind
from tests.helpers.mails import log, rows
from tests.helpers.several_relays import MAILS, Worker, fill, got, servers, setting, states
from tests.helpers.waiting import wait_for
from tests.servers.smtp_script import Close, Hang, Say

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.servers.smtp_script import Script


def test_weights_share_the_mail(store: Store) -> None:
    addresses = fill(store, MAILS)
    with servers({}, {}) as (a, b):
        Worker(store, f"3*{a.url},{b.url}").run()
    assert got(a, b) == sorted(addresses)
    assert (len(a.accepted), len(b.accepted)) == (MAILS * 3 // 4, MAILS // 4)
    assert {line.relay for line in log(store)} == {f"127.0.0.1:{a.port}", f"127.0.0.1:{b.port}"}


@pytest.mark.parametrize("script", [{"connect": Close()}, {"connect": Say(554, "5.7.1 no", close=True)}])
def test_while_one_is_down_the_other_takes_all_and_then_both_share_again(store: Store, script: Script) -> None:
    fill(store, MAILS)
    with servers(script, {}) as (a, b):

        async def work(worker: Worker) -> None:
            await worker.deliver()
            assert states(store) == {EmailState.SUCCEEDED}, "none waits for the relay that is down"
            assert len(b.accepted) == MAILS
            trouble = worker.relays.trouble
            assert trouble
            assert trouble.relay == f"127.0.0.1:{a.port}"
            assert trouble.text.startswith("its e-mails go over other relays (")
            a.script = {}
            worker.wait_no_more()
            fill(store, MAILS, creator="skd")
            await worker.deliver()
            assert len(a.accepted) == 1, "one finds out whether it is back"
            assert worker.relays.trouble is None
            fill(store, MAILS, creator="nav")
            await worker.deliver()

        Worker(store, setting(a, b)).run(work)
    assert states(store) == {EmailState.SUCCEEDED}
    assert len(got(a, b)) == 3 * MAILS
    assert len(a.accepted) == 1 + MAILS // 2


def test_a_relay_that_hangs_keeps_nobody_but_one_who_tries_it(store: Store) -> None:
    """One that was down is asked with one e-mail, not with its share of the others."""
    fill(store, 2)
    with servers({"connect": Close()}, {}) as (a, b):

        async def work(worker: Worker) -> None:
            await worker.deliver()
            a.script = {"connect": Hang()}
            worker.wait_no_more()
            fill(store, MAILS, creator="skd")
            running = asyncio.create_task(worker.deliver())
            await asyncio.to_thread(b.wait_for, lambda: len(b.accepted) == 2 + MAILS - 1)
            a.script = {}
            a.release()
            await running

        Worker(store, setting(a, b)).run(work)
    assert states(store) == {EmailState.SUCCEEDED}
    assert len(got(a, b)) == 2 + MAILS


def test_a_relay_that_refuses_a_creator_is_passed_over_for_that_creator(store: Store) -> None:
    fill(store, MAILS)
    with servers({"rcpt": Say(554, "5.7.1 Relay access denied")}, {}) as (a, b):
        Worker(store, setting(a, b)).run()
    refused = [row for row in rows(store).values() if row.state == EmailState.NEW]
    assert a.count("rcpt") == len(refused) < MAILS // 3
    assert len(b.accepted) == MAILS - len(refused)


def test_two_that_are_down_are_both_told_and_tried_again(store: Store) -> None:
    fill(store, 5)
    with servers({"connect": Close()}, {"connect": Close()}) as (a, b):

        async def work(worker: Worker) -> None:
            await worker.deliver()
            trouble = worker.relays.trouble
            assert trouble
            assert trouble.relay == f"127.0.0.1:{a.port}, 127.0.0.1:{b.port}"
            assert trouble.text.startswith(f"e-mails wait (127.0.0.1:{a.port}: ")
            assert all(row.due_at - row.last_update >= RELAY_RETRY for row in rows(store).values() if row.attempts)

        Worker(store, setting(a, b)).run(work)
    assert states(store) == {EmailState.NEW}
    assert not any(row.attempts for row in rows(store).values())


def test_the_list_of_processes_names_the_relay_that_has_trouble(store: Store) -> None:
    fill(store, MAILS)
    with servers({"connect": Close()}, {}) as (a, b):

        async def work(worker: Worker) -> None:
            heartbeat = Heartbeat(store, Kind("worker", worker.relays.names, lambda: worker.relays.trouble))
            heartbeat.start()
            await asyncio.to_thread(wait_for, lambda: relay_of(store) == f"127.0.0.1:{a.port}, 127.0.0.1:{b.port}")
            await worker.deliver()
            await asyncio.to_thread(wait_for, lambda: relay_of(store) == f"127.0.0.1:{a.port}")
            heartbeat.stop()

        Worker(store, setting(a, b)).run(work)


def relay_of(store: Store) -> str | None:
    with store.read() as connection:
        return connection.scalar(select(processes.c.relay))
