"""Lists on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer
from sqlalchemy import insert, select

from engine.admin.resources import RESOURCES
from engine.cli import app, dead
from engine.cli.columns import COLUMNS, SAID
from engine.cli.options import MOST
from engine.db.tables import email_attempts, emails
from engine.models import EmailState
from tests.helpers.cli import LISTS, Cli, delivery_of, email_of, failed, order_of
from tests.helpers.command import varsel
from tests.helpers.rows import add_order, now

if TYPE_CHECKING:
    from engine.db.store import Store

pytestmark = pytest.mark.slow


def options_of(group: str, name: str) -> set[str]:
    """The options of a command, by their names on the command line."""
    found = typer.main.get_group(app).commands[group].commands[name].params  # type: ignore[attr-defined]
    return {each.opts[0].removeprefix("--") for each in found if each.opts[0].startswith("--")}


@pytest.mark.parametrize("resource", LISTS)
def test_a_list_is_narrowed_by_what_the_console_narrows_it_by(resource: str) -> None:
    own = {"limit", "cursor", "sort", "json", "csv", "data"}
    options = options_of(resource, "list")
    assert options - own == set(RESOURCES[resource].fields)
    assert own <= options


def test_what_is_dead_is_narrowed_by_options_of_its_resources() -> None:
    for act in ("list", "replay"):
        options = options_of("dead", act) - {"limit", "cursor", "sort", "json", "csv", "data", "yes", "wait"}
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
    cli.text("pause", "creator", "ttd", "--reason", "a test", "--yes")
    for resource in ("orders", "emails", "events", "subscriptions", "deliveries", "audit"):
        items = cli.items(resource, "list")
        assert items
        assert set(COLUMNS[resource].values()) - {SAID} <= items[0].keys()
        head, *lines = cli.text(resource, "list").splitlines()
        assert len(lines) == len(items)
        assert head.split() == " ".join(COLUMNS[resource]).split()


def test_options_narrow_a_list(store: Store, cli: Cli) -> None:
    bounced = failed(store, address="ola@example.com")
    email_of(store)
    assert [item["id"] for item in cli.items("emails", "list", "--state", "failed")] == [str(bounced)]
    assert len(cli.items("emails", "list", "--state", "new", "--priority", "NORMAL")) == 1, "whatever the case"
    assert [item["id"] for item in cli.items("emails", "list", "--recipient", "@example.com")] == [str(bounced)]
    assert [item["id"] for item in cli.items("emails", "list", "--error", "5xx")] == [str(bounced)]
    assert cli.items("emails", "list", "--since", "2100-01-01") == []
    assert len(cli.items("emails", "list", "--since", "1h", "--creator", "ttd")) == 2
    assert "Nothing matches." in varsel("emails", "list", "--creator", "x", database_url=cli.url).stderr


def test_a_wrong_state_is_told_the_right_ones(cli: Cli) -> None:
    told = cli.refused(2, "orders", "list", "--state", "done")
    assert told.startswith("Error: state: done is none of waiting, due, ")
    assert "Registered, " in told


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


def test_a_list_stands_in_the_direction_that_is_asked_for_whole_or_page_by_page(store: Store, cli: Cli) -> None:
    made = sorted(str(order_of(store)) for _ in range(3))
    usual, upwards, downwards = (
        [item["id"] for item in cli.items("orders", "list", *sort)]
        for sort in ((), ("--sort", "ascending"), ("--sort", "descending"))
    )
    assert (usual, upwards, downwards) == (made[::-1], made, made[::-1])
    first = cli.json("orders", "list", "--sort", "ascending", "--limit", 2)
    rest = cli.items("orders", "list", "--sort", "ascending", "--cursor", first["next"])
    assert [item["id"] for item in [*first["items"], *rest]] == made
    _head, *lines = cli.text("orders", "list", "--sort", "ascending", "--csv").splitlines()
    assert [line.partition(",")[0] for line in lines] == made
    assert "sideways" in cli.refused(2, "orders", "list", "--sort", "sideways")
    assert len(cli.items("dead", "list", "orders", "--sort", "ascending")) == 0


def test_the_list_of_emails_says_when_each_was_sent(store: Store, cli: Cli) -> None:
    sent, _waits = email_of(store, state=EmailState.SUCCEEDED, due_at=None), email_of(store)
    at = now().replace(microsecond=0)
    line = {"claim": 1, "outcome": "accepted", "phase": "dot", "code": 250, "reply": "2.0.0 ok", "relay": "relay:25"}
    with store.write() as connection:
        its = connection.scalar(select(emails.c.seq).where(emails.c.id == sent))
        connection.execute(insert(email_attempts).values(line | {"email_seq": its, "at": at, "duration_ms": 3}))
    rows = cli.text("emails", "list", "--utc").splitlines()
    place = rows[0].index("sent")
    assert [row[place:].split("  ")[0] for row in rows[1:]] == ["-", at.isoformat(" ")]


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


def test_a_list_is_printed_as_csv_whole_unless_it_is_limited_and_the_audit_log_says_so(store: Store, cli: Cli) -> None:
    with store.write() as connection:
        for _ in range(60):
            add_order(connection)
    header, *rows = cli.text("orders", "list", "--csv").splitlines()
    assert header.startswith("id,state,creator,reference,")
    assert len(rows) == 60
    assert len(cli.text("orders", "list", "--csv", "--limit", 1).splitlines()) == 2
    cli.refused(2, "orders", "list", "--csv", "--json")
    newest, oldest = cli.items("audit", "list", "--action", "export")
    assert newest["who"].startswith("cli:")
    assert newest["detail"] == {"filter": {}, "format": "CSV", "rows": 1}
    assert oldest["detail"] == {"filter": {}, "format": "CSV", "rows": 60}
