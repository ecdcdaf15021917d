"""The overview: figures that are the database's, and a sentence that says what is wrong."""

from __future__ import annotations

import json
import re
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, insert, select, text, update

from api.console.languages import LANGUAGES
from engine.admin import details
from engine.admin.lanes import lanes
from engine.admin.lists import LARGEST
from engine.admin.lists import page as first_page
from engine.admin.overview import overview
from engine.admin.paused import SAID
from engine.admin.pausing import pause, pause_subscription, resume
from engine.admin.processes import SILENT, living
from engine.admin.resources import DELIVERIES, EMAILS, ORDERS, SUBSCRIPTIONS
from engine.admin.watching import watched
from engine.db.hours import roll_up
from engine.db.retention import prune_some
from engine.db.tables import deliveries, emails, history, pauses, processes, subscriptions
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState, Trouble, new_id
from engine.observability import heartbeat
from engine.observability.heartbeat import CLOCK_BEATS_EVERY, LOOK_EVERY, Heartbeat, Kind
from engine.observability.history import SERIES
from engine.observability.metrics import ATTEMPTS
from engine.observability.metrics import ORDERS as ORDERS_TAKEN
from engine.queue import due, lateness
from engine.runtime.clock import steady
from engine.text.language import spoken
from tests.helpers.claims import claim_emails, claim_orders
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now
from tests.helpers.waiting import LONG, wait_for

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.db.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LEASE = LONG


def process(connection: Connection, kind: str, **values: Any) -> None:
    row = {"id": new_id(now()), "kind": kind, "host": "host", "pid": 1, "version": "1", "started": now(), "seen": now()}
    connection.execute(insert(processes).values(row | values))


def sentences(connection: Connection) -> list[tuple[str, str]]:
    return [(found["level"], found["text"]) for found in overview(connection)["findings"]]


def test_every_row_is_counted_where_it_stands(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, due_in=HOUR)
        add_order(connection, due_in=HOUR, state=OrderState.PROCESSING, attempts=1)
        add_order(connection, state=OrderState.SET_ASIDE)
        add_order(connection, **PAUSED)
        add_order(connection, state=OrderState.COMPLETED)
        for _ in range(2):
            add_email(connection, of, due_in=-timedelta(minutes=2))
        due.claim(connection, due.EMAILS, 1, LEASE)
        add_email(connection, of, due_in=HOUR, attempts=2)
        add_email(connection, of, **PAUSED)
        add_email(connection, of, state=EmailState.FAILED_TTL, due_at=None)
        add_email(connection, of, state=EmailState.SUCCEEDED, due_at=None)
        seq = add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event() for _ in range(5)])
        of_seq = select(deliveries.c.seq).order_by(deliveries.c.seq)
        pushed = connection.scalars(of_seq.where(deliveries.c.subscription_seq == seq)).all()
        changes: list[dict[str, Any]] = [
            {"state": DeliveryState.DEAD, "due_at": None},
            {"state": DeliveryState.DELIVERED, "due_at": None},
            {"due_at": now() + HOUR, "attempts": 1},
        ]
        for delivery, values in zip(pushed, changes, strict=False):
            connection.execute(update(deliveries).where(deliveries.c.seq == delivery).values(values))
        pause(connection, "anna", "lane", "orders", "the year's end")
        found = {lane.name: astuple(lane)[1:7] for lane in lanes(connection)}
        oldest = {lane.name: lane.oldest_due_seconds for lane in lanes(connection)}
        said = {lane.name: lane.paused_reason for lane in lanes(connection)}
    #                          waiting, due, in flight, retrying, held, dead
    assert found["orders"] == (2, 0, 0, 1, 1, 1)
    assert found["emails"] == (1, 1, 1, 1, 1, 1)
    assert found["webhooks"] == (1, 2, 0, 1, 0, 1)
    assert oldest["emails"] >= 120
    assert oldest["orders"] == 0
    assert said == {"orders": "by anna: the year's end", "emails": None, "fan_outs": None, "webhooks": None}


