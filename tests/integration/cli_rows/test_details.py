"""One row on the command line, and text from outside."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine.admin.actions import find
from engine.admin.jobs import start
from engine.admin.pausing import pause
from engine.cli.output import cell
from engine.db.tables import orders as orders_table
from engine.events.storing import persist
from engine.models import new_id
from engine.observability.audit import note
from tests.helpers.cli import HOUR, LISTS, Cli, delivery_of, failed, order_of
from tests.helpers.command import command, environment, process
from tests.helpers.rows import APP, add_subscription, an_event, now
from tests.helpers.terminal import Terminal

if TYPE_CHECKING:
    from engine.db.store import Store

pytestmark = pytest.mark.slow
EVIL = "Hei \x1b[2J\x1b]0;owned\x07 \u202egpj.exe \u2066x\x9b31m\r\n<script>"


def harmless(text: str) -> bool:
    """Whether nothing in it can steer a terminal."""
    return not any(unicodedata.category(each).startswith("C") for each in text if each != "\n")


# One of them


def test_an_email_is_shown_with_every_attempt_and_why(store: Store, cli: Cli) -> None:
    email = failed(store)
    document = cli.json("emails", "show", email)
    assert document["timeline"][0]["code"] == 550
    assert datetime.fromisoformat(document["timeline"][0]["at"]).tzinfo
    text = cli.text("emails", "show", email)
    for part in (str(email), "kari@example.no", "no such", "relay.example:25", "Failed: bounced"):
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


@pytest.mark.parametrize(
    ("columns", "kept", "gone"),
    [
        (110, ["e-mail", "recipient", "state", "code", "last answer", "subject"], ["next attempt"]),
        (80, ["e-mail", "recipient", "state", "last answer"], ["stands", "subject", "creator"]),
        (60, ["e-mail", "recipient", "state"], ["last answer", "code"]),
    ],
)
def test_the_most_important_columns_stay_on_a_narrow_terminal(
    store: Store, cli: Cli, columns: int, kept: list[str], gone: list[str]
) -> None:
    email = failed(store, order={"subject": "Hei " * 30})
    with Terminal(command("emails", "list"), environment(database_url=cli.url), columns=columns) as terminal:
        assert terminal.end() == 0
    head, line, left = re.sub(r"\x1b\[\d*m|\r", "", terminal.output).strip().split("\n", 2)
    assert line.startswith(str(email)[:18])
    assert all(title in head for title in kept), head
    told = " ".join(left.split())
    assert all(title not in head and title in told for title in gone), left
    assert max(len(head.rstrip()), len(line.rstrip())) <= columns
    assert "No room for: " in told
    assert str(email) in cli.text("emails", "list")
    assert "Hei " * 30 in cli.text("emails", "list")


def test_what_a_list_is_looked_at_for_has_room_on_a_terminal_of_80_columns(store: Store, cli: Cli) -> None:
    failed(store)
    reason = "their server is down since this morning"
    with store.write() as connection:
        pause(connection, "anna", "domain", "slow.example", reason, now() + HOUR)
        start(connection, "anna", find("emails", "retry"), {"state": "failed"})
    for words, kept in (
        (("pauses",), ("slow.example", "until", "their server")),
        (("jobs", "list"), ("retry e-mails", "state failed")),
        (("audit", "list"), (f"anna paused mail to slow.example until {cell(now() + HOUR)[:16]}", f": {reason}")),
    ):
        with Terminal(command(*words), environment(database_url=cli.url), columns=80) as terminal:
            assert terminal.end() == 0
        shown = re.sub(r"\x1b\[\d*m|\r", "", terminal.output).strip().split("\n")
        assert max(map(len, map(str.rstrip, shown))) <= 80
        told = " ".join(" ".join(shown).split())
        assert all(each in told for each in kept), told
    assert json.loads(cli.text("audit", "list", "--json"))["items"][-1]["action"] == "pause"
