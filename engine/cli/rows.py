"""Lists, single rows and actions on them, the same for all resources."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from engine.cli.installation import opened, place, reading, who, writing
from engine.cli.output import Form, cell, print_json, print_one, print_rows
from engine.cli.progress import confirm
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from engine.admin.actions import Action
    from engine.admin.copies import Terms
    from engine.admin.lists import Sort
    from engine.admin.resources import Resource


ROWS = 50  # of a list, unless more or fewer are wanted


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much of a list, from where on, in which form, and in which direction (None: its usual one)."""

    limit: int | None
    cursor: str | None
    form: Form
    data: Path | None
    sort: str | None = None


def show_list(resource: Resource, given: Mapping[str, str | None], wanted: Wanted) -> None:
    """Print the rows that match, up to `limit`, however far back the last of them is."""
    from engine.admin.lists import Sort, page
    from engine.admin.naming import completed

    conditions = {name: value for name, value in given.items() if value is not None}
    with reading(wanted.data) as connection:
        conditions = completed(connection, conditions)
    sort = Sort(wanted.sort) if wanted.sort else None
    if wanted.form is Form.CSV:
        return _print_csv(resource, conditions, wanted, sort)
    items: list[dict[str, Any]] = []
    cursor, limit = wanted.cursor, wanted.limit or ROWS
    while True:
        with reading(wanted.data) as connection:
            found = page(connection, resource, conditions, cursor, limit - len(items), sort)
        items += found.items
        cursor = found.next
        if cursor is None or not found.looked_back or len(items) == limit:
            break
    none = "Nothing matches." if conditions else "There is none."
    print_rows(wanted.form, resource.name, items, cursor, none=none)
    if cursor and wanted.form is not Form.JSON:
        typer.echo(f"There are more: --cursor {cursor}", err=True)
    return None


def _print_csv(resource: Resource, conditions: Mapping[str, str], wanted: Wanted, sort: Sort | None) -> None:
    """Print all rows that match, or up to the limit; the audit log says so."""
    from engine.admin import exports

    made = exports.Export(
        resource,
        conditions,
        exports.Form.CSV,
        hidden=False,
        most=wanted.limit,
        cursor=wanted.cursor,
        sort=sort,
    )
    whole = False
    with opened(wanted.data) as store:
        with store.write() as connection:
            made.begin(connection, who())
        try:
            text: str | None = made.head
            while text is not None:
                typer.echo(text, nl=False)
                with store.read() as connection:
                    text = made.step(connection)
            whole = True
        finally:
            with store.write() as connection:
                made.end(connection, whole=whole)


def show_one(resource: Resource, key: Any, as_json: bool, data: Path | None) -> None:
    """Print one row with all that happened to it; NotFound."""
    from engine.admin.details import DETAILS
    from engine.admin.naming import key_of

    with reading(data) as connection:
        found = DETAILS[resource.name](connection, key_of(connection, resource, str(key)))
    print_json(found) if as_json else print_one(found)


def act(actions: Sequence[Action], key: Any, data: Path | None, argument: str | None, yes: bool) -> None:
    """Do the first of the actions that applies to a row; without `yes`, ask before what cannot be undone.

    NotFound, Conflict with the first one's reason, Invalid.
    """
    from engine.admin import questions
    from engine.admin.actions import perform, possible
    from engine.admin.copies import ANY
    from engine.admin.naming import key_of

    with reading(data) as connection:
        key = key_of(connection, actions[0].resource, str(key))
        names = {action.name for action in actions}
        applying = (each for each in possible(connection, actions[0].resource, key) if each.name in names)
        action = next(applying, actions[0])
        question = questions.of_one(connection, action, key, argument)
    if action.asks and not yes:
        confirm(question)
    terms = _terms(data) if action.copies else ANY
    with writing(data) as connection:
        made = perform(connection, who(), action, key, argument, terms)
    to = f": {cell(question.at)}" if question.at else f", as the order {made}" if made else ""
    typer.echo(f"{action.done % {'what': key}}{_rest(key, data) if action.steps else to}.")


def _terms(data: Path | None) -> Terms:
    """What new orders are held to, by the settings of the processes that run, or else of this command."""
    from engine import settings
    from engine.admin.copies import Terms
    from engine.orders.quotas import Quotas

    config = place(data).config
    with settings.naming("quotas_file"):
        return Terms.of(config, Quotas(config.quotas_file))


def _rest(key: Any, data: Path | None) -> str:
    """Do what the first step of an action has left to do; returns what has become of the row, behind a colon."""
    from engine.admin import stopping
    from engine.orders.withdrawing import LOOK_EVERY, WITHIN

    until = steady() + WITHIN.total_seconds()
    with opened(data) as store:
        while True:
            with store.write() as connection:
                left = stopping.step(connection, key)
            if not left.more and (not left.in_hand or steady() >= until):
                break
            time.sleep(0 if left.more else LOOK_EVERY)
        with store.read() as connection:
            return f": {stopping.outcome(connection, key)}"