def test_what_a_stopped_subscription_holds_back_is_not_due(store: Store) -> None:
    with store.write() as connection:
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        stops: list[dict[str, Any]] = [
            {},
            {"paused_reason": "by its owner"},
            {"open_until": now() + HOUR},
            {"open_until": now() - HOUR},
        ]
        made = [add_subscription(connection, f"https://receiver{n}.example/hook") for n in range(len(stops))]
        persist(connection, [an_event()])
        assert lanes(connection)[-1].due == 4
        for seq, values in zip(made, stops, strict=True):
            if values:
                connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(values))
        found = lanes(connection)[-1]
        assert (found.waiting, found.due, found.retrying, found.held) == (1, 2, 0, 1)
        alone = ("warning", "Webhooks of 1 subscription wait: its endpoint keeps failing, or asked for a long delay")
        assert sentences(connection) == [("warning", "1 webhook is paused with its subscription"), alone]
        connection.execute(update(subscriptions).values(paused_reason=None, open_until=now() + HOUR))
        assert sentences(connection) == [
            ("warning", "Webhooks of 4 subscriptions wait: each endpoint keeps failing, or asked for a long delay")
        ]


@pytest.mark.parametrize(
    ("rest", "failures", "is_said"),
    [
        (timedelta(seconds=30), 5, False),  # a rest that is over in a moment
        (timedelta(seconds=-1), 5, False),
        (timedelta(seconds=60), 7, True),
        (timedelta(seconds=-1), 7, True),  # between two probes
        (None, 0, False),  # the last probe went well
        (timedelta(minutes=10), 1, True),  # as its endpoint asked
    ],
)
def test_a_subscription_that_waits_is_said_when_it_lasts(
    store: Store,
    rest: timedelta | None,
    failures: int,
    is_said: bool,  # noqa: FBT001 of the table above
) -> None:
    with store.write() as connection:
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        add_subscription(connection, "https://receiver.example/hook")
        until = now() + rest if rest else None
        connection.execute(update(subscriptions).values(open_until=until, failures=failures))
        told = "Webhooks of 1 subscription wait: its endpoint keeps failing, or asked for a long delay"
        assert sentences(connection) == ([("warning", told)] if is_said else [])


def test_the_number_of_subscriptions_in_a_sentence_is_that_of_the_list_that_it_leads_to(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.admin.lists.WINDOW", 2)
    changes: list[dict[str, Any]] = [
        {},
        {"last_error": "status 500", "failures": 1},  # it fails, and is tried again in a moment
        {"last_error": "status 500", "failures": 5, "open_until": now() + timedelta(seconds=30)},
        {"last_error": "status 500", "failures": 7, "open_until": now() - timedelta(seconds=1)},
        {"last_error": "status 429", "failures": 1, "open_until": now() + HOUR},
        {"last_error": "status 500", "failures": 9, "open_until": now() + HOUR, "paused_reason": "by its owner"},
        {"last_error": "status 500", "failures": 9, "open_until": now() + HOUR, "removed": now()},
    ]
    with store.write() as connection:
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        for number, values in enumerate(changes):
            seq = add_subscription(connection, f"https://receiver{number}.example/hook")
            if values:
                connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(values))
        seen = overview(connection)
        [found] = [each for each in seen["findings"] if "subscriptions wait" in each["text"]]
        listed = first_page(connection, SUBSCRIPTIONS, found["see"]["filter"]).items
        assert found["text"].startswith("Webhooks of 2 subscriptions wait: ")
        assert sorted(row["failures"] for row in listed) == [1, 7]
        assert watched(connection).subscriptions == {"failing": len(listed), "paused": 1}
        assert seen["paused_subscriptions"] == len(first_page(connection, SUBSCRIPTIONS, {"state": "paused"}).items)


GROUPS = {"later": "waiting", "due": "due", "retrying": "retrying", "held": "held"}
RESOURCES_OF = {"orders": ORDERS, "emails": EMAILS, "webhooks": DELIVERIES}


def told_alike(connection: Connection) -> dict[str, tuple[int, ...]]:
    """Each lane's waiting, due, retrying and held rows, compared with its lists."""
    figures = {lane.name: lane for lane in lanes(connection)}
    for name, resource in RESOURCES_OF.items():
        lane = figures[name]
        for group, counted in GROUPS.items():
            listed = first_page(connection, resource, {"state": group}, size=LARGEST).items
            assert len(listed) == getattr(lane, counted), (name, group)
            standing = "later" if group == "retrying" else group
            assert {row["standing"] for row in listed} <= {standing}, (name, group)
            assert all((row["next_attempt"] is not None) == (standing == "later") for row in listed)
            assert all(row["next_attempt"] > now() for row in listed if row["next_attempt"])
        assert (lane.oldest_due_seconds > 0) == (lane.due > 0), name
    return {name: (lane.waiting, lane.due, lane.retrying, lane.held) for name, lane in figures.items()}


