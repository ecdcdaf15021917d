"""The commands of resources follow from the registry: they have everything in it, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import typer
from sqlalchemy import true

from engine.admin import actions
from engine.admin.actions import ACTIONS, Action, Command
from engine.admin.filters import Field
from engine.admin.resources import EVENTS, ORDERS, RESOURCES
from engine.cli import app, program
from tests.helpers.command import command, environment, varsel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.admin.resources import Resource

NEW = Field("colour", "The colour of its paper.", choices=("red", "green"))


def group(resource: str) -> Any:
    return typer.main.get_group(app).commands[resource]


def mark(_connection: Any, _rows: Sequence[Any], _argument: str | None) -> None:
    """An action that does nothing."""


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda resource: resource.name)
def test_every_resource_has_a_list_and_what_can_be_done_to_its_rows(resource: Resource) -> None:
    found = group(resource.name).commands
    expected = {each.command.name for each in ACTIONS if each.resource is resource and each.command}
    assert ["list", *(["show"] if resource.shows else [])] == [*found][: 1 + bool(resource.shows)]
    assert expected <= found.keys()
    assert all(each.help for each in found.values())


@pytest.fixture
def anew() -> Iterator[None]:
    """The commands are made again, with what is new in the registry."""
    program.cache_clear()
    yield
    program.cache_clear()


@pytest.mark.usefixtures("anew")
def test_a_filter_that_is_new_in_the_registry_is_an_option_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    wider = replace(ORDERS, fields={**ORDERS.fields, NEW.name: NEW})
    monkeypatch.setitem(RESOURCES, "orders", wider)
    shown = varsel("orders", "list", "--help").output
    assert "--colour <str>" in shown
    assert f"{NEW.help[:-1]}: red, green." in " ".join(shown.split())


@pytest.mark.usefixtures("anew")
def test_an_action_that_is_new_in_the_registry_is_a_command_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Action(
        EVENTS, "mark", "Mark", "marked", true(), mark, "Any", asks=True, command=Command("mark", "Mark an event.")
    )
    again = replace(new, name="unmark", takes="time", command=Command("mark", flag="off", says="Take its mark off."))
    monkeypatch.setattr(actions, "ACTIONS", [*ACTIONS, new, again])
    assert "mark     Mark an event." in varsel("events", "--help").output
    shown = varsel("events", "mark", "--help").output
    assert "mark [OPTIONS] {NUMBER} {TIME}" in shown
    for told in ("Mark an event.", "--off", "Take its mark off.", "--yes"):
        assert told in shown


def test_a_command_that_never_asks_has_no_option_against_it() -> None:
    assert "--yes" not in varsel("deliveries", "replay", "--help").output
    assert "--yes" in varsel("emails", "retry", "--help").output


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("token", "--help")], ids=" ".join)
def test_what_needs_no_registry_does_not_wait_for_its_import(words: tuple[str, ...]) -> None:
    imported = imported_by(*words)
    assert "engine.cli.resources" in imported
    assert not imported & {"engine.admin.resources", "engine.admin.actions", "sqlalchemy"}


def test_the_registry_needs_neither_redis_nor_the_rules_of_orders() -> None:
    imported = imported_by("orders", "list", "--help")
    assert "engine.admin.actions" in imported
    assert not imported & {"redis", "dramatiq", "engine.orders.rules"}


def imported_by(*words: str) -> set[str]:
    """The modules that a command imports."""
    timed = [sys.executable, "-X", "importtime", *command(*words)[1:]]
    done = subprocess.run(timed, env=environment(), check=True, capture_output=True, text=True)
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
