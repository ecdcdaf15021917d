"""The short way of orders to one address, on both databases: sent while claimed, recorded at once; or the usual way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.admin.pausing import pause
from engine.db.tables import emails, orders
from engine.email.deliverer import Deliverer
from engine.email.limits import Limits
from engine.email.outcomes import BACKOFF
from engine.email.pace import Pace
from engine.email.smtp import Relay
from engine.models import EmailState, OrderState
from engine.orders.contacts import ContactTable
from engine.queue.runner import Runner
from engine.runtime.clock import steady
from engine.worker.short_way import Sent, ShortWay
from tests.helpers.mails import batch, log, one
from tests.helpers.ports import free_port
from tests.helpers.processing import place, the_order, told
from tests.helpers.relaying import deliver, only
from tests.helpers.rows import count
from tests.helpers.waiting import LONG
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from engine.db.store import Store
    from engine.orders.outcomes import Decision
    from tests.servers.smtp_script import Script

TWICE = ({"emailAddress": "kari@example.no"}, {"emailAddress": "ola@example.no"})


def run(store: Store, url: str, kind: type[ShortWay] = ShortWay, limits: Path | None = None) -> list[None]:
    """Process due orders over a relay with two connections; returns a None for each wake-up of the e-mails' lane."""
    woken: list[None] = []

    async def opened() -> None:
        relay = Relay(url, connections=2, connect_timeout=LONG, data_timeout=LONG)
        deliverer = Deliverer(store.clock, only(relay, 2), pace=Pace(Limits(limits), steady()))
        work = kind(deliverer, ContactTable(), lambda: woken.append(None))
        try:
            await Runner(store, work, LONG).run()
        finally:
            await relay.close()

    asyncio.run(opened())
    return woken


def send(store: Store, script: Script | None = None) -> ScriptedSMTP:
    """Process due orders; returns the relay."""
    with ScriptedSMTP(script) as server:
        run(store, server.url)
    return server


def test_an_order_to_one_address_is_sent_and_completed_under_one_claim(store: Store) -> None:
    order = place(store, {"emailAddress": "kari@example.no"})
    [mail] = send(store).accepted
    row, email, [line] = the_order(store, order), one(store), log(store)
    assert mail.rcpt_tos == ["kari@example.no"]
    assert f"<{email.id}@varsel.example>".encode() in mail.data
    assert (row.state, row.due_at, row.claim, row.unresolved) == (OrderState.COMPLETED, None, 2, 0)
    assert (email.state, email.due_at, email.attempts, email.creator) == (EmailState.SUCCEEDED, None, 1, "ttd")
    assert (line.email_seq, line.claim, line.outcome, line.code) == (email.seq, 1, "accepted", 250)
    assert told(store, row.id) == ["order.completed", "email.succeeded"]


def test_a_deferred_mail_waits_as_an_email_of_its_order(store: Store) -> None:
    order = place(store, {"emailAddress": "kari@example.no"})
    send(store, {"dot": Say(451, "later")})
    email = one(store)
    assert the_order(store, order).state == OrderState.PROCESSED
    assert (email.state, email.attempts, log(store)[0].outcome) == (EmailState.NEW, 1, "deferred")
    assert email.last_update + BACKOFF[0] / 2 < email.due_at < email.last_update + BACKOFF[0] * 2
    with store.write() as connection:
        connection.execute(update(emails).values(due_at=email.last_update))
    assert len(batch(store).accepted) == 1
    assert the_order(store, order).state == OrderState.COMPLETED


def test_what_breaks_off_after_the_dot_is_in_doubt(store: Store) -> None:
    place(store, {"emailAddress": "kari@example.no"})
    send(store, {"dot": Close()})
    assert (log(store)[0].outcome, one(store).state) == ("in_doubt", EmailState.NEW)


