"""Pauses: what is paused, what goes on meanwhile, and that nothing stays paused when one ends."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from engine.admin import jobs
from engine.admin.actions import find, perform
from engine.admin.holding import stopped_by, told, unheard_of
from engine.admin.lanes import lanes
from engine.admin.lists import page
from engine.admin.overview import overview
from engine.admin.pausing import (
    drain,
    end_over,
    in_flight,
    pause,
    pause_subscription,
    resume,
    resume_subscription,
    some_over,
    unending,
)
from engine.admin.resources import ORDERS, SUBSCRIPTIONS
from engine.admin.rows import ROWS
from engine.admin.sentences import plain
from engine.db.tables import audit_log, emails, orders, pauses, subscriptions
from engine.db.tables import jobs as jobs_table
from engine.errors import Conflict, Invalid, NotFound
from engine.events.storing import persist
from engine.models import EmailState, OrderState
from engine.queue import due
from engine.queue.pauses import Pauses, in_force
from engine.subscriptions import registry
from engine.webhooks import deliveries
from tests.helpers import mails
from tests.helpers.claims import claim_emails, claim_orders
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.db.store import Store

LEASE = LONG
DUE = timedelta(seconds=-1)


def work(store: Store) -> None:
    """Do every job that waits."""
    while True:
        with store.write() as connection:
            claimed = jobs.claim(connection, LEASE)
        if claimed is None:
            return
        more = True
        while more:
            with store.write() as connection:
                more = jobs.advance(connection, claimed)


def sent(store: Store) -> set[str]:
    """The addresses to which a worker would send now."""
    with store.write() as connection:
        free = claim_emails(connection, LEASE)
    return {row.email.address for row in free}


def test_a_paused_lane_is_not_claimed_from_and_the_others_are(store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, due_in=DUE))
        pause(connection, "anna", "lane", "emails", "the relay moves")
    assert sent(store) == set()
    with store.write() as connection:
        assert len(claim_orders(connection, LEASE)) == 1
        resume(connection, "anna", "lane", "emails")
    assert sent(store) == {"kari@example.no"}


def test_what_is_due_of_a_creator_is_held_back_until_the_pause_ends(store: Store) -> None:
    with store.write() as connection:
        for creator in ("ttd", "skd"):
            seq = add_order(connection, creator=creator, due_in=DUE)
            add_email(connection, seq, address=f"kari@{creator}.example")
        pause(connection, "anna", "creator", "skd")
        assert [order.creator for order in claim_orders(connection, LEASE)] == ["ttd"]
        held = connection.execute(select(orders).where(orders.c.paused_by == "creator:skd")).one()
        assert (held.creator, held.state, held.unresolved, held.due_at) == ("skd", OrderState.REGISTERED, 0, None)
    assert sent(store) == {"kari@ttd.example"}
    with store.write() as connection:
        stopped = select(emails.c.address).where(emails.c.paused_by == "creator:skd", emails.c.due_at.is_(None))
        assert connection.scalars(stopped).all() == ["kari@skd.example"]
        resume(connection, "anna", "creator", "skd")
    work(store)
    assert sent(store) == {"kari@skd.example"}
    with store.write() as connection:
        assert [order.creator for order in claim_orders(connection, LEASE)] == ["skd"]


def test_a_recipients_domain_is_held_back_whatever_its_case_and_no_other(store: Store) -> None:
    addresses = [
        "a@Slow.Example",
        "b@slow.example",
        "c@sub.slow.example",
        "d@notslow.example",
        "slow.example@e.example",
    ]
    with store.write() as connection:
        seq = add_order(connection)
        for address in addresses:
            add_email(connection, seq, address=address)
        pause(connection, "anna", "domain", "@SLOW.example")
        assert in_force(connection).domains == {"slow.example"}
    assert sent(store) == set(addresses[2:])
    with store.write() as connection:
        resume(connection, "anna", "domain", "slow.Example")
    work(store)
    assert sent(store) == set(addresses[:2])


@pytest.mark.parametrize(
    "typed", ["blåbær.no", "@BLÅBÆR.NO", "xn--blbr-roah.no", "XN--BLBR-ROAH.no", "bla\u030abær.no"]
)
def test_a_recipients_domain_is_held_back_whichever_of_its_forms_is_paused_and_written(
    store: Store, typed: str
) -> None:
    addresses = ["a@blåbær.no", "b@Blåbær.NO", "c@xn--blbr-roah.no", "d@xn--BLBR-roah.no", "e@bla\u030abær.no"]
    with store.write() as connection:
        seq = add_order(connection)
        for address in (*addresses, "f@blabar.no"):
            add_email(connection, seq, address=address)
        pause(connection, "anna", "domain", typed)
        assert in_force(connection).domains == {"xn--blbr-roah.no"}
        with pytest.raises(Conflict):
            pause(connection, "anna", "domain", "blåbær.no")
    assert sent(store) == {"f@blabar.no"}
    with store.write() as connection:
        resume(connection, "anna", "domain", "blåbær.no")
    work(store)
    assert sent(store) == set(addresses)


def test_what_another_pause_still_covers_stays_back(store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection), address="a@slow.example")
        pause(connection, "anna", "domain", "slow.example")
        pause(connection, "anna", "creator", "ttd")
    assert sent(store) == set()
    with store.write() as connection:
        resume(connection, "anna", "domain", "slow.example")
    work(store)
    assert sent(store) == set()
    with store.write() as connection:
        resume(connection, "anna", "creator", "ttd")
    work(store)
    assert sent(store) == {"a@slow.example"}


def test_a_row_says_which_pause_holds_it_back_and_has_no_due_time(store: Store) -> None:
    with store.write() as connection:
        for creator in ("ttd", "skd"):
            order = add_order(connection, creator=creator, due_in=DUE)
            for address in ("a@slow.example", "b@Bl\u00e5b\u00e6r.no", "c@quick.example"):
                add_email(connection, order, address=address)
        for kind, value in (("creator", "skd"), ("domain", "slow.example"), ("domain", "bl\u00e5b\u00e6r.no")):
            pause(connection, "anna", kind, value)
        claim_orders(connection, LEASE)
    assert sent(store) == {"c@quick.example"}
    with store.read() as connection:
        of_emails = select(emails.c.paused_by, emails.c.due_at).where(emails.c.address != "c@quick.example")
        causes = ["domain:slow.example", "domain:xn--blbr-roah.no", "creator:skd", "creator:skd"]
        assert connection.execute(of_emails.order_by(emails.c.seq)).all() == [(cause, None) for cause in causes]
        of_orders = select(orders.c.paused_by).order_by(orders.c.seq)
        assert connection.scalars(of_orders).all() == [None, "creator:skd"]


def test_an_order_is_not_completed_while_one_of_its_emails_is_held_back(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.PROCESSED)
        for address in ("a@slow.example", "b@quick.example"):
            add_email(connection, order, address=address)
        pause(connection, "anna", "domain", "slow.example")
    state = select(orders.c.state)
    assert mails.batch(store).accepted[0].rcpt_tos == ["b@quick.example"]
    with store.write() as connection:
        assert connection.execute(state).scalar_one() == OrderState.PROCESSED
        resume(connection, "anna", "domain", "slow.example")
    work(store)
    mails.batch(store)
    with store.read() as connection:
        assert connection.execute(state).scalar_one() == OrderState.COMPLETED


def test_what_is_held_back_can_be_cancelled_or_rescheduled_and_is_then_as_any_other(store: Store) -> None:
    with store.write() as connection:
        for _ in range(2):
            add_order(connection, creator="skd", due_in=DUE)
        pause(connection, "anna", "creator", "skd")
        claim_orders(connection, LEASE)
        cancelled, rescheduled = connection.scalars(select(orders.c.id).order_by(orders.c.seq)).all()
        assert len(page(connection, ORDERS, {"state": "Registered"}).items) == 2, "what is paused waits, too"
        perform(connection, "anna", find("orders", "cancel"), cancelled)
        perform(connection, "anna", find("orders", "reschedule"), rescheduled, (now() + LEASE).isoformat())
        found = connection.execute(select(orders.c.state, orders.c.paused_by).order_by(orders.c.seq)).all()
        assert found == [(OrderState.CANCELLED, None), (OrderState.REGISTERED, None)]
        resume(connection, "anna", "creator", "skd")
    work(store)
    with store.read() as connection:
        assert connection.scalars(select(orders.c.due_at > now()).order_by(orders.c.seq)).all() == [None, True]


def test_the_end_of_a_pause_begins_nothing_for_what_another_one_has_held_back(store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection), address="anna@Bl\u00e5b\u00e6r.no")
        pause(connection, "anna", "domain", "bl\u00e5b\u00e6r.no")
        pause(connection, "anna", "creator", "skd")
    assert sent(store) == set()
    with store.write() as connection:
        resume(connection, "anna", "creator", "skd")
        assert connection.execute(select(jobs_table.c.seq)).all() == []


@pytest.mark.dialects
def test_a_pause_that_ends_while_mail_is_claimed_leaves_none_behind(store: Store) -> None:
    """Either a claim sees that the pause has ended, or the end of the pause releases its mail."""
    for round_ in range(15):
        with store.write() as connection:
            pause(connection, "anna", "domain", "slow.example")
            add_email(connection, add_order(connection), address=f"{round_}@slow.example")
        start = threading.Barrier(2)
        found: set[str] = set()

        def claiming(start: threading.Barrier = start, found: set[str] = found) -> None:
            start.wait()
            found |= sent(store)

        def resuming(start: threading.Barrier = start) -> None:
            start.wait()
            with store.write() as connection:
                resume(connection, "anna", "domain", "slow.example")

        threads = [threading.Thread(target=each) for each in (claiming, resuming)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        work(store)
        assert found | sent(store) == {f"{round_}@slow.example"}


def test_a_pause_ends_by_itself_as_if_it_were_resumed(store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection), address="a@slow.example")
        pause(connection, "anna", "domain", "slow.example", "their server is down", now() + LONG)
        pause(connection, "anna", "lane", "orders", "a quiet hour", now() + LONG)
        pause(connection, "anna", "creator", "skd", "until I say so")
    assert sent(store) == set()
    with store.write() as connection:
        assert not some_over(connection)
        end_over(connection)
        assert len(connection.execute(select(pauses)).all()) == 3
        connection.execute(update(pauses).where(pauses.c.ends.is_not(None)).values(ends=now()))
        assert some_over(connection)
    for _ in range(2):  # two clocks
        with store.write() as connection:
            end_over(connection)
    with store.read() as connection:
        assert in_force(connection) == Pauses(creators=frozenset({"skd"}))
        chosen = select(audit_log.c.action, audit_log.c.target).where(audit_log.c.who == "varsel")
        found = {(row.action, row.target) for row in connection.execute(chosen)}
    assert found == {("pause-over", "domain/slow.example"), ("pause-over", "lane/orders"), ("emails.release", "jobs/1")}
    work(store)
    assert sent(store) == {"a@slow.example"}


def test_a_subscriptions_pause_ends_by_itself_as_if_it_were_resumed(store: Store) -> None:
    with store.write() as connection:
        over, later, endless, gone = (
            add_subscription(connection, f"https://receiver{number}.example/hook") for number in range(4)
        )
        for seq in (over, later, gone):
            pause_subscription(connection, "anna", seq, "their weekend", now() + LONG)
        pause_subscription(connection, "anna", endless, "until they call")
        persist(connection, [an_event()])
        assert not some_over(connection)
        its = subscriptions.c.seq
        connection.execute(update(subscriptions).where(its.in_([over, gone])).values(paused_until=now()))
        connection.execute(update(subscriptions).where(its == gone).values(paused_reason=None))  # by an older program
        assert some_over(connection)
    for _ in range(2):  # two clocks
        with store.write() as connection:
            end_over(connection)
    with store.read() as connection:
        assert not some_over(connection)
        rows = connection.execute(select(subscriptions).order_by(subscriptions.c.seq)).all()
        lines = ROWS["audit"](connection, connection.scalars(select(audit_log.c.seq)).all())
    assert [row.paused_reason is None for row in rows] == [True, False, False, True]
    assert [row.paused_until is None for row in rows] == [True, False, True, True]
    assert rows[0].due_at <= now(), "what waits is pushed"
    [told] = [plain(line) for line in lines if line["action"] == "pause-over"]
    assert re.fullmatch(rf"Varsel resumed subscription {over}, since the pause that anna began \S+ is over", told)


@pytest.mark.parametrize("reason", [None, "Paused by its consumer.", "Removed by its consumer."])
def test_an_end_that_an_older_program_has_left_ends_nothing(store: Store, reason: str | None) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example/hook")
        pause_subscription(connection, "anna", seq, "their weekend", now() + LONG)
        persist(connection, [an_event()])
        left = {"paused_reason": reason, "paused_until": now(), "open_until": now() + LONG, "failures": 7}
        connection.execute(update(subscriptions).values(left))
        end_over(connection)
        assert not some_over(connection)
        row = connection.execute(select(subscriptions)).one()
    assert (row.paused_reason, row.paused_at, row.paused_until) == (reason, None, None)
    assert (row.due_at, row.failures) == (None, 7), "nothing is pushed"


def test_operators_pauses_of_subscriptions_without_an_end_are_told_when_they_are_a_day_old(store: Store) -> None:
    with store.write() as connection:
        seqs = [add_subscription(connection, f"https://receiver{number}.example/hook") for number in range(5)]
        for seq in seqs[:3]:
            pause_subscription(connection, "anna", seq, "their weekend", now() + LONG if seq == seqs[1] else None)
        registry.stop(connection, seqs[3], "Paused by its consumer.")
        deliveries.pause(connection, {seqs[4]}, "Gone.")
        assert unending(connection) < timedelta(minutes=5)
        old = update(subscriptions).where(subscriptions.c.seq != seqs[2]).values(paused_at=now() - timedelta(hours=25))
        connection.execute(old)
        assert timedelta(hours=25) <= unending(connection) < timedelta(hours=26)
        [told] = [each for each in overview(connection)["findings"] if each["text"].startswith("Forgotten?")]
        assert told["text"] == "Forgotten? 1 subscription was paused by an operator, without an end"
        assert told["since"] <= now() - timedelta(hours=25)
        listed = page(connection, SUBSCRIPTIONS, told["see"]["filter"]).items
    assert [row["seq"] for row in listed] == [seqs[0]]


def test_a_pause_without_an_end_has_an_age(store: Store) -> None:
    with store.write() as connection:
        assert unending(connection) == timedelta(0)
        pause(connection, "anna", "creator", "skd", "a test", now() + LONG)
        assert unending(connection) == timedelta(0)
        pause(connection, "anna", "creator", "ttd")
        connection.execute(update(pauses).values(at=now() - timedelta(days=2)))
        assert timedelta(days=2) <= unending(connection) < timedelta(days=3)


def test_what_a_pause_would_stop_is_counted_before_it_is_made(store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, creator="ttd", due_in=DUE)
        add_order(connection, creator="ttd", due_in=LONG)
        add_order(connection, creator="skd", due_in=DUE)
        for address, due_in in (("a@slow.example", DUE), ("b@Slow.example", LONG), ("c@free.example", DUE)):
            values = {"attempts": 1} if due_in == LONG else {}
            add_email(connection, order, address=address, due_in=due_in, **values)
        counts = [
            (kind, *({lane: each.number for lane, each in when.items()} for when in (stopped.now, stopped.later)))
            for kind, value in (
                ("domain", "slow.example"),
                ("creator", "ttd"),
                ("creator", "nobody"),
                ("lane", "emails"),
            )
            if (stopped := stopped_by(connection, kind, value))
        ]
        assert counts == [
            ("domain", {"emails": 1}, {"emails": 1}),
            ("creator", {"orders": 1, "emails": 2}, {"orders": 1, "emails": 1}),
            ("creator", {}, {}),
            ("lane", {"emails": 2}, {"emails": 1}),
        ]
        lines = told(stopped_by(connection, "creator", "ttd"))
        assert lines[0] == "Stopped at once: 1 order, 2 e-mails."


def test_what_nobody_has_heard_of_is_said_with_names_that_are_alike(store: Store) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, creator="ttd"), address="a@slow.example")
        assert unheard_of(connection, "creator", "ttd") is None
        assert unheard_of(connection, "domain", "slow.example") is None
        assert unheard_of(connection, "lane", "emails") is None
        assert "Is it ttd?" in (unheard_of(connection, "creator", "tdt") or "")
        assert "Is it slow.example?" in (unheard_of(connection, "domain", "slow.exmaple") or "")
        assert "spelled right" in (unheard_of(connection, "creator", "xyz") or "")


def test_pausing_twice_and_resuming_what_is_not_paused_are_conflicts(store: Store) -> None:
    with store.write() as connection:
        pause(connection, "anna", "creator", "ttd", "why")
        with pytest.raises(Conflict):
            pause(connection, "ola", "creator", "ttd")
        with pytest.raises(Conflict):
            resume(connection, "ola", "creator", "skd")
        resume(connection, "ola", "creator", "ttd")
        told = select(audit_log.c.who, audit_log.c.action, audit_log.c.target)
        lines = connection.execute(told.order_by(audit_log.c.seq)).all()
    assert lines == [("anna", "pause", "creator/ttd"), ("ola", "resume", "creator/ttd")]


@pytest.mark.parametrize(
    ("kind", "value", "reason", "field"),
    [
        ("planet", "mars", "", "kind"),
        ("lane", "jobs", "", "value"),
        ("lane", "", "", "value"),
        ("domain", "example", "", "value"),
        ("domain", "a@example.no", "", "value"),
        ("domain", "a b.no", "", "value"),
        ("domain", "a." * 130 + "no", "", "value"),
        ("domain", "\u202eon.elpmaxe", "", "value"),
        ("domain", "☃.no", "", "value"),
        ("creator", "", "", "value"),
        ("creator", "a" * 101, "", "value"),
        ("creator", "a\x00b", "", "value"),
        ("lane", "emails", "x" * 201, "reason"),
        ("lane", "emails", "a\nb", "reason"),
    ],
)
def test_what_cannot_be_paused_is_named(store: Store, kind: str, value: str, reason: str, field: str) -> None:
    with store.write() as connection:
        with pytest.raises(Invalid) as refused:
            pause(connection, "anna", kind, value, reason)
        assert list(refused.value.errors) == [field]
        assert connection.execute(select(pauses)).all() == []


@pytest.mark.dialects
def test_of_two_who_pause_the_same_at_once_the_second_is_told(store: Store) -> None:
    told: list[BaseException] = []

    def second() -> None:
        try:
            with store.write() as connection:
                drain(connection, "ola", ("orders", "emails"))
                pause(connection, "ola", "lane", "emails")
        except BaseException as error:  # noqa: BLE001 shown below
            told.append(error)

    thread = threading.Thread(target=second)
    with store.write() as connection:
        pause(connection, "anna", "lane", "emails")
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join()
    assert [type(error) for error in told] == [Conflict]


def test_a_drained_lane_tells_how_much_is_still_in_flight(store: Store) -> None:
    with store.write() as connection:
        seq = add_order(connection)
        for _ in range(3):
            add_email(connection, seq)
        held = due.claim(connection, due.EMAILS, 2, LEASE)
        pause(connection, "anna", "lane", "emails", "already")
        drain(connection, "ola", ("orders", "emails"))
        assert {row.value: row.who for row in connection.execute(select(pauses))} == {"emails": "anna", "orders": "ola"}
        assert in_flight(connection, ("orders", "emails")) == 2
        ended = [
            {"seq": row.seq, "claim": row.claim, "state": EmailState.SUCCEEDED, "attempts": 1, "delay": None}
            for row in held
        ]
        _end(connection, ended)
        add_email(connection, seq, due_in=LEASE, unresolved=1)  # once lost, and now to come later
        assert in_flight(connection, ("orders", "emails")) == 0
        assert sum(lane.in_flight for lane in lanes(connection)) == 0, "what the overview tells"
        assert in_force(connection).lanes == {"orders", "emails"}


def _end(connection: Any, ended: Sequence[Mapping[str, object]]) -> None:
    from engine.db.rows import run  # noqa: PLC0415 only here

    run(connection, due.outcome(due.EMAILS), ended)


def test_a_subscription_is_paused_by_an_operator_and_goes_on(store: Store) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example/hook")
        pause_subscription(connection, "anna", seq, "their weekend")
        row = connection.execute(select(subscriptions)).one()
        assert row.paused_reason == "Paused by an operator: their weekend"
        resume_subscription(connection, "anna", seq)
        row = connection.execute(select(subscriptions)).one()
        assert row.paused_reason is None
        assert row.due_at is None or row.due_at <= now() + LEASE
        for act in (pause_subscription, resume_subscription):
            with pytest.raises(NotFound):
                act(connection, "anna", 99)
        with pytest.raises(Invalid):
            pause_subscription(connection, "anna", seq, "a\x07b")
        targets = connection.scalars(select(audit_log.c.target)).all()
    assert targets == [f"subscriptions/{seq}"] * 2
