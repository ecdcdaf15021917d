"""A relay that is back is noticed also where no e-mail is about to try it."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select

from engine.admin.relays import relays
from engine.db.tables import emails, processes
from engine.email.put_off import make_due
from engine.email.smtp import Relay
from engine.models import EmailState, new_id
from engine.worker.watch import watch
from tests.helpers.ports import free_port
from tests.helpers.relaying import only
from tests.helpers.rows import PAUSED, add_email, add_order, now
from tests.helpers.waiting import LONG, patience
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    import pytest

    from engine.db.store import Store

MINUTES = timedelta(minutes=3)


async def is_down(relay: Relay) -> None:
    """Meet a relay that gives no session."""
    async with relay.turn() as turn:
        assert turn.refusal


def test_it_is_noticed_and_what_was_put_off_is_due(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.worker.watch.EVERY", 0.02)
    monkeypatch.setattr("engine.email.smtp.relay.LOOK_EVERY", 0.02)
    with store.write() as connection:
        add_email(connection, add_order(connection), due_in=MINUTES)

    async def look() -> None:
        port, woken = free_port(), asyncio.Event()
        relay = Relay(f"smtp://127.0.0.1:{port}", connections=1, connect_timeout=LONG, data_timeout=LONG)
        all_relays = only(relay, 1)
        await is_down(relay)
        [state] = all_relays.states
        assert (state.name, state.state, state.effect) == (relay.name, "down", "e-mails wait")
        assert state.said.startswith(f"the relay {relay.name} does not answer (")
        watching = asyncio.create_task(watch(store, [all_relays], woken.set))
        with ScriptedSMTP(port=port) as server:
            await asyncio.wait_for(woken.wait(), patience())
            assert [each.state for each in all_relays.states] == ["up"]
            assert server.messages == []
        watching.cancel()
        await relay.close()

    asyncio.run(look())
    with store.read() as connection:
        assert connection.execute(select(emails.c.due_at)).scalar_one() <= now()


def test_the_watch_outlives_an_error(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.worker.watch.EVERY", 0.02)
    monkeypatch.setattr("engine.email.smtp.relay.LOOK_EVERY", 0.02)

    async def look() -> None:
        port, failed, woken = free_port(), asyncio.Event(), asyncio.Event()

        def wake() -> None:
            if not failed.is_set():
                failed.set()
                raise RuntimeError("a bug")
            woken.set()

        relay = Relay(f"smtp://127.0.0.1:{port}", connections=1, connect_timeout=LONG, data_timeout=LONG)
        watching = asyncio.create_task(watch(store, [only(relay, 1)], wake))
        for event in (failed, woken):
            await is_down(relay)
            with ScriptedSMTP(port=port):
                await asyncio.wait_for(event.wait(), patience())
        watching.cancel()
        await relay.close()

    asyncio.run(look())
    assert "could not be looked at" in caplog.text


def test_one_that_refuses_for_good_is_asked_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look() -> None:
        with ScriptedSMTP({"connect": Say(554, "5.7.1 go away", close=True)}) as server:
            relay = Relay(server.url, connections=1, connect_timeout=LONG, data_timeout=LONG)
            asked = [relay.shall_look]  # it is not known to be down
            await is_down(relay)
            monkeypatch.setattr("engine.email.smtp.relay.LOOK_EVERY", 0.0)
            asked.append(relay.shall_look)
            monkeypatch.setattr("engine.email.smtp.relay.LOOK_SELDOM", 0.0)
            asked.append(relay.shall_look)
            assert asked == [False, False, True]
            assert not await relay.look()
            await relay.close()

    asyncio.run(look())


def test_only_what_was_not_tried_and_comes_soon_is_made_due(store: Store) -> None:
    others: list[dict[str, Any]] = [{"due_in": timedelta(hours=2)}, {"due_in": MINUTES, "attempts": 1}, PAUSED]
    others += [{"due_in": MINUTES, "state": EmailState.SENDING, "unresolved": 1}]
    with store.write() as connection:
        of = add_order(connection)
        put_off = add_email(connection, of, due_in=MINUTES)
        kept = [add_email(connection, of, **values) for values in others]
        assert make_due(connection) is False
        due = connection.scalars(select(emails.c.seq).where(emails.c.due_at <= now())).all()
    assert due == [put_off]
    assert len(kept) == len(others)


def test_a_relay_that_is_down_for_one_worker_is_down(store: Store) -> None:
    since = (now() - MINUTES).isoformat()
    up = {"name": "relay:25", "state": "up", "since": None, "said": "", "advice": "", "effect": ""}
    down = up | {
        "state": "down",
        "since": since,
        "said": "the relay relay:25 does not answer",
        "effect": "e-mails wait",
    }
    row = {"kind": "worker", "host": "host", "pid": 1, "version": "1", "started": now(), "relay": "relay:25"}
    with store.write() as connection:
        for state, seen in ((up, now()), (down, now()), (down, now() - timedelta(hours=1))):
            told = {"id": new_id(now()), "seen": seen, "relays": json.dumps([state])}
            connection.execute(insert(processes).values(row | told))
        [found] = relays(connection, [])
    assert (found.state, found.workers, found.said) == ("down", 2, down["said"])
    assert found.since is not None
    assert abs(now() - found.since - MINUTES) < timedelta(minutes=1)
