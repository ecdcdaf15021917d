"""Acting on one row from the command line."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from engine.cli.output import cell
from engine.db.tables import audit_log, email_attempts
from engine.db.tables import emails as emails_table
from engine.db.tables import orders as orders_table
from engine.db.tables import subscriptions as subscriptions_table
from engine.models import DeliveryState, EmailState, OrderState, new_id
from tests.helpers.cli import HOUR, Cli, delivery_of, email_of, failed, order_of
from tests.helpers.command import varsel
from tests.helpers.rows import APP, add_email, add_subscription, now

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from engine.db.store import Store

pytestmark = pytest.mark.slow


def state_of(store: Store, email: UUID) -> str:
    with store.read() as connection:
        return str(connection.scalar(select(emails_table.c.state).where(emails_table.c.id == email)))


def test_an_order_is_cancelled_once_and_the_audit_log_says_by_whom(store: Store, cli: Cli) -> None:
    order = order_of(store, due_in=HOUR)
    asked = varsel("orders", "cancel", order, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Cancel this order to 1 recipient?" in asked.stderr) == (1, True)
    assert cli.json("orders", "show", order)["state"] == "Registered"
    assert cli.text("orders", "cancel", order, "--yes") == f"{order} is cancelled.\n"
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
    assert done == f"{order} is rescheduled: {cell(datetime(2100, 5, 1, 10, tzinfo=UTC))}.\n"
    assert cli.json("orders", "show", order)["due_at"] == "2100-05-01T10:00:00.000Z"
    assert "orders send-now" in cli.refused(2, "orders", "reschedule", order, "now")
    cli.text("orders", "send-now", order, "--yes")
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
    cli.refused(5, "orders", "retry", order, "--yes")
    with store.write() as connection:
        seq = connection.scalar(select(orders_table.c.seq))
        assert seq
        add_email(connection, seq, state=EmailState.FAILED, due_at=None)
        add_email(connection, seq, state=EmailState.SUCCEEDED, due_at=None)
    asked = varsel("orders", "retry", order, given="y\n", database_url=cli.url)
    assert asked.exit_code == 0, asked.output
    assert "1 address has it, and gets nothing." in asked.stderr
    assert "Retry 1 address that failed?" in asked.stderr
    assert len(cli.items("orders", "list")) == 1
    assert sorted(email["state"] for email in cli.items("emails", "list")) == ["New", "Succeeded"]
    cli.refused(5, "orders", "send-again", order, "--all", "--yes")  # it is on its way
    done = order_of(store, state=OrderState.COMPLETED)
    assert "sent again" in cli.text("orders", "send-again", done, "--all", "--yes")
    newest, first, _ = cli.items("orders", "list")
    assert (first["id"], first["state"]) == (str(done), "Completed")
    assert (newest["subject"], newest["state"]) == ("Hei", "Registered")
    waiting = order_of(store, due_in=HOUR)
    cli.refused(5, "orders", "send-again", waiting, "--all", "--yes")
    for flags in ((), ("--all", "--failed")):
        assert "--failed --all" in cli.refused(2, "orders", "send-again", done, *flags)


def test_an_order_is_sent_again_to_those_that_failed_as_a_new_order_on_its_creators_terms(
    store: Store, cli: Cli, tmp_path: Path
) -> None:
    both = json.dumps([{"emailAddress": "kari@example.no"}, {"emailAddress": "ola@example.no"}])
    order = order_of(store, state=OrderState.COMPLETED, recipients=both)
    with store.write() as connection:
        seq = connection.scalar(select(orders_table.c.seq))
        assert seq
        add_email(connection, seq, state=EmailState.SUCCEEDED, due_at=None)
        add_email(connection, seq, state=EmailState.FAILED, due_at=None, address="ola@example.no")
    file = tmp_path / "quotas.toml"
    file.write_text("[creators.ttd]\nper_day = 1\n")
    words = ("orders", "send-again", order, "--failed")
    held = Cli(cli.url, quotas_file=str(file))
    asked = varsel(*words, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Send again to 1 recipient that failed?" in asked.stderr) == (1, True)
    told = held.text(*words, "--yes")
    new = cli.items("orders", "list")[0]["id"]
    assert told == f"{order} is sent again to those that failed, as the order {new}.\n"
    assert cli.json("orders", "show", new)["recipients"] == [{"emailAddress": "ola@example.no"}]
    for said in (cli.text("audit", "list"), cli.text("orders", "show", order)):
        assert f"sent order {order} again to those that failed, as order {new}" in said
    with store.write() as connection:
        connection.execute(audit_log.delete())
    assert "The quota of this creator is 1 recipients a day" in held.refused(1, *words, "--yes")


def test_a_second_email_is_sent_only_when_that_was_confirmed(store: Store, cli: Cli) -> None:
    sent = email_of(store, state=EmailState.SUCCEEDED, due_at=None)
    asked = varsel("emails", "send-again", sent, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Send again to kari@example.no?" in asked.stderr) == (1, True)
    assert len(cli.items("orders", "list")) == 1
    assert "sent again" in cli.text("emails", "send-again", sent, "--yes")
    assert len(cli.items("orders", "list")) == 2


def test_an_email_is_sent_again_whether_it_failed_or_waits(store: Store, cli: Cli) -> None:
    bounced = failed(store)
    assert cli.text("emails", "retry", bounced) == f"{bounced} is retried.\n"
    assert state_of(store, bounced) == EmailState.NEW
    later = email_of(store, due_in=HOUR, attempts=2)
    assert cli.text("emails", "send-now", later) == f"{later} is sent now.\n"
    sent = email_of(store, state=EmailState.SUCCEEDED, due_at=None)
    assert "; this one was sent" in cli.refused(5, "emails", "retry", sent)
    cli.refused(3, "emails", "retry", new_id(now()))


def test_a_delivery_is_pushed_again(store: Store, cli: Cli) -> None:
    gone = delivery_of(store, state=DeliveryState.DEAD, due_at=None)
    assert "is replayed" in cli.text("deliveries", "replay", gone)
    assert cli.json("deliveries", "show", gone)["state"] == "Waiting"
    sent = delivery_of(store, state=DeliveryState.DELIVERED, due_at=None)
    cli.refused(5, "deliveries", "replay", sent)


def test_a_subscription_is_paused_and_goes_on(store: Store, cli: Cli) -> None:
    with store.write() as connection:
        seq = add_subscription(connection, "https://receiver.example.no/hook")
    words = ("subscriptions", "pause", seq, "--reason", "they asked")
    asked = varsel(*words, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Nothing is due: nothing stops at once." in asked.stderr) == (1, True)
    assert "not both" in cli.refused(2, *words, "--for", "30m", "--until", "08:00", "--yes")
    assert cli.text(*words, "--for", "30m", "--yes").startswith(f"Subscription {seq} is paused, until 2")
    until = datetime.fromisoformat(cli.json("subscriptions", "show", seq)["paused_until"])
    assert now() < until <= now() + timedelta(minutes=30)
    cli.text("subscriptions", "resume", seq, "--yes")
    assert cli.text(*words, "--yes") == f"Subscription {seq} is paused, until somebody resumes it.\n"
    assert cli.json("subscriptions", "show", seq)["paused_reason"] == "Paused by an operator: they asked"
    assert [item["seq"] for item in cli.items("subscriptions", "list", "--state", "paused")] == [seq]
    assert "paused already" in cli.refused(5, "subscriptions", "pause", seq, "--reason", "so did we")
    asked = varsel("subscriptions", "resume", seq, given="n\n", database_url=cli.url)
    assert (asked.exit_code, "Goes out at once: 0 webhooks." in asked.stderr) == (1, True)
    cli.text("subscriptions", "resume", seq, "--yes")
    assert "not paused" in cli.refused(5, "subscriptions", "resume", seq)
    with store.read() as connection:
        assert connection.execute(select(subscriptions_table.c.paused_reason)).scalar_one() is None
    cli.refused(3, "subscriptions", "pause", 404, "--reason", "a test")


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
