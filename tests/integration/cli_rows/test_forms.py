"""How rows are named on the command line, and the forms in which lists are printed."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from engine.admin.exports import COLUMNS
from engine.db.tables import history
from engine.db.tables import orders as orders_table
from engine.models import new_id
from tests.helpers.cli import HOUR, Cli, delivery_of, email_of, failed, order_of
from tests.helpers.rows import now

if TYPE_CHECKING:
    from engine.db.store import Store

pytestmark = pytest.mark.slow
INTERNAL = {"claim", "unresolved", "salt", "old_salt", "old_salt_until", "fingerprint", "hash"}


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_an_order_is_named_by_its_beginning_or_its_reference(store: Store, cli: Cli) -> None:
    order = order_of(store, due_in=HOUR, senders_reference="invoice 4711")
    for name in (str(order), str(order)[:18], str(order).replace("-", "")[:20].upper(), "invoice 4711"):
        assert cli.json("orders", "show", name)["id"] == str(order)
    assert cli.text("orders", "cancel", "invoice 4711", "--yes") == f"{order} is cancelled.\n"


def test_several_that_may_be_meant_are_named_and_nothing_is_done(store: Store, cli: Cli) -> None:
    at = now()
    both = sorted(str(order_of(store, id=new_id(at), due_in=HOUR, senders_reference="twice")) for _ in range(2))
    for name in ("twice", both[0][:8]):
        told = cli.refused(2, "orders", "cancel", name, "--yes")
        assert all(order in told for order in both)
        assert "Give more of its id." in told
    assert {item["state"] for item in cli.items("orders", "list")} == {"Registered"}


def test_an_email_is_named_by_the_reference_of_its_order_and_an_event_by_its_publishers_id(
    store: Store, cli: Cli
) -> None:
    email = email_of(store, order={"senders_reference": "receipt"})
    assert cli.json("emails", "show", "receipt")["id"] == str(email)
    event = cli.json("events", "show", cli.json("deliveries", "show", delivery_of(store))["event_seq"])
    assert cli.json("events", "show", event["id"])["seq"] == event["seq"]


def test_a_list_is_narrowed_by_the_beginning_of_an_id(store: Store, cli: Cli) -> None:
    email = failed(store)
    order = cli.json("emails", "show", email)["order_id"]
    assert [item["id"] for item in cli.items("emails", "list", "--order", order[:18])] == [str(email)]
    assert "order: None of the orders" in cli.refused(2, "emails", "list", "--order", "nothing")


def test_what_nobody_is_called_is_not_found(cli: Cli) -> None:
    for name in ("ffff", "nobody's", "a" * 36):
        assert f"an id that begins with {name}" in cli.refused(3, "orders", "show", name)
    assert "At most 400 characters" in cli.refused(2, "orders", "show", "x" * 401)


def test_csv_has_every_column_uncut_and_no_formula(store: Store, cli: Cli) -> None:
    email = failed(store, order={"subject": '=HYPERLINK("https://evil.example")'})
    [row] = read(cli.text("emails", "list", "--csv"))
    assert [title.removesuffix(" (UTC)") for title in row] == [*COLUMNS["emails"]]
    assert (row["id"], row["attempts"], row["last_code"]) == (str(email), "0", "550")
    assert row["subject"] == '\'=HYPERLINK("https://evil.example")'
    assert row["next_attempt (UTC)"] == ""
    assert "\\x1b[31m" in row["last_reply"], "no terminal obeys it"
    for words in (("lanes",), ("turns",), ("quotas",), ("recurring", "list"), ("dead", "list", "emails"), ("rates",)):
        assert "," in cli.text(*words, "--csv").splitlines()[0]
    assert "One of both" in cli.refused(2, "emails", "list", "--csv", "--json")


def test_with_utc_times_are_printed_and_read_in_utc_wherever_it_stands(store: Store, cli: Cli) -> None:
    at = datetime(2099, 5, 1, 12, tzinfo=UTC)
    order = order_of(store, due_in=HOUR)
    with store.write() as connection:
        changed = update(orders_table).where(orders_table.c.id == order)
        connection.execute(changed.values(requested_send_time=at))
    for words in (("--utc", "orders", "list"), ("orders", "list", "--utc"), ("orders", "show", order, "--utc")):
        assert "2099-05-01 12:00:00+00:00" in cli.text(*words)
    cli.text("orders", "reschedule", order, "2099-06-01T12:00", "--utc", "--yes")
    assert cli.json("orders", "show", order)["requested_send_time"] == "2099-06-01T12:00:00.000Z"


def test_subscriptions_have_a_state_and_a_backlog(store: Store, cli: Cli) -> None:
    seq = cli.json("deliveries", "show", delivery_of(store))["subscription_seq"]
    [row] = read(cli.text("subscriptions", "list", "--csv"))
    assert (row["seq"], row["state"], row["backlog"]) == (str(seq), "ok", "1")
    cli.text("subscriptions", "pause", seq, "--reason", "moving", "--yes")
    assert cli.json("subscriptions", "show", seq)["state"] == "paused"


@pytest.mark.parametrize("resource", ["orders", "emails", "events", "subscriptions", "deliveries"])
def test_no_internal_name_is_shown(store: Store, cli: Cli, resource: str) -> None:
    failed(store)
    delivery_of(store)
    first = cli.items(resource, "list")[0]
    shown = cli.json(resource, "show", first.get("seq", first.get("id")))
    assert INTERNAL.isdisjoint(first)
    assert INTERNAL.isdisjoint(shown)
    text = cli.text(resource, "show", first.get("seq", first.get("id")))
    assert "claim" not in text
    assert "salt" not in text


def test_rates_are_printed_step_by_step(store: Store, cli: Cli) -> None:
    minute = now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    with store.write() as connection:
        for series, count in (("emails.accepted", 7), ("emails.failed", 2), ("delay.0.5", 7)):
            connection.execute(insert(history).values(minute=minute, series=series, count=count))
    items = cli.items("rates", "hour")
    [row] = [item for item in items if item["emails_accepted"]]
    assert len(items) == 60
    assert (row["at"], row["emails_failed"], row["delay_p50"]) == (minute.strftime("%Y-%m-%dT%H:%M:00.000Z"), 2, 0.35)
    assert len(read(cli.text("rates", "week", "--csv"))) == 168
    assert "350 ms" in cli.text("rates", "hour")
    assert sum(item["emails_accepted"] for item in cli.items("rates", "hour", "--until", "1d")) == 0
    assert json.loads(cli.text("rates", "--json"))["next"] is None
    assert "until: A time such as" in cli.refused(2, "rates", "--until", "never")
