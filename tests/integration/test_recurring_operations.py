"""What operators do with recurring orders, from the command line and in the console."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, update

from engine.admin import recurring as operations
from engine.db.tables import audit_log, orders, recurring_orders
from engine.errors import Conflict, NotFound
from engine.models import new_id
from tests.helpers.cli import Cli
from tests.helpers.command import varsel
from tests.helpers.rows import now
from tests.integration.test_recurring import row, stored, tick
from tests.servers.installation import API, Installation, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from engine.db.store import Store

HOUR = timedelta(hours=1)


def test_a_paused_one_makes_no_runs_and_goes_on_with_the_next_time(store: Store) -> None:
    its_id = stored(store)
    with store.write() as connection:
        operations.pause(connection, "anna", its_id, "a wrong text")
        with pytest.raises(Conflict, match="paused already"):
            operations.pause(connection, "anna", its_id)
    assert tick(store) == 0
    assert row(store, its_id).paused_reason == "Paused by an operator: a wrong text"
    with store.write() as connection:
        operations.resume(connection, "anna", its_id)
        with pytest.raises(Conflict, match="not paused"):
            operations.resume(connection, "anna", its_id)
    assert row(store, its_id).next_at > now()
    assert tick(store) == 0, "what came meanwhile is left out"


def test_one_whose_last_time_passed_while_it_was_paused_has_ended(store: Store) -> None:
    its_id = stored(store)
    with store.write() as connection:
        operations.pause(connection, "anna", its_id)
        connection.execute(update(recurring_orders).values(until=now() - HOUR))
        assert "has ended" in operations.resume(connection, "anna", its_id)
        with pytest.raises(Conflict, match="has ended"):
            operations.pause(connection, "anna", its_id)
        with pytest.raises(NotFound):
            operations.pause(connection, "anna", new_id(now()))


def test_the_command_lists_shows_pauses_and_deletes_them(store: Store, database_url: str) -> None:
    first, second = stored(store), stored(store, name="second", runs=2, until=(now() + 2 * HOUR).isoformat())
    assert tick(store) == 2
    with store.write() as connection:
        connection.execute(update(recurring_orders).where(recurring_orders.c.id == second).values(next_at=now() + HOUR))
    cli = Cli(database_url)
    assert [each["name"] for each in cli.items("recurring", "list")] == ["minutely", "second"]
    paused = cli.text("recurring", "pause", first, "--reason", "wrong")
    assert paused == "minutely of ttd is paused: no runs are made.\n"
    assert [each["name"] for each in cli.items("recurring", "list", "--state", "paused")] == ["minutely"]
    assert [each["name"] for each in cli.items("recurring", "list")] == ["second", "minutely"]
    assert cli.items("recurring", "list", "--creator", "skd") == []
    shown: Any = cli.json("recurring", "show", second)
    assert (shown["state"], shown["made"], shown["runs_left"], len(shown["next_runs"])) == ("active", 1, 1, 1)
    assert shown["recipients"] == [{"emailAddress": "kari@example.no"}]
    assert "Paused by an operator: wrong" in cli.text("recurring", "show", first)
    assert "is resumed" in cli.text("recurring", "resume", first)
    asked = varsel("recurring", "delete", second, given="n\n", database_url=database_url)
    assert (asked.exit_code, "It has made 1 order, each to 1 recipient" in asked.stderr) == (1, True)
    assert "was deleted" in cli.text("recurring", "delete", second, "--yes")
    cli.refused(3, "recurring", "show", second)
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(orders)) == 2, "what was made stays"
        acts = connection.scalars(select(audit_log.c.action).order_by(audit_log.c.seq)).all()
    assert acts == ["pause", "resume", "delete"]


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def test_the_sender_sees_that_it_is_paused_and_who_deleted_it_stands_in_the_audit_log(
    client: httpx.Client, installation: Installation
) -> None:
    body = {"name": "operated", "cron": "0 9 * * 1", "zone": "Europe/Oslo", "order": order()}
    its_id = client.post(f"{API}/recurring-orders", json=body).json()["id"]
    cli = Cli(installation.environment()["VARSEL_DATABASE_URL"])
    cli.text("recurring", "pause", its_id)
    told = client.get(f"{API}/recurring-orders/{its_id}").json()
    assert (told["pausedReason"], "nextRuns" in told) == ("Paused by an operator.", False)
    assert client.delete(f"{API}/recurring-orders/{its_id}").status_code == 204
    [deleted] = cli.items("audit", "list", "--target", f"recurring/{its_id}", "--action", "delete")
    assert deleted["detail"] == {"name": "operated"}