@pytest.mark.parametrize(("kind", "value"), [("domain", "example.no"), ("lane", "emails")])
def test_a_pause_of_the_mail_lets_the_order_take_the_usual_way(store: Store, kind: str, value: str) -> None:
    order = place(store, {"emailAddress": "kari@example.no"})
    with store.write() as connection:
        pause(connection, "anna", kind, value, "")
    assert send(store).accepted == []
    assert the_order(store, order).state == OrderState.PROCESSED
    assert (one(store).state, one(store).attempts) == (EmailState.NEW, 0)


@pytest.mark.parametrize(
    ("recipients", "values"),
    [
        (TWICE, {}),
        (TWICE[:1], {"guarantee": "AtMostOnce"}),
        (TWICE[:1], {"unresolved": 1}),
        (TWICE[:1], {"attempts": 1}),
        (({"nationalIdentityNumber": "16069412345"},), {}),
    ],
)
def test_other_orders_take_the_usual_way(
    store: Store, recipients: Sequence[dict[str, str]], values: dict[str, Any]
) -> None:
    place(store, *recipients, **values)
    with ScriptedSMTP() as server:
        assert run(store, server.url) == [None]
    assert server.accepted == []
    assert count(store, emails) == len(recipients)


def test_without_a_connection_all_orders_take_the_usual_way(store: Store) -> None:
    for _ in range(5):
        place(store, {"emailAddress": "kari@example.no"})
    assert run(store, f"smtp://127.0.0.1:{free_port()}")
    with store.read() as connection:
        assert set(connection.scalars(select(orders.c.state))) == {OrderState.PROCESSED}
    assert count(store, emails) == 5
    with ScriptedSMTP() as server:
        deliver(store, server.url, lambda deliverer: deliverer.run())
    assert len(server.accepted) == 5


def test_a_domain_with_a_limit_lets_the_order_take_the_usual_way(store: Store, tmp_path: Path) -> None:
    for address in ("kari@example.no", "ola@other.example"):
        place(store, {"emailAddress": address})
    limits = tmp_path / "limits.toml"
    limits.write_text('[domain."example.no"]\nrate = 10\n')
    with ScriptedSMTP() as server:
        assert run(store, server.url, limits=limits) == [None]
    assert [mail.rcpt_tos for mail in server.accepted] == [["ola@other.example"]]


def test_an_outcome_that_is_written_twice_counts_once(store: Store) -> None:
    place(store, {"emailAddress": "kari@example.no"})

    class Twice(ShortWay):
        def record(self, connection: Any, decisions: Sequence[Decision]) -> bool:
            return super().record(connection, decisions) or super().record(connection, decisions)

    with ScriptedSMTP() as server:
        run(store, server.url, Twice)
    assert (count(store, emails), len(log(store)), len(server.accepted)) == (1, 1, 1)


def test_an_outcome_that_cannot_be_told_is_written_without_words(store: Store) -> None:
    order = place(store, {"emailAddress": "kari@example.no"})

    class Broken(ShortWay):
        def record(self, connection: Any, decisions: Sequence[Decision]) -> bool:
            if any(isinstance(each, Sent) and each.result and each.result.told for each in decisions):
                raise RuntimeError("it cannot be written")
            return super().record(connection, decisions)

    with ScriptedSMTP() as server:
        run(store, server.url, Broken)
    assert (one(store).state, log(store)) == (EmailState.SUCCEEDED, [])
    assert the_order(store, order).state == OrderState.COMPLETED
    assert len(server.accepted) == 1


def test_what_was_sent_is_recorded_before_large_orders_are_made(store: Store) -> None:
    recorded: list[bool] = []

    class Watched(ShortWay):
        def record(self, connection: Any, decisions: Sequence[Decision]) -> bool:
            recorded.append(isinstance(decisions[0], Sent))
            return super().record(connection, decisions)

    crowd = [{"emailAddress": f"kari.{number}@example.no"} for number in range(9_000)]
    place(store, *crowd)
    place(store, *crowd)
    place(store, {"emailAddress": "ola@example.no"})
    with ScriptedSMTP() as server:
        run(store, server.url, Watched)
    assert recorded.index(True) == 0
    assert recorded.count(False) >= 1
