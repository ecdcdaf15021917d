"""A relay that refuses this installation or its sender: e-mails wait, operators see why, and attempts are few."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Row, insert, select, update

from engine.admin import details
from engine.admin.advice import REFUSED
from engine.admin.amounts import Amount
from engine.admin.overview import overview
from engine.admin.refusals import refusals
from engine.db.dialects import Now
from engine.db.tables import email_attempts, emails, orders
from engine.email import restraint
from engine.email.outcomes import BACKOFF, REFUSED_RETRY, RELAY_RETRY, SLOWLY
from engine.email.restraint import IN_A_ROW, RESTRAINED_FOR
from engine.models import DeliveryGuarantee, EmailState, OrderState
from engine.observability.heartbeat import Heartbeat, Kind
from engine.queue.backoff import JITTER
from tests.helpers.mails import log
from tests.helpers.relaying import Delivering, deliver
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.waiting import due_between, wait_for
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Action, Say, Script, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.db.store import Store

DENIED = Say(554, "5.7.1 <kari@example.no>: Relay access denied")


def fill(store: Store, count: int = 1, *, creator: str = "ttd", domain: str = "example.no", **values: Any) -> None:
    guarantee = values.pop("guarantee", DeliveryGuarantee.AT_LEAST_ONCE)
    with store.write() as connection:
        seq = add_order(connection, state=OrderState.PROCESSED, creator=creator, guarantee=guarantee)
        for number in range(count):
            add_email(connection, seq, address=f"kari.{number}@{domain}", **values)


def rows(store: Store, domain: str = "example.no") -> Sequence[Row[Any]]:
    with store.read() as connection:
        chosen = select(emails).where(emails.c.address.like(f"%@{domain}"))
        return connection.execute(chosen.order_by(emails.c.seq)).all()


def findings(store: Store) -> list[dict[str, Any]]:
    with store.read() as connection:
        found: list[dict[str, Any]] = overview(connection)["findings"]
    return found


def hurry(store: Store) -> None:
    """Make everything that waits due."""
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.due_at.is_not(None)).values(due_at=Now()))


def batches(store: Store, script: Script, times: int = 1) -> ScriptedSMTP:
    """Let one deliverer work on what is due, so many times; returns its relay."""

    async def work(deliverer: Delivering) -> None:
        for _ in range(times):
            hurry(store)
            await deliverer.run()

    with ScriptedSMTP(script) as server:
        deliver(store, server.url, work)
    return server


@pytest.mark.parametrize("guarantee", DeliveryGuarantee)
@pytest.mark.parametrize(
    "script",
    [
        {"rcpt": DENIED},
        {"rcpt": Say(454, "4.7.1 <kari@example.no>: Relay access denied")},
        {"mail": Say(530, "5.7.0 Authentication required")},
        {"dot": Say(550, "5.7.515 Access denied, sending domain does not meet the required authentication level")},
    ],
    ids=["rcpt", "rcpt 454", "mail", "dot"],
)
def test_what_is_refused_for_reasons_of_ours_waits_longer_than_else(
    store: Store, script: dict[Any, Action], guarantee: DeliveryGuarantee
) -> None:
    fill(store, guarantee=guarantee)
    began = now()
    batches(store, script)
    [row] = rows(store)
    assert (row.state, row.attempts, row.unresolved) == (EmailState.NEW, 1, 0)
    assert due_between(row.due_at, began, SLOWLY, SLOWLY)
    [line] = log(store)
    [(phase, said)] = script.items()
    assert isinstance(said, Say)
    assert (line.outcome, line.phase, line.code, line.reply) == ("refused", phase, said.code, said.text)
    assert len(batches(store, {}).accepted) == 1
    assert [row.state for row in rows(store)] == [EmailState.SUCCEEDED]


def test_later_attempts_follow_the_schedule_where_that_is_slower(store: Store) -> None:
    fill(store, attempts=len(BACKOFF))
    began = now()
    batches(store, {"rcpt": DENIED})
    [row] = rows(store)
    assert due_between(row.due_at, began, BACKOFF[-1] * (1 - JITTER), BACKOFF[-1] * (1 + JITTER))


def test_what_was_refused_until_its_time_was_over_failed_for_that_reason(store: Store) -> None:
    fill(store)
    batches(store, {"rcpt": DENIED})
    with store.write() as connection:
        connection.execute(update(emails).values(expires_at=now()))
    batches(store, {})
    [row] = rows(store)
    assert (row.state, row.due_at) == (EmailState.FAILED, None)
    assert [line.outcome for line in log(store)] == ["refused", "expired"]
    assert log(store)[-1].reply == f"not delivered within 48 hours; the last attempt: 554 {DENIED.text}"
    with store.read() as connection:
        assert connection.scalars(select(orders.c.state)).all() == [OrderState.COMPLETED]


def test_what_was_deferred_until_its_time_was_over_says_so_too(store: Store) -> None:
    fill(store)
    batches(store, {"rcpt": Say(450, "4.2.1 later")})
    with store.write() as connection:
        connection.execute(update(emails).values(expires_at=now()))
    batches(store, {})
    assert [row.state for row in rows(store)] == [EmailState.FAILED_TTL]
    assert log(store)[-1].reply == "not delivered within 48 hours; the last attempt: 450 4.2.1 later"


def test_a_full_mailbox_that_says_for_now_is_tried_again(store: Store) -> None:
    fill(store)
    batches(store, {"dot": Say(552, "4.2.2 Mailbox full")})
    assert [row.state for row in rows(store)] == [EmailState.NEW]
    batches(store, {"dot": Say(552, "5.2.2 Mailbox full")})
    assert [row.state for row in rows(store)] == [EmailState.FAILED_BOUNCED]


def test_operators_see_why_e_mails_wait_and_viewers_no_address(store: Store) -> None:
    fill(store)
    heartbeat = Heartbeat(store, Kind("worker", "relay:25"))
    heartbeat.start()
    batches(store, {"rcpt": DENIED})
    heartbeat.stop()
    found = [finding for finding in findings(store) if "refuses" in finding["text"]]
    [row] = rows(store)
    with store.read() as connection:
        why = details.email(connection, row.id)["answer"]
    relay, at = log(store)[0].relay, log(store)[0].at
    said = f"the relay {relay} refuses this installation or its sender (554 5.7.1 <address> Relay access denied)"
    see = {"resource": "emails", "filter": {"state": "waiting", "error": "refused"}, "text": "Show these e-mails"}
    told = {"level": "problem", "text": f"1 e-mail waits: {said}", "since": at, "advice": REFUSED, "see": see}
    told["in_console"] = "Correct what the relay complains of."
    assert found == [told | {"resume": None}]
    assert why is not None
    assert DENIED.text in why
    batches(store, {})
    assert not [finding for finding in findings(store) if "refuses" in finding["text"]]


def test_a_relay_that_refuses_all_is_asked_with_few(store: Store) -> None:
    fill(store, 100)
    began = now()
    troubles: list[str | None] = []

    async def work(deliverer: Delivering) -> None:
        for _ in range(3):
            hurry(store)
            await deliverer.run()
            troubles.append(deliverer.deliverer.trouble.text if deliverer.deliverer.trouble else None)

    with ScriptedSMTP({"rcpt": DENIED}) as server:
        deliver(store, server.url, work)
    tried = server.count("rcpt")
    assert IN_A_ROW <= tried <= IN_A_ROW + 3  # with two connections; and the minute's one
    assert troubles == ["e-mails wait (554 5.7.1 <address> Relay access denied)"] * 3
    waiting = [row for row in rows(store) if not row.attempts]
    assert len(waiting) == 100 - tried
    for row in waiting:
        assert (row.state, row.unresolved) == (EmailState.NEW, 0)
        assert due_between(row.due_at, began, RESTRAINED_FOR, RESTRAINED_FOR)


def test_one_that_gets_through_lets_the_others_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restraint, "ASK_EVERY", timedelta(0))  # the minute is over
    fill(store, 100)
    refused = [DENIED] * (2 * IN_A_ROW)
    server = batches(store, {"rcpt": refused}, times=3)
    assert len(server.accepted) == 100
    assert server.count("rcpt") == 100 + len(refused)


def test_a_creator_whose_recipients_the_relay_refuses_holds_up_nobody_else(store: Store) -> None:
    fill(store, 100, domain="outside.example")
    fill(store, 50, creator="skd")

    def inside_alone(step: Step) -> Say | None:
        return DENIED if step.phase == "rcpt" and "outside" in step.argument else None

    server = batches(store, inside_alone)
    assert {row.state for row in rows(store)} == {EmailState.SUCCEEDED}
    assert server.count("rcpt") < 50 + IN_A_ROW + 3


def test_what_is_held_back_fails_when_its_time_is_over(store: Store) -> None:
    fill(store, 30, expires_at=now() + timedelta(seconds=90))
    batches(store, {"rcpt": DENIED})
    for row in rows(store):
        assert row.due_at <= row.expires_at + RELAY_RETRY


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(Say(554, "5.7.1 no", close=True), REFUSED_RETRY), (Say(421, "4.3.2 closed", close=True), RELAY_RETRY)],
    ids=["554", "421"],
)
def test_a_relay_that_turns_the_connection_away_for_good_is_left_alone_for_longer(
    store: Store, answer: Say, expected: timedelta
) -> None:
    fill(store, 5)
    began = now()
    batches(store, {"connect": answer})
    for row in rows(store):
        assert (row.state, row.attempts) == (EmailState.NEW, 0)
        assert due_between(row.due_at, began, expected, expected)


def test_the_overview_tells_of_a_relay_that_refuses_all(store: Store) -> None:
    fill(store, 2 * IN_A_ROW)

    async def work(deliverer: Delivering) -> None:
        heartbeat = Heartbeat(store, Kind("worker", "relay:25", lambda: deliverer.deliverer.trouble))
        heartbeat.start()
        await deliverer.run()
        await asyncio.to_thread(wait_for, lambda: "Relay access denied" in str(findings(store)))
        heartbeat.stop()

    with ScriptedSMTP({"rcpt": DENIED}) as server:
        deliver(store, server.url, work)


def test_what_waits_are_e_mails_whose_newest_attempt_was_refused_lately(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store, 4)
    fill(store, 1, due_at=None, state=EmailState.SUCCEEDED)
    twice, deferred_since, long_ago, once, sent = range(1, 6)
    lines = [
        (twice, 4, "refused"),
        (once, 3, "refused"),
        (deferred_since, 2, "refused"),
        (sent, 2, "refused"),
        (long_ago, 7 * 24 + 1, "refused"),
        (deferred_since, 1, "deferred"),
        (twice, 1, "refused"),
    ]
    with store.write() as connection:
        for seq, hours, outcome in lines:
            its = {
                "email_seq": seq,
                "claim": 1,
                "at": now() - timedelta(hours=hours),
                "duration_ms": 1,
                "phase": "rcpt",
            }
            said = {"relay": f"relay-{seq}:25", "outcome": outcome, "code": 554, "reply": "5.7.1 Access denied"}
            connection.execute(insert(email_attempts).values(its | said))
        found = refusals(connection)
    assert found is not None
    assert (found.count, found.relay, found.said) == (Amount(2), f"relay-{twice}:25", "554 5.7.1 Access denied")
    assert found.since < now() - timedelta(hours=2)
    monkeypatch.setattr("engine.admin.refusals.LOOKED_AT", 2)
    with store.read() as connection:
        found = refusals(connection)
    assert found is not None
    assert found.count == Amount(1, more=True)
