"""Lanes on the command line, also live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from engine.db.tables import email_attempts, recurring_orders
from engine.models import EmailState, new_id
from engine.observability import sums
from engine.observability.sums import Ending
from tests.helpers.cli import HOUR, Cli, email_of, failed, order_of
from tests.helpers.command import command, environment, varsel
from tests.helpers.rows import add_email, add_order, now
from tests.helpers.terminal import Terminal

if TYPE_CHECKING:
    from pathlib import Path

    from engine.db.store import Store

pytestmark = pytest.mark.slow


def test_lanes_are_shown_with_what_waits_in_them(store: Store, cli: Cli) -> None:
    failed(store)
    email_of(store, due_in=-timedelta(minutes=3, seconds=20))
    order_of(store, due_in=HOUR)
    cli.text("pause", "lane", "webhooks", "--reason", "a test", "--yes")
    found = {item["name"]: item for item in cli.items("lanes")}
    assert found["orders"]["waiting"] == 1
    assert (found["emails"]["due"], found["emails"]["dead"]) == (1, 1)
    text = cli.text("lanes")
    assert "3 min 2" in text
    assert "a test" in text
    page = cli.text("top")
    assert "No worker runs: 1 e-mail is due." in page
    assert cli.json("top").keys() >= {"lanes", "processes", "findings", "hour"}


def test_failures_are_shown_with_what_their_e_mails_are_now(store: Store, cli: Cli) -> None:
    key, text = "a" * 12, "550 5.1.1 no such user"
    states = (EmailState.FAILED_BOUNCED, EmailState.SUCCEEDED, EmailState.SUCCEEDED, EmailState.NEW)
    with store.write() as connection:
        sums.add(connection, {Ending("rejected", key, "relay:25", "a.no", "ttd"): len(states)}, {key: text})
        of = add_order(connection)
        for state in states:
            seq = add_email(connection, of, state=state)
            line = {
                "claim": 1,
                "at": now(),
                "duration_ms": 1,
                "relay": "relay:25",
                "outcome": "rejected",
                "reply": text,
            }
            connection.execute(insert(email_attempts).values(line | {"email_seq": seq, "failure": key}))
    [found] = cli.items("failures")
    assert found["now"] == {"failed": 1, "sent": 2, "waiting": 1, "cancelled": 0, "lately": 1, "whole": True}
    assert "1 failed, 2 sent, 1 waiting" in cli.text("failures", "--csv")


def test_before_a_pause_ends_it_is_said_who_made_it(cli: Cli) -> None:
    cli.text("pause", "domain", "slow.example", "--reason", "their server is down", "--yes")
    asked = varsel("resume", "domain", "slow.example", given="n\n", database_url=cli.url).stderr
    assert "Mail to slow.example is paused by cli:" in asked
    assert "UTC, without an end: their server is down." in asked


def test_where_nothing_is_found_the_command_is_told_that_comes_nearest(cli: Cli) -> None:
    told = cli.refused(3, "find", "mann@example.no")
    assert "The whole domain: @example.no. `varsel find @example.no`" in told
    assert "`varsel emails list --recipient @example.no`" in told


def test_turns_are_shown_by_priority_and_creator(store: Store, cli: Cli) -> None:
    with store.write() as connection:
        for creator, priority, count in (("skd", 1, 2), ("ttd", 2, 1)):
            order = add_order(connection, creator=creator)
            for place in range(count):
                add_email(connection, order, creator=creator, priority=priority, rank=1_700_000_000_000 + place)
    found = [(each["priority"], each["creator"], each["ready"]) for each in cli.items("turns")]
    assert found == [("Normal", "skd", 2), ("Bulk", "ttd", 1)]
    assert {each["since"] for each in cli.items("turns")} == {"2023-11-14T22:13:20.000Z"}
    assert "skd" in cli.text("turns")
    assert "skd" in cli.text("top")


def test_recurring_orders_are_shown_in_the_order_of_their_next_runs(store: Store, cli: Cli) -> None:
    ended = {
        "creator": "ttd",
        "fingerprint": "",
        "cron": "0 9 * * 1",
        "zone": "UTC",
        "missed": "Once",
        "order_row": "{}",
    }
    with store.write() as connection:
        for name, due_in in (("ended", None), ("later", HOUR), ("sooner", HOUR / 2)):
            values = ended | {"id": new_id(now()), "name": name, "next_at": now() + due_in if due_in else None}
            connection.execute(recurring_orders.insert().values(created=now(), **values))
    assert [each["name"] for each in cli.items("recurring", "list")] == ["sooner", "later", "ended"]
    assert "0 9 * * 1" in cli.text("recurring", "list")


def test_quotas_say_why_there_are_none(cli: Cli, tmp_path: Path) -> None:
    unset = varsel("quotas", database_url=cli.url)
    assert (unset.exit_code, unset.stdout) == (0, "")
    assert "VARSEL_QUOTAS_FILE is not set for this command" in unset.stderr
    file = tmp_path / "quotas.toml"
    file.write_text("[default]\nper_day = 5\n")
    nobody = varsel("quotas", database_url=cli.url, quotas_file=str(file))
    assert nobody.stderr == f"{file} gives no creator a quota who has ordered lately.\n"
    file.write_text("[creators.skd]\nper_day = 5\n")
    assert "skd" in varsel("quotas", database_url=cli.url, quotas_file=str(file)).stdout
    file.write_text("broken")
    assert (
        f"VARSEL_QUOTAS_FILE: {file}: is not TOML"
        in varsel("quotas", database_url=cli.url, quotas_file=str(file)).stderr
    )


def test_top_is_live_until_q_is_pressed(store: Store, cli: Cli) -> None:
    with Terminal(command("top"), environment(database_url=cli.url)) as terminal:
        terminal.wait_for("No worker runs")
        cli.text("pause", "lane", "emails", "--reason", "seen at once", "--yes")
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
