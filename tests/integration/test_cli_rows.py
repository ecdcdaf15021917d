"""Looking and acting on the command line, on both databases; each command reads what the console reads."""

from __future__ import annotations

import json
import time
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import typer
from sqlalchemy import select

from engine.admin.resources import RESOURCES
from engine.cli import app, dead
from engine.cli.columns import COLUMNS
from engine.cli.options import MOST
from engine.cli.output import cell
from engine.db.tables import audit_log, email_attempts
from engine.db.tables import deliveries as deliveries_table
from engine.db.tables import emails as emails_table
from engine.db.tables import orders as orders_table
from engine.db.tables import subscriptions as subscriptions_table
from engine.events.storing import persist
from engine.models import DeliveryState, EmailState, OrderState, new_id
from engine.observability.audit import note
from tests.helpers.command import command, environment, process, varsel
from tests.helpers.rows import APP, add_email, add_order, add_subscription, an_event, now
from tests.helpers.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from engine.db.store import Store

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
EVIL = "Hei \x1b[2J\x1b]0;owned\x07 \u202egpj.exe \u2066x\x9b31m\r\n<script>"
REPLY = "\x1b[31m5.1.1 no such mailbox\u200f"
LISTS = ("orders", "emails", "events", "subscriptions", "deliveries", "audit")


class Cli:
    """Commands on one database, with what they print taken apart."""

    def __init__(self, url: str) -> None:
        self.url = url

    def text(self, *words: object, given: str | None = None) -> str:
        ended = varsel(*words, given=given, database_url=self.url)
        assert ended.exit_code == 0, ended.output
        return ended.stdout

    def json(self, *words: object) -> Any:
        return json.loads(self.text(*words, "--json"))

    def items(self, *words: object) -> list[dict[str, Any]]:
        document = self.json(*words)
        assert document.keys() == {"items", "next"}
        items: list[dict[str, Any]] = document["items"]
        return items

    def refused(self, code: int, *words: object) -> str:
        ended = varsel(*words, database_url=self.url)
        assert (ended.exit_code, ended.stdout) == (code, "")
        return ended.stderr


@pytest.fixture
def cli(store: Store, database_url: str) -> Cli:
    """Commands on `store`'s database."""
    assert store
    return Cli(database_url)


def order_of(store: Store, **values: Any) -> UUID:
    with store.write() as connection:
        seq = add_order(connection, **values)
        return UUID(str(connection.scalar(select(orders_table.c.id).where(orders_table.c.seq == seq))))


def email_of(store: Store, *, order: dict[str, Any] | None = None, reply: str | None = None, **values: Any) -> UUID:
    """An e-mail of an order of its own; with a reply, it has had an attempt that ended with it."""
    with store.write() as connection:
        seq = add_email(connection, add_order(connection, state=OrderState.PROCESSED, **order or {}), **values)
        if reply is not None:
            line = {"email_seq": seq, "at": now(), "claim": 1, "outcome": "rejected", "phase": "rcpt", "code": 550}
            line |= {"reply": reply, "relay": "relay.example:25", "duration_ms": 3}
            connection.execute(email_attempts.insert().values(line))
        return UUID(str(connection.scalar(select(emails_table.c.id).where(emails_table.c.seq == seq))))


def failed(store: Store, **values: Any) -> UUID:
    values = {"state": EmailState.FAILED_BOUNCED, "due_at": None} | values
    return email_of(store, reply=REPLY, **values)


def state_of(store: Store, email: UUID) -> str:
    with store.read() as connection:
        return str(connection.scalar(select(emails_table.c.state).where(emails_table.c.id == email)))


def delivery_of(store: Store, **values: Any) -> int:
    """A delivery to a subscription of its own."""
    with store.write() as connection:
        subscription = add_subscription(connection, "https://receiver.example.no/hook")
        persist(connection, [an_event()])
        its = deliveries_table.c.subscription_seq == subscription
        if values:
            connection.execute(deliveries_table.update().where(its).values(values))
        return int(connection.scalar(select(deliveries_table.c.seq).where(its)) or 0)