def test_nothing_at_all_is_nothing_everywhere(store: Store) -> None:
    with store.write() as connection:
        assert set(told_alike(connection).values()) == {(0, 0, 0, 0)}


def test_what_a_pause_holds_back_is_held_whatever_is_paused(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, due_in=-HOUR)
        add_order(connection, due_in=HOUR)
        for _ in range(73):
            add_email(connection, of)
        seq = add_subscription(connection, "https://receiver.example/hook")
        persist(connection, [an_event() for _ in range(56)])
        connection.execute(update(deliveries).values(due_at=now() - HOUR))
        assert told_alike(connection) == {
            "orders": (1, 1, 0, 0),
            "emails": (0, 73, 0, 0),
            "fan_outs": (0, 0, 0, 0),
            "webhooks": (0, 56, 0, 0),
        }
        for lane in ("orders", "emails", "webhooks"):
            pause(connection, "anna", "lane", lane)
        held = {"orders": (1, 0, 0, 1), "emails": (0, 0, 0, 73), "fan_outs": (0, 0, 0, 0), "webhooks": (0, 0, 0, 56)}
        assert told_alike(connection) == held
        assert ("warning", "All e-mails are paused by anna, without an end. The pause holds 73 e-mails") in sentences(
            connection
        )
        for lane in ("orders", "emails", "webhooks"):
            resume(connection, "anna", "lane", lane)
        pause(connection, "anna", "creator", "ttd")
        claim_emails(connection, LEASE)
        claim_orders(connection, LEASE)
        pause_subscription(connection, "anna", seq)
        assert told_alike(connection) == held
        seen = overview(connection)
        assert ("warning", "56 webhooks are paused with their subscriptions") in sentences(connection)
        assert seen["paused_subscriptions"] == 1, "what holds them back is shown beside"


def test_what_waits_for_a_dead_relay_is_due_since_its_send_time(store: Store) -> None:
    """E-mails that are handed back again and again are due; one that the relay deferred waits for its next attempt."""
    with store.write() as connection:
        of = add_order(connection)
        for _ in range(3):
            add_email(connection, of, due_at=now() + timedelta(minutes=5), expires_at=now() + 47 * HOUR)
        add_email(connection, of, due_in=HOUR, attempts=1)
        assert told_alike(connection)["emails"] == (1, 3, 1, 0)
        assert 3600 <= lanes(connection)[1].oldest_due_seconds < 3700


def test_what_a_worker_holds_or_has_lost_is_told_apart(store: Store) -> None:
    with store.write() as connection:
        of = add_order(connection, due_in=HOUR, state=OrderState.PROCESSING, unresolved=1)
        add_order(connection, due_in=-HOUR, state=OrderState.PROCESSING, unresolved=1)
        add_email(connection, of, due_in=HOUR, state=EmailState.SENDING, unresolved=1)
        add_email(connection, of, due_in=-HOUR, state=EmailState.SENDING, unresolved=1)
        found = told_alike(connection)
        assert (found["orders"], found["emails"]) == ((0, 1, 0, 0), (0, 1, 0, 0))
        assert [lane.in_flight for lane in lanes(connection)] == [1, 1, 0, 0]
        held = first_page(connection, EMAILS, {"state": EmailState.SENDING}).items
    assert [(row["standing"], row["next_attempt"]) for row in held] == [("due", None), ("in hand", None)]


