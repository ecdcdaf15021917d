"""Lanes on the command line, also live."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.db.tables import recurring_orders
from engine.models import new_id
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
