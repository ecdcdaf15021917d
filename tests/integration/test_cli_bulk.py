"""Acting on all rows that match, and pausing, on the command line."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from engine.admin import jobs, pausing
from engine.db.tables import deliveries, emails, installation, orders, pauses
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState
from engine.queue.epoch import look, restored
from engine.queue.pauses import in_force
from tests.helpers.command import command, environment, varsel
from tests.helpers.rows import PAUSED, add_email, add_order, add_subscription, an_event, now
from tests.helpers.terminal import Terminal
from tests.helpers.waiting import LONG, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.testing import Result

    from engine.db.store import Store

pytestmark = pytest.mark.slow

LEASE = LONG
MANY = 1_200  # more than two batches


@pytest.fixture
def run(store: Store, database_url: str) -> Any:
    """Runs a command on `store`'s database."""
    assert store

    def run(*words: object, given: str | None = None) -> Result:
        return varsel(*words, given=given, database_url=database_url)

    return run


@contextmanager
def working(store: Store) -> Iterator[None]:
    """A worker that does jobs, as engine/admin/job_lane.py does them."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            with store.write() as connection:
                claimed = jobs.claim(connection, LEASE)
            more = claimed is not None
            while claimed is not None and more:
                with store.write() as connection:
                    more = jobs.advance(connection, claimed)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def fail(store: Store, count: int, **values: Any) -> None:
    """One order with so many failed e-mails."""
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        for _ in range(count):
            add_email(connection, order, **{"state": EmailState.FAILED_BOUNCED, "due_at": None} | values)


def failed(store: Store) -> int:
    with store.read() as connection:
        chosen = select(func.count()).select_from(emails).where(emails.c.state == EmailState.FAILED_BOUNCED)
        return connection.execute(chosen).scalar_one()


# Retry and replay


def test_all_that_match_are_retried_when_that_was_confirmed(store: Store, run: Any) -> None:
    fail(store, 30)
    fail(store, 5, address="ola@example.com")
    with working(store):
        done = run("dead", "retry", "emails", "--recipient", "@example.no", given="y\n")
    assert done.exit_code == 0
    assert "Retry 30 e-mails?" in done.stderr
    assert "Done: 30 of 30." in done.stdout
    assert failed(store) == 5
    [line] = json.loads(run("audit", "list", "--action", "emails.retry", "--json").stdout)["items"]
    assert line["detail"] == {"filter": {"state": "failed", "recipient": "@example.no"}, "count": 30}


@pytest.mark.parametrize(("answer", "code"), [("n\n", 1), ("", 130)], ids=["no", "nobody"])
def test_nothing_is_done_without_a_yes(answer: str, code: int, store: Store, run: Any) -> None:
    fail(store, 3)
    ended = run("dead", "retry", "emails", given=answer)
    assert ended.exit_code == code
    assert failed(store) == 3
    assert json.loads(run("jobs", "list", "--json").stdout)["items"] == []


def test_nothing_is_asked_when_nothing_matches(run: Any) -> None:
    ended = run("dead", "retry", "emails")
    assert (ended.exit_code, ended.stdout) == (0, "")
    assert ended.stderr == "Nothing matches.\n"


def test_a_job_can_be_left_alone_looked_at_and_stopped(store: Store, run: Any) -> None:
    fail(store, 3)
    ended = run("dead", "retry", "emails", "--yes", "--no-wait")
    assert ended.stdout == "Retry: 3 e-mails, in the background, as job 1.\n"
    assert json.loads(run("jobs", "show", "1", "--json").stdout)["state"] == "Waiting"
    assert "retry e-mails" in run("jobs", "list").stdout
    assert run("jobs", "stop", "1").exit_code == 0
    assert run("jobs", "stop", "1").exit_code == 5
    assert run("jobs", "stop", "2").exit_code == 3


def test_orders_that_were_set_aside_are_retried_and_dead_deliveries_replayed(store: Store, run: Any) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection, state=OrderState.SET_ASIDE), state=EmailState.FAILED, due_at=None)
        seq = add_subscription(connection, "https://receiver.example.no/hook")
        persist(connection, [an_event(), an_event()])
        connection.execute(update(deliveries).values(state=DeliveryState.DEAD, due_at=None))
    assert "Set aside" in run("dead", "list", "orders").stdout
    assert len(json.loads(run("dead", "list", "deliveries", "--subscription", seq, "--json").stdout)["items"]) == 2
    with working(store):
        assert "Done: 1 of 1." in run("dead", "retry", "orders", "--yes").stdout
        assert "Done: 2 of 2." in run("dead", "replay", "deliveries", "--yes").stdout
    with store.read() as connection:
        assert connection.scalar(select(orders.c.state)) == OrderState.REGISTERED
        assert connection.scalar(select(func.count()).select_from(emails)) == 0  # they are generated anew
        assert set(connection.scalars(select(deliveries.c.state))) == {DeliveryState.WAITING}


def test_a_filter_that_the_resource_does_not_have_is_wrong_usage(run: Any) -> None:
    for words in (("list", "orders", "--error", "4xx"), ("replay", "deliveries", "--creator", "ttd")):
        ended = run("dead", *words)
        assert ended.exit_code == 2
        assert "cannot be narrowed by" in ended.stderr


def test_a_bar_shows_how_far_a_job_is(store: Store, database_url: str) -> None:
    fail(store, MANY)
    words = command("dead", "retry", "emails", "--yes")
    with Terminal(words, environment(database_url=database_url)) as terminal:
        terminal.wait_for(f"0/{MANY}")
        with working(store):
            assert terminal.end() == 0
    assert f"Done: {MANY:,} of {MANY:,}." in terminal.output
    assert failed(store) == 0


def test_a_job_goes_on_when_nobody_waits_any_more(store: Store, database_url: str, run: Any) -> None:
    fail(store, MANY)
    with Terminal(command("dead", "retry", "emails", "--yes"), environment(database_url=database_url)) as terminal:
        terminal.wait_for(f"0/{MANY}")
        terminal.interrupt()
        assert terminal.end() == 130
    assert "Traceback" not in terminal.output
    assert "Job 1" in terminal.output
    with working(store):
        assert wait_for(lambda: failed(store) == 0)
    wait_for(lambda: json.loads(run("jobs", "show", "1", "--json").stdout)["state"] == "Done")


# Pausing


@pytest.mark.parametrize(("kind", "value"), [("lane", "emails"), ("creator", "ttd"), ("domain", "example.no")])
def test_what_is_paused_can_be_seen_and_resumed(kind: str, value: str, store: Store, run: Any) -> None:
    words = ("pause", kind, value, "--reason", "a test")
    asked = run(*words, given="n\n")
    assert (asked.exit_code, "Pause " in asked.stderr, "What comes in meanwhile" in asked.stderr) == (1, True, True)
    assert ("heard of" in asked.stderr or "None of the newest" in asked.stderr) == (kind != "lane")
    assert run("pauses").stderr == "Nothing is paused.\n"
    told = run(*words, "--yes").stdout
    assert told.startswith("Paused: ")
    assert told.endswith(", until somebody resumes it.\n")
    assert [each["value"] for each in json.loads(run("pauses", "--json").stdout)["items"]] == [value]
    with store.read() as connection:
        paused = in_force(connection)
    assert value in paused.lanes | paused.creators | paused.domains
    again = run(*words)
    assert again.exit_code == 5
    assert "Paused already" in again.stderr
    asked = run("resume", kind, value, given="n\n")
    what = told.removeprefix("Paused: ").partition(", until")[0]
    assert (asked.exit_code, f"Resume {what}?" in asked.stderr) == (1, True)
    assert run("resume", kind, value, "--yes").exit_code == 0
    assert run("resume", kind, value).exit_code == 5
    lines = json.loads(run("audit", "list", "--target", f"{kind}/{value}", "--json").stdout)["items"]
    assert [line["action"] for line in lines] == ["resume", "pause"]
    assert lines[1]["detail"] == {"reason": "a test"}


@pytest.mark.parametrize(("kind", "value"), [("lane", "sms"), ("domain", "no domain"), ("creator", "x" * 101)])
def test_what_cannot_be_paused_is_wrong_usage(kind: str, value: str, run: Any) -> None:
    assert run("pause", kind, value, "--reason", "a test").exit_code == 2


def test_a_pause_says_why_and_may_say_how_long(store: Store, run: Any) -> None:
    words = ("pause", "domain", "slow.example", "--yes")
    assert run(*words).exit_code == 2
    because = (*words, "--reason", "their server is down")
    for wrong in (
        ("--for", "soon"),
        ("--until", "25:00"),
        ("--for", "1h", "--until", "08:00"),
        ("--until", "2020-01-01"),
    ):
        assert run(*because, *wrong).exit_code == 2
    assert "until 2" in run(*because, "--for", "30m").stdout
    with store.read() as connection:
        at, ends = connection.execute(select(pauses.c.at, pauses.c.ends)).one()
    assert timedelta(minutes=29) < ends - at <= timedelta(minutes=30)
    assert "slow.example" in run("pauses").stdout


def test_what_a_restored_database_would_do_again_is_listed_and_waits_for_a_word(store: Store, run: Any) -> None:
    assert run("restored").stdout == "The database is as new as it was.\n"
    assert json.loads(run("restored", "--json").stdout) == {"counts": None}
    assert run("restored", "--resume").exit_code == 5
    with store.write() as connection:
        name, mark = look(connection, {})
        add_email(connection, add_order(connection), address="sent.already@example.no")
        look(connection, {name: mark + timedelta(hours=1)})
    shown = run("restored").stdout
    assert "1 e-mail\n" in shown
    assert "sent.already@example.no" in shown
    found = json.loads(run("restored", "--json").stdout)
    assert found["counts"] == {"orders": 0, "emails": 1, "webhooks": 0}
    assert [email["address"] for email in found["emails"]] == ["sent.already@example.no"]
    assert run("resume", "creator", "ttd").exit_code == 5
    asked = run("restored", "--resume", given="n\n")
    assert asked.exit_code == 1
    assert "and then done a second time: 1 e-mail." in asked.stderr
    assert run("restored", "--resume", "--yes").stdout == "All lanes are resumed.\n"
    with store.read() as connection:
        assert not in_force(connection).lanes
    assert run("restored", "--pause", "--resume").exit_code == 2
    assert run("restored", "--pause").exit_code == 0
    [line] = json.loads(run("audit", "list", "--action", "restored.pause", "--json", "--limit", "1").stdout)["items"]
    assert line["who"].startswith("cli:"), "of Varsel's own accord it was not"


def test_what_is_listed_of_a_restored_database_is_what_is_counted(store: Store, run: Any) -> None:
    with store.write() as connection:
        pausing.pause(connection, "anna", "lane", "emails", "the relay is being moved")
        add_order(connection, due_in=timedelta(seconds=-1))
        restored(connection)
        seen = connection.execute(select(installation.c.seen)).scalar_one() - timedelta(minutes=1)
        connection.execute(update(installation).values(seen=seen))
        add_email(connection, add_order(connection), due_in=timedelta(minutes=-2))
        add_email(connection, add_order(connection, **PAUSED), **PAUSED)
    found = json.loads(run("restored", "--json").stdout)
    assert found["counts"] == {"orders": 0, "emails": 1, "webhooks": 0}
    assert found["counts"] == {name: len(found[name]) for name in found["counts"]}
    asked = run("restored", "--resume", given="n\n")
    assert "Goes out at once: 2 orders.\n" in asked.stderr
    assert "a second time: nothing.\n" in asked.stderr
    left = "The lanes are resumed, except all e-mails, which other pauses stop.\n"
    assert run("restored", "--resume", "--yes").stdout == left


def test_lanes_of_a_restored_database_that_go_on_one_by_one_wait_no_more(store: Store, run: Any) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection))
        restored(connection)
    assert run("resume", "lane", "emails", "--yes").stdout == "Resumed: all e-mails.\n"
    assert json.loads(run("restored", "--json").stdout)["counts"] == {"orders": 0, "webhooks": 0}
    for lane in ("orders", "webhooks"):
        assert run("resume", "lane", lane, "--yes").exit_code == 0
    assert json.loads(run("restored", "--json").stdout) == {"counts": None}
    assert run("restored", "--resume", "--yes").exit_code == 5


def test_drain_waits_until_nothing_is_in_flight(store: Store, database_url: str, run: Any) -> None:
    with store.write() as connection:
        held = add_email(
            connection, add_order(connection), state=EmailState.SENDING, unresolved=1, due_at=now() + timedelta(hours=1)
        )
    asked = run("drain", given="n\n")
    assert asked.exit_code == 1
    assert "In flight, and ended first: 1 e-mail." in asked.stderr
    with store.read() as connection:
        assert not in_force(connection).lanes
    assert run("drain", "orders", "--yes").stdout == "Drained: all orders.\n"
    with Terminal(command("drain", "--yes"), environment(database_url=database_url)) as terminal:
        terminal.wait_for("0/1")
        with store.write() as connection:
            done = {"state": EmailState.SUCCEEDED, "unresolved": 0, "due_at": None}
            connection.execute(update(emails).where(emails.c.seq == held).values(done))
        assert terminal.end() == 0
    assert "Drained: all orders, all e-mails, all fan-outs, all webhooks." in terminal.output
    with store.read() as connection:
        assert in_force(connection).lanes == {"orders", "emails", "fan_outs", "webhooks"}
    assert run("drain", "sms").exit_code == 2