def test_what_waits_behind_another_event_or_for_a_circuit_is_not_due(store: Store) -> None:
    with store.write() as connection:
        ordered = add_subscription(connection, "https://ordered.example/hook", ordered=True)
        persist(connection, [an_event() for _ in range(60)])
        first = connection.scalar(select(deliveries.c.seq).order_by(deliveries.c.seq).limit(1))
        connection.execute(update(deliveries).where(deliveries.c.seq == first).values(attempts=1, due_at=now() + HOUR))
        connection.execute(update(subscriptions).values(due_at=now() + HOUR))
        assert told_alike(connection)["webhooks"] == (60, 0, 1, 0)
        behind = first_page(connection, DELIVERIES, {"state": "later"}).items[0]
        why = details.delivery(connection, behind["seq"])["why"]
        assert why == "It waits for an earlier event on the same subject: its subscription keeps the order."
        connection.execute(update(subscriptions).values(ordered=False, due_at=now() + HOUR, open_until=now() + HOUR))
        assert told_alike(connection)["webhooks"] == (60, 0, 1, 0)
        held = {"unresolved": 1, "due_at": now() + HOUR, "open_until": None}
        connection.execute(update(subscriptions).values(held))
        assert told_alike(connection)["webhooks"] == (1, 59, 1, 0), "in a worker's hands, one after another"
        connection.execute(update(subscriptions).values(removed=now(), paused_reason="Removed by its consumer."))
        assert told_alike(connection)["webhooks"] == (0, 0, 0, 0)
        assert overview(connection)["paused_subscriptions"] == 0
        assert ordered


def test_all_is_well_when_everybody_works_and_nothing_lags(store: Store) -> None:
    with store.write() as connection:
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        add_order(connection, due_in=-timedelta(seconds=5))
        assert sentences(connection) == []


def test_a_scheduler_that_is_silent_for_seconds_keeps_no_clock(store: Store) -> None:
    assert SILENT.total_seconds() >= CLOCK_BEATS_EVERY * LOOK_EVERY * 2, "one heartbeat may be late"
    assert SILENT.total_seconds() + LOOK_EVERY <= 5, "somebody who looks learns of it within five seconds"
    with store.write() as connection:
        process(connection, "worker")
        process(connection, "scheduler", seen=now() - SILENT - timedelta(seconds=1))
        assert [each["clock"] for each in living(connection)] == ["silent", None]
        assert sentences(connection) == [("problem", "No scheduler runs: send times and retries wait")]
        process(connection, "scheduler")
        assert [each["clock"] for each in living(connection)] == ["silent", "kept", None]
        assert sentences(connection) == []


def test_what_is_wrong_is_said_the_worst_first(store: Store) -> None:
    with store.write() as connection:
        assert sentences(connection) == [
            ("problem", "No worker runs: what becomes due will wait"),
            ("problem", "No scheduler runs: send times and retries wait"),
        ]
        for _ in range(3):
            add_order(connection, due_in=-HOUR)
        assert sentences(connection)[0] == ("problem", "No worker runs: 3 orders are due")
        process(connection, "worker", seen=now() - HOUR)
        assert sentences(connection)[0] == ("problem", "No worker runs: 3 orders are due")
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        due.claim(connection, due.ORDERS, 1, LEASE)
        for _ in range(2):
            add_email(connection, add_order(connection), due_in=-HOUR)
        due.claim(connection, due.EMAILS, 1, LEASE)
        assert sentences(connection) == [
            ("problem", "Orders lag behind: 2 orders are due"),
            ("problem", "E-mails lag behind: 1 e-mail is due"),
        ]
        with spoken(LANGUAGES["nb"]):
            assert sentences(connection)[0] == ("problem", "Ordrer henger etter: 2 ordrer er klare")
        connection.execute(delete(emails))
        add_email(connection, add_order(connection), **PAUSED)
        pause(connection, "anna", "lane", "orders")
        assert sentences(connection) == [
            ("warning", "1 e-mail is paused"),
            ("warning", "All orders are paused by anna, without an end. The pause holds 2 orders"),
        ]
        since = datetime(2026, 5, 1, 12, tzinfo=UTC)
        process(
            connection, "worker", relay="relay:25", trouble="e-mails wait (connection refused)", trouble_since=since
        )
        worst = overview(connection)["findings"][0]
    assert worst["text"] == "The relay relay:25 cannot be used: e-mails wait (connection refused)"
    assert (worst["level"], worst["since"]) == ("problem", since)