def options_of(group: str, name: str) -> set[str]:
    """The options of a command, by their names on the command line."""
    found = typer.main.get_group(app).commands[group].commands[name].params  # type: ignore[attr-defined]
    return {each.opts[0].removeprefix("--") for each in found if each.opts[0].startswith("--")}


def harmless(text: str) -> bool:
    """Whether nothing in it can steer a terminal."""
    return not any(unicodedata.category(each).startswith("C") for each in text if each != "\n")


# Lists


@pytest.mark.parametrize("resource", LISTS)
def test_a_list_is_narrowed_by_what_the_console_narrows_it_by(resource: str) -> None:
    own = {"limit", "cursor", "json", "data"}
    options = options_of(resource, "list")
    assert options - own == set(RESOURCES[resource].fields)
    assert own <= options


def test_what_is_dead_is_narrowed_by_options_of_its_resources() -> None:
    for act in ("list", "replay"):
        options = options_of("dead", act) - {"limit", "cursor", "json", "data", "yes", "wait"}
        assert options <= {field for resource in dead.STATES for field in RESOURCES[resource].fields}
    assert all(state in RESOURCES[resource].choices["state"] for resource, state in dead.STATES.items())


@pytest.mark.parametrize("resource", [*LISTS, "jobs"])
def test_an_empty_list_says_so(resource: str, cli: Cli) -> None:
    assert cli.json(resource, "list") == {"items": [], "next": None}
    assert cli.text(resource, "list") == ""
    assert "There is none." in varsel(resource, "list", database_url=cli.url).stderr


def test_a_list_shows_what_its_table_promises(store: Store, cli: Cli) -> None:
    failed(store)
    delivery_of(store)
    cli.text("pause", "creator", "ttd")
    for resource in ("orders", "emails", "events", "subscriptions", "deliveries", "audit"):
        items = cli.items(resource, "list")
        assert items
        assert set(COLUMNS[resource].values()) <= items[0].keys()
        head, *lines = cli.text(resource, "list").splitlines()
        assert len(lines) == len(items)
        assert head.split() == " ".join(COLUMNS[resource]).split()


def test_options_narrow_a_list(store: Store, cli: Cli) -> None:
    bounced = failed(store, address="ola@example.com")
    email_of(store)
    assert [item["id"] for item in cli.items("emails", "list", "--state", "failed")] == [str(bounced)]
    assert [item["id"] for item in cli.items("emails", "list", "--recipient", "@example.com")] == [str(bounced)]
    assert [item["id"] for item in cli.items("emails", "list", "--error", "5xx")] == [str(bounced)]
    assert cli.items("emails", "list", "--since", "2100-01-01") == []
    assert len(cli.items("emails", "list", "--since", "1h", "--creator", "ttd")) == 2
    assert "Nothing matches." in varsel("emails", "list", "--creator", "x", database_url=cli.url).stderr


@pytest.mark.parametrize(
    "wrong", [("--state", "Lost"), ("--since", "yesterday"), ("--order", "1"), ("--cursor", "x"), ("--limit", "0")]
)
def test_a_wrong_option_is_wrong_usage(wrong: tuple[str, str], cli: Cli) -> None:
    assert wrong[0].removeprefix("--") in cli.refused(2, "emails", "list", *wrong)


def test_pages_follow_each_other_to_the_end(store: Store, cli: Cli) -> None:
    made = sorted(str(order_of(store)) for _ in range(5))
    found: list[str] = []
    cursor: tuple[str, ...] = ()
    while True:
        document = cli.json("orders", "list", "--limit", 2, *cursor)
        found += [item["id"] for item in document["items"]]
        if document["next"] is None:
            break
        cursor = ("--cursor", document["next"])
    assert found == made[::-1]
    told = varsel("orders", "list", "--limit", "2", database_url=cli.url).stderr
    assert told.startswith("There are more: --cursor ")


