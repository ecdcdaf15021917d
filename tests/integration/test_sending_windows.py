"""Windows and expiry of orders, from intake to the relay: what may not go waits or ends, and says so."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select, update

from engine.db.tables import email_attempts, emails, orders
from engine.email.deliverer import Deliverer
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState, new_id
from engine.orders.contacts import ContactTable
from engine.orders.new_order import insert
from engine.orders.rules import parse_order
from engine.queue.runner import Runner
from engine.queue.windows import DAY, Span, Window
from engine.worker.short_way import ShortWay
from tests.helpers.processing import batch, made, place, the_order
from tests.helpers.relaying import deliver, only
from tests.helpers.rows import now
from tests.helpers.waiting import LONG
from tests.servers.installation import order
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Hang
from tests.unit.test_timing import LIMITS

if TYPE_CHECKING:
    from engine.db.store import Store

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FAR = "Etc/GMT+12"  # twelve hours behind UTC


def around() -> Window:
    """A window that is open now for two hours, and has been for two: in UTC, not half a day away."""
    minute = now().hour * 60 + now().minute
    return Window("UTC", span=Span((minute - 120) % DAY, (minute + 120) % DAY))


def short_way(store: Store, server: ScriptedSMTP) -> None:
    async def run() -> None:
        relay = Relay(server.url, connections=2, connect_timeout=LONG, data_timeout=LONG)
        await Runner(store, ShortWay(Deliverer(store.clock, only(relay, 2)), ContactTable(), lambda: None), LONG).run()
        await relay.close()

    asyncio.run(run())


def said(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.scalars(select(email_attempts.c.reply)))


def test_each_recipient_gets_it_when_the_window_opens_where_it_is(store: Store) -> None:
    here, there = {"emailAddress": "here@example.no"}, {"emailAddress": "there@example.no", "timeZone": FAR}
    seq = place(store, here, there, sending_window=around().text())
    batch(store)
    with ScriptedSMTP() as server:
        deliver(store, server.url, lambda deliverer: deliverer.run())
        assert [mail.rcpt_tos for mail in server.messages] == [["here@example.no"]]
        sent, waits = made(store, seq)
        assert (sent.state, waits.state) == (EmailState.SUCCEEDED, EmailState.NEW)
        assert 9 * HOUR < waits.due_at - now() < 11 * HOUR
        assert (waits.attempts, waits.unresolved, waits.expires_at - waits.due_at < 48 * HOUR) == (0, 0, True)
        assert waits.expires_at - waits.due_at > 47 * HOUR  # the time of waiting does not count
        with store.write() as connection:  # the window is open there, too
            connection.execute(update(emails).values(time_zone=None))
            connection.execute(update(emails).where(emails.c.seq == waits.seq).values(due_at=now()))
        deliver(store, server.url, lambda deliverer: deliverer.run())
        assert len(server.messages) == 2
    assert the_order(store, seq).state == OrderState.COMPLETED


def test_an_order_is_stored_with_its_window_and_due_when_that_opens(store: Store) -> None:
    at = datetime(2026, 11, 28, 18, tzinfo=UTC)
    office = {"zone": "Europe/Oslo", "days": ["Monday"], "from": "09:00", "to": "17:00"}
    timing = {"requestedSendTime": "2026-11-28T19:00:00Z", "expiresAt": "2026-12-24T00:00:00Z", "sendingWindow": office}
    row = parse_order(order(**timing), LIMITS, at).row(new_id(at), "ttd", "noreply@varsel.example")
    with store.write() as connection:
        insert(connection, [row])
        stored = connection.execute(select(orders).where(orders.c.id == UUID(row["id"]))).one()
    assert json.loads(stored.sending_window)["days"] == [0]
    assert (stored.requested_send_time, stored.due_at) == (at + HOUR, datetime(2026, 11, 30, 8, tzinfo=UTC))
    assert stored.expires_at == datetime(2026, 12, 24, tzinfo=UTC)


def test_what_is_late_is_not_sent_and_says_so(store: Store) -> None:
    two = [{"emailAddress": f"{name}@example.no"} for name in "ab"]
    late: dict[str, Any] = {"expires_at": now() - MINUTE, "due_in": -HOUR}
    single, several = place(store, **late), place(store, *two, **late)
    shut = Window("UTC", span=Span((now().hour + 2) % 24 * 60, (now().hour + 3) % 24 * 60)).text()
    closed = place(store, sending_window=shut, expires_at=now() + HOUR / 4)
    with ScriptedSMTP() as server:
        short_way(store, server)
        deliver(store, server.url, lambda deliverer: deliverer.run())
        assert server.messages == []
    for seq in (single, several):
        assert {email.state for email in made(store, seq)} == {EmailState.FAILED_TTL}
        assert the_order(store, seq).state == OrderState.COMPLETED
    assert len(said(store)) == 3
    assert all(text.startswith("not sent before the order's expiresAt, 20") for text in said(store))
    [waits] = made(store, closed)  # it is claimed once more when it expires, to say so
    assert waits.expires_at == the_order(store, closed).expires_at
    assert timedelta(0) <= waits.due_at - waits.expires_at < MINUTE


def test_an_email_that_expires_while_the_relay_takes_its_time_is_not_sent(store: Store) -> None:
    place(store, expires_at=now() + 2 * HOUR)
    with ScriptedSMTP({"data": [Hang()]}) as server:

        async def late() -> None:
            relay = Relay(server.url, connections=1, connect_timeout=LONG, data_timeout=LONG)
            work = Deliverer(store.clock, only(relay, 1))
            running = asyncio.create_task(Runner(store, work, 24 * HOUR).run())
            await asyncio.to_thread(server.wait_for, lambda: server.count("data") == 1)
            store.clock.now = lambda: now() + 3 * HOUR  # type: ignore[method-assign]
            server.release()
            await running
            await Runner(store, work, LONG).run()  # it was handed back
            await relay.close()

        batch(store)
        asyncio.run(late())
        assert server.accepted == []
    assert said(store)[0].startswith("not sent before the order's expiresAt")