def test_what_waits_for_a_relay_is_as_old_as_the_oldest_of_it_and_not_as_what_is_paused(store: Store) -> None:
    with store.write() as connection:
        state = {"name": "relay:25", "state": "down", "since": None, "said": "it is down", "advice": "", "effect": ""}
        process(connection, "worker", relay="relay:25", relays=json.dumps([state]))
        process(connection, "scheduler")
        of = add_order(connection)
        add_email(connection, of, due_in=-timedelta(seconds=90))
        add_email(connection, of, due_in=-HOUR, **PAUSED)
        assert next(lane.oldest_seconds for lane in lanes(connection) if lane.name == "emails") >= 3600
        worst, *others = overview(connection)["findings"]
    leads = {each["text"]: each["see"] for each in others}
    assert leads["1 e-mail is paused"]["filter"] == {"state": "held"}, "its rows are a click away"
    assert re.fullmatch(r"It is down: 1 e-mail waits, the oldest for 1 min 3\d s", worst["text"])


def test_a_lane_of_which_nobody_takes_what_is_due_stands_still_whatever_the_cause(store: Store) -> None:
    with store.write() as connection:
        process(connection, "worker", relay="relay:25", trouble="connection refused", trouble_since=now())
        process(connection, "scheduler")
        of = add_order(connection, due_in=-timedelta(seconds=5))
        add_email(connection, of, due_in=HOUR)
        assert lateness.stalled(connection) == {}
        add_email(connection, of, due_in=-HOUR)
        add_email(connection, of, due_in=-HOUR)
        assert [*lateness.stalled(connection)] == ["emails"]
        told = [text for _, text in sentences(connection) if "stand still" in text]
        assert len(told) == 1
        assert told[0].startswith("E-mails stand still: something has been due for 1 h")
        due.claim(connection, due.EMAILS, 1, LEASE)  # a worker has one of two in hand: it moves
        assert lateness.stalled(connection) == {}


def test_a_paused_lane_does_not_stand_still(store: Store) -> None:
    with store.write() as connection:
        add_order(connection, due_in=-HOUR)
        pause(connection, "anna", "lane", "orders")
        assert lateness.stalled(connection) == {}


def test_plots_have_every_minute_where_it_belongs(store: Store) -> None:
    with store.write() as connection:
        this = now().replace(second=0, microsecond=0)
        for ago, count in ((0, 1), (1, 2), (59, 4), (60, 8), (600, 16), (3000, 32)):
            row = {"minute": this - ago * timedelta(minutes=1), "series": "orders", "count": count}
            connection.execute(insert(history).values(row))
        connection.execute(insert(history).values({"minute": this, "series": "of an older version", "count": 1}))
        found = overview(connection)
        roll_up(connection)
        assert sum(overview(connection)["day"]["orders"]) == 31, "hours have the same sums as their minutes"
    hour, day = found["hour"]["orders"], found["day"]["orders"]
    assert (len(hour), len(day)) == (60, 24)
    assert sum(hour) in (7, 3)  # the 59th minute ago may have left while the test ran
    assert sum(day) == 31
    assert hour[-1] + hour[-2] == 3
    assert "of an older version" not in found["hour"]


def test_a_process_shows_that_it_lives_and_removes_its_row(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.02)
    troubles: list[Trouble | None] = [None]
    beating = Heartbeat(store, Kind("worker", "relay:25", lambda: troubles[0]))

    def row() -> Any:
        with store.read() as connection:
            return connection.execute(select(processes)).one_or_none()

    beating.start()
    try:
        found = wait_for(row)
        assert (found.kind, found.relay, found.trouble) == ("worker", "relay:25", None)
        troubles[0] = Trouble(steady() - 60, "connection refused")
        wait_for(lambda: row().trouble == "connection refused")
        assert abs(row().seen - row().trouble_since - timedelta(minutes=1)) < timedelta(seconds=30)
        troubles[0] = None
        wait_for(lambda: row().trouble is None)
        assert (row().id, row().started) == (found.id, found.started)
        wait_for(lambda: row().seen > found.seen)
    finally:
        beating.stop()
    assert row() is None


def test_an_error_of_ours_does_not_end_the_heartbeats(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.02)
    beating = Heartbeat(store, Kind("worker"))
    beating.start()
    try:
        wait_for(beating.settled)
        with store.write() as connection:
            connection.execute(text("ALTER TABLE processes RENAME TO hidden"))
        try:
            wait_for(lambda: "the heartbeat could not be written" in caplog.text)
            assert not beating.settled()
        finally:
            with store.write() as connection:
                connection.execute(text("ALTER TABLE hidden RENAME TO processes"))
        wait_for(beating.settled)
    finally:
        beating.stop()