def test_a_list_looks_as_far_back_as_it_must(store: Store, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.admin.lists.WINDOW", 3)
    old = failed(store)
    for _ in range(10):
        email_of(store)
    document = cli.json("emails", "list", "--error", "5xx")
    assert [item["id"] for item in document["items"]] == [str(old)]
    assert document["next"] is None


def test_a_page_has_as_many_rows_as_may_be(store: Store, cli: Cli) -> None:
    with store.write() as connection:
        for _ in range(MOST):
            add_order(connection)
    assert len(cli.items("orders", "list", "--limit", MOST)) == MOST
    cli.refused(2, "orders", "list", "--limit", MOST + 1)


# One of them


def test_an_email_is_shown_with_every_attempt_and_why(store: Store, cli: Cli) -> None:
    email = failed(store)
    document = cli.json("emails", "show", email)
    assert document["timeline"][0]["code"] == 550
    assert datetime.fromisoformat(document["timeline"][0]["at"]).tzinfo
    text = cli.text("emails", "show", email)
    for part in (str(email), "kari@example.no", "no such", "relay.example:25", "Failed_Bounced"):
        assert part in text


def test_an_order_a_subscription_an_event_and_a_delivery_are_shown(store: Store, cli: Cli) -> None:
    order = order_of(store, due_in=HOUR, body="Hei!\n\nTo linjer.", recipients='[{"emailAddress":"ola@example.no"}]')
    text = cli.text("orders", "show", order)
    assert "Waits for its send time." in text
    assert "\n  To linjer.\n" in text
    assert "ola@example.no" in text
    delivery = delivery_of(store)
    item = cli.json("deliveries", "show", delivery)
    assert item["seq"] == delivery
    assert cli.json("events", "show", item["event_seq"])["deliveries"][0]["seq"] == delivery
    assert cli.json("subscriptions", "show", item["subscription_seq"])["deliveries"] == {"Waiting": 1}
    assert "receiver.example.no" in cli.text("deliveries", "show", delivery)
    assert APP in cli.text("events", "show", item["event_seq"])
    assert "1 Waiting" in cli.text("subscriptions", "show", item["subscription_seq"])


@pytest.mark.parametrize("resource", ["orders", "emails", "events", "subscriptions", "deliveries", "jobs"])
def test_what_is_not_there_is_not_found(resource: str, cli: Cli) -> None:
    key = new_id(now()) if resource in ("orders", "emails") else 404
    assert str(key) in cli.refused(3, resource, "show", key)


# Text from outside


def test_no_text_from_outside_reaches_the_terminal_as_anything_else(store: Store, cli: Cli) -> None:
    order = {
        "subject": EVIL,
        "senders_reference": EVIL,
        "body": EVIL,
        "recipients": json.dumps([{EVIL: EVIL}]),
    }
    email = failed(store, order=order, address=EVIL)
    with store.write() as connection:
        row = connection.execute(select(orders_table.c.id)).one()
        persist(connection, [an_event(source=EVIL, subject=EVIL, type=EVIL)])
        add_subscription(connection, EVIL, consumer=EVIL, last_error=EVIL, paused_reason=EVIL)
        note(connection, EVIL, EVIL[:40], f"orders/{row.id}", {EVIL: EVIL})
    seen = cli.items("events", "list")[0]["seq"]
    commands: list[tuple[object, ...]] = [(resource, "list") for resource in LISTS]
    commands += [("emails", "show", email), ("orders", "show", row.id), ("events", "show", seen)]
    commands += [("subscriptions", "show", 1), ("dead", "list", "emails"), ("top",), ("lanes",)]
    for words in commands:
        text = cli.text(*words)
        assert harmless(text), words
        shown = cli.text(*words, "--json")
        assert harmless(shown), words
        assert shown.isascii(), words
        assert "\x7f" not in shown
    assert "Hei \\x1b[2J" in cli.text("orders", "list")
    assert "\\u202egpj.exe" in cli.text("orders", "list")
    assert cli.items("orders", "list")[0]["subject"] == EVIL


def test_nothing_is_coloured_where_there_is_no_terminal(store: Store, cli: Cli) -> None:
    failed(store)
    for words in (("emails", "list"), ("lanes",), ("top",)):
        done = process(*words, database_url=cli.url)
        assert done.returncode == 0
        assert harmless(done.stdout)


def test_a_table_is_cut_to_the_terminal_but_for_identifiers(store: Store, cli: Cli) -> None:
    email = failed(store, order={"subject": "Hei " * 30})
    with Terminal(command("emails", "list"), environment(database_url=cli.url), columns=120) as terminal:
        assert terminal.end() == 0
    lines = [line for line in terminal.output.splitlines() if str(email) in line]
    assert len(lines) == 1
    assert len(lines[0].rstrip()) <= 120
    assert "…" in lines[0]
    assert "\\x1b" in lines[0]
    assert "Hei " * 30 in cli.text("emails", "list")


# Lanes


def test_lanes_are_shown_with_what_waits_in_them(store: Store, cli: Cli) -> None:
    failed(store)
    email_of(store, due_in=-timedelta(minutes=3, seconds=20))
    order_of(store, due_in=HOUR)
    cli.text("pause", "lane", "webhooks", "--reason", "a test")
    found = {item["name"]: item for item in cli.items("lanes")}
    assert found["orders"]["waiting"] == 1
    assert (found["emails"]["due"], found["emails"]["dead"]) == (1, 1)
    text = cli.text("lanes")
    assert "3 min 2" in text
    assert "a test" in text
    page = cli.text("top")
    assert "No worker runs: 1 e-mail is due." in page
    assert cli.json("top").keys() >= {"lanes", "processes", "findings", "hour"}


def test_top_is_live_until_q_is_pressed(store: Store, cli: Cli) -> None:
    with Terminal(command("top"), environment(database_url=cli.url)) as terminal:
        terminal.wait_for("No worker runs")
        cli.text("pause", "lane", "emails", "--reason", "seen at once")
        terminal.wait_for("seen at once")
        terminal.type("q")
        assert terminal.end() == 0
    assert terminal.output.endswith("\x1b[?1049l")
    assert store


def test_top_ends_with_ctrl_c_and_leaves_the_terminal_as_it_was(cli: Cli) -> None:
    with Terminal(command("top"), environment(database_url=cli.url)) as terminal:
        terminal.wait_for("No worker runs")
        terminal.interrupt()
        assert terminal.end() == 0
    assert terminal.output.endswith("\x1b[?1049l")
    assert "Traceback" not in terminal.output


# Acting on one


def test_an_order_is_cancelled_once_and_the_audit_log_says_by_whom(store: Store, cli: Cli) -> None:
    order = order_of(store, due_in=HOUR)
    asked = varsel("orders", "cancel", order, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Cancel this order to 1 recipient?" in asked.stderr) == (1, True)
    assert cli.json("orders", "show", order)["state"] == "Registered"
    assert cli.text("orders", "cancel", order, "--yes") == f"{order} was cancelled.\n"
    assert cli.json("orders", "show", order)["state"] == "Cancelled"
    assert "; this one was cancelled." in cli.refused(5, "orders", "cancel", order)
    cli.refused(3, "orders", "cancel", new_id(now()))
    [line] = cli.items("audit", "list", "--target", f"orders/{order}")
    assert line["who"].startswith("cli:")
    assert line["action"] == "orders.cancel"


def test_an_order_is_rescheduled(store: Store, cli: Cli) -> None:
    order = order_of(store, due_in=HOUR)
    asked = varsel("orders", "reschedule", order, "2100-05-01T12:00:00+02:00", given="n\n", database_url=cli.url)
    assert asked.exit_code == 1
    assert f"New send time: {cell(datetime(2100, 5, 1, 10, tzinfo=UTC))}." in asked.stderr
    assert cli.json("orders", "show", order)["due_at"] < "2100"
    done = cli.text("orders", "reschedule", order, "2100-05-01T12:00:00+02:00", "--yes")
    assert done == f"{order} was rescheduled: {cell(datetime(2100, 5, 1, 10, tzinfo=UTC))}.\n"
    assert cli.json("orders", "show", order)["due_at"] == "2100-05-01T10:00:00.000Z"
    cli.text("orders", "reschedule", order, "now", "--yes")
    assert datetime.fromisoformat(cli.json("orders", "show", order)["due_at"]) <= datetime.now(UTC)
    assert "past" in cli.refused(2, "orders", "reschedule", order, "2020-01-01T00:00:00Z")
    assert "time" in cli.refused(2, "orders", "reschedule", order, "soon")


def test_a_time_without_an_offset_is_that_of_the_terminal(
    store: Store, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(store, due_in=HOUR)
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        cli.text("orders", "reschedule", order, "2100-05-01 12:00", "--yes")
        made = (now().astimezone() - 2 * HOUR).strftime("%Y-%m-%d %H:%M")
        assert len(cli.items("orders", "list", "--since", made)) == 1
        assert cli.items("orders", "list", "--until", made) == []
    finally:
        monkeypatch.undo()
        time.tzset()
    assert cli.json("orders", "show", order)["requested_send_time"] == "2100-05-01T03:00:00.000Z"


def test_a_local_time_that_clocks_skip_is_refused_and_of_two_alike_the_first_is_meant(
    store: Store, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(store, due_in=HOUR)
    monkeypatch.setenv("TZ", "Europe/Oslo")
    time.tzset()
    try:
        for words in (("orders", "reschedule", order), ("orders", "list", "--since")):
            assert "2099-03-29 02:30 does not exist here" in cli.refused(2, *words, "2099-03-29T02:30")
        assert "2099-10-25 02:30:00+02:00" in cli.text("orders", "reschedule", order, "2099-10-25 02:30", "--yes")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_an_email_that_may_have_arrived_is_tried_again_with_a_yes(store: Store, cli: Cli) -> None:
    email = failed(store, state=EmailState.FAILED)
    with store.write() as connection:
        connection.execute(email_attempts.update().values(outcome="in_doubt"))
    asked = varsel("emails", "retry", email, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "it may come a second time" in asked.stderr) == (1, True)
    assert state_of(store, email) == EmailState.FAILED
    cli.text("emails", "retry", email, "--yes")
    assert state_of(store, email) == EmailState.NEW


def test_an_order_is_sent_again_to_those_without_it_or_when_that_is_said_to_all(store: Store, cli: Cli) -> None:
    order = order_of(store, state=OrderState.COMPLETED)
    cli.refused(5, "orders", "resend", order, "--yes")
    with store.write() as connection:
        seq = connection.scalar(select(orders_table.c.seq))
        assert seq
        add_email(connection, seq, state=EmailState.FAILED, due_at=None)
        add_email(connection, seq, state=EmailState.SUCCEEDED, due_at=None)
    asked = varsel("orders", "resend", order, given="y\n", database_url=cli.url)
    assert asked.exit_code == 0, asked.output
    assert "1 address has it, and gets nothing." in asked.stderr
    assert "Send again to 1 address that did not get it?" in asked.stderr
    assert len(cli.items("orders", "list")) == 1
    assert sorted(email["state"] for email in cli.items("emails", "list")) == ["New", "Succeeded"]
    cli.refused(5, "orders", "resend", order, "--all", "--yes")  # it is on its way
    done = order_of(store, state=OrderState.COMPLETED)
    assert "ordered again" in cli.text("orders", "resend", done, "--all", "--yes")
    newest, first, _ = cli.items("orders", "list")
    assert (first["id"], first["state"]) == (str(done), "Completed")
    assert (newest["subject"], newest["state"]) == ("Hei", "Registered")
    waiting = order_of(store, due_in=HOUR)
    cli.refused(5, "orders", "resend", waiting, "--all", "--yes")


def test_a_second_email_is_sent_only_when_that_was_confirmed(store: Store, cli: Cli) -> None:
    sent = email_of(store, state=EmailState.SUCCEEDED, due_at=None)
    asked = varsel("emails", "resend", sent, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Send a second e-mail to kari@example.no?" in asked.stderr) == (1, True)
    assert len(cli.items("orders", "list")) == 1
    assert "ordered again" in cli.text("emails", "resend", sent, "--yes")
    assert len(cli.items("orders", "list")) == 2


def test_an_email_is_sent_again_whether_it_failed_or_waits(store: Store, cli: Cli) -> None:
    bounced = failed(store)
    assert cli.text("emails", "retry", bounced) == f"{bounced} was queued again.\n"
    assert state_of(store, bounced) == EmailState.NEW
    later = email_of(store, due_in=HOUR, attempts=2)
    assert cli.text("emails", "retry", later) == f"{later} was made due.\n"
    sent = email_of(store, state=EmailState.SUCCEEDED, due_at=None)
    assert "; this one was sent" in cli.refused(5, "emails", "retry", sent)
    cli.refused(3, "emails", "retry", new_id(now()))


def test_a_delivery_is_pushed_again(store: Store, cli: Cli) -> None:
    gone = delivery_of(store, state=DeliveryState.DEAD, due_at=None)
    assert "queued again" in cli.text("deliveries", "retry", gone)
    assert cli.json("deliveries", "show", gone)["state"] == "Waiting"
    sent = delivery_of(store, state=DeliveryState.DELIVERED, due_at=None)
    cli.refused(5, "deliveries", "retry", sent)


def test_a_subscription_is_paused_and_goes_on(store: Store, cli: Cli) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example.no/hook")
    cli.text("subscriptions", "pause", seq, "--reason", "they asked")
    assert cli.json("subscriptions", "show", seq)["paused_reason"] == "Paused by an operator: they asked"
    assert [item["seq"] for item in cli.items("subscriptions", "list", "--state", "paused")] == [seq]
    assert "paused already" in cli.refused(5, "subscriptions", "pause", seq, "--reason", "so did we")
    asked = varsel("subscriptions", "resume", seq, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Goes out at once: 0 webhooks." in asked.stderr) == (1, True)
    cli.text("subscriptions", "resume", seq, "--yes")
    assert "not paused" in cli.refused(5, "subscriptions", "resume", seq)
    with store.read() as connection:
        assert connection.execute(select(subscriptions_table.c.paused_reason)).scalar_one() is None
    cli.refused(3, "subscriptions", "pause", 404)


def test_an_event_is_published_once(store: Store, cli: Cli, tmp_path: Path) -> None:
    with store.write() as connection:
        add_subscription(connection, "https://receiver.example.no/hook")
    event = {"specversion": "1.0", "id": "1", "source": "urn:a-test", "type": "a.test", "resource": APP}
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event))
    assert cli.text("events", "publish", file) == "1 is stored; deliveries: 1.\n"
    assert "not stored again" in cli.text("events", "publish", "-", given=json.dumps(event))
    assert json.loads(cli.json("events", "show", 1)["text"]) == event
    assert [line["target"] for line in cli.items("audit", "list", "--action", "events.publish")] == ["events/1"]
    file.write_text(json.dumps({"specversion": "1.0", "id": "2"}))
    assert "missing required attributes" in cli.refused(1, "events", "publish", file)
    cli.refused(2, "events", "publish", tmp_path / "nothing.json")
    with store.read() as connection:
        assert len(connection.execute(select(audit_log)).all()) == 1