def test_counts_become_history_once_whoever_writes_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "LOOK_EVERY", 0.02)

    def sums() -> dict[str, int]:
        with store.read() as connection:
            rows = connection.execute(select(history.c.minute, history.c.series, history.c["count"])).all()
        return {series: sum(row[2] for row in rows if row[1] == series) for series in SERIES}

    for _ in range(2):  # two processes one after the other, in the same minute
        beating = Heartbeat(store, Kind("worker"))
        beating.start()
        ORDERS_TAKEN.inc(3)
        ATTEMPTS.labels("accepted").inc()
        ATTEMPTS.labels("rejected").inc(2)
        ATTEMPTS.labels("expired").inc()
        beating.stop()
    found = sums()
    assert (found["orders"], found["emails.accepted"], found["emails.failed"]) == (6, 2, 6)
    assert found["webhooks.accepted"] == found["events"] == 0


def test_old_heartbeats_and_old_history_are_removed(store: Store) -> None:
    with store.write() as connection:
        process(connection, "worker", seen=now() - timedelta(days=40))
        process(connection, "scheduler")
        for ago in (1, 400):
            row = {"minute": now() - timedelta(days=ago), "series": "orders", "count": 1}
            connection.execute(insert(history).values(row))
        prune_some(connection, timedelta(days=90))
        assert connection.scalars(select(processes.c.kind)).all() == ["scheduler"]
        assert len(connection.execute(select(history)).all()) == 1


def test_a_pause_is_said_once_with_all_that_is_to_be_known_of_it(store: Store) -> None:
    ends = (now() + HOUR).replace(second=0, microsecond=0)
    with store.write() as connection:
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        pause(connection, "anna", "lane", "orders", "the relay is being moved", ends)
        pause(connection, "ola", "domain", "slow.example", "their server is down")
        pause(connection, "eva", "creator", "skd")
        add_email(
            connection, add_order(connection), paused_by="domain:slow.example", due_at=None, address="a@slow.example"
        )
        add_order(connection, due_in=-HOUR)
        began = dict(connection.execute(select(pauses.c.value, pauses.c.at)).all())
        found = {each["resume"]: each for each in overview(connection)["findings"]}
    kinds = (("lane", "orders"), ("domain", "slow.example"), ("creator", "skd"))
    assert found.keys() == {*kinds}, "one sentence each, and no other"
    lane, domain, creator = (found[each] for each in kinds)
    until = f"{ends:%Y-%m-%d %H:%M} UTC"
    assert (
        lane["text"]
        == f"All orders are paused by anna, until {until}: the relay is being moved. The pause holds 1 order"
    )
    of_domain = "Mail to slow.example is paused by ola, without an end: their server is down"
    assert domain["text"] == f"{of_domain}. The pause holds 1 e-mail"
    assert creator["text"] == "What skd orders is paused by eva, without an end. The pause holds nothing yet"
    assert (lane["since"], domain["since"]) == (began["orders"], began["slow.example"])
    assert lane["advice"] == "`varsel resume lane orders` ends it; it asks first."
    assert domain["resume"] == ("domain", "slow.example"), "the console has a button"
    assert domain["see"]["filter"] == {"state": "held", "recipient": "@slow.example"}
    assert (lane["see"]["resource"], creator["see"]) == ("orders", None)


def test_of_many_pauses_the_oldest_are_said_and_the_others_counted(store: Store) -> None:
    with store.write() as connection:
        process(connection, "worker", relay="relay:25")
        process(connection, "scheduler")
        for number in range(SAID + 2):
            pause(connection, "anna", "creator", f"org{number}")
            connection.execute(
                update(pauses).where(pauses.c.value == f"org{number}").values(at=now() - (9 - number) * DAY)
            )
        found = sentences(connection)
    assert len(found) == SAID + 1
    assert found[0] == (
        "warning",
        "Forgotten? What org0 orders is paused by anna, without an end. The pause holds nothing yet",
    )
    assert found[-1] == ("warning", "2 more pauses are in force")
