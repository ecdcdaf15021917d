"""Rows as operators see them: plain dictionaries, for pages, tables and JSON alike."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from engine.admin import lookups
from engine.admin.filters import created
from engine.admin.results import results
from engine.admin.row_statements import (
    AUDIT,
    EVENTS,
    JOBS,
    KEYS,
    RECURRING,
    SENDERS,
    SUBSCRIPTIONS,
    WAITING,
    deliveries_of,
    emails_of,
    last_lines_of,
    orders_of,
)
from engine.db.tables import (
    api_keys,
    audit_log,
    deliveries,
    delivery_attempts,
    email_attempts,
    emails,
    events,
    jobs,
    orders,
    recurring_orders,
    senders,
    subscriptions,
)
from engine.models import LEVELS, OrderState
from engine.observability.audit import detail_of
from engine.queue.pauses import in_force
from engine.text.keywords import filled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Column, Connection, Row, Select, Table

_WITHOUT_EMAILS = (OrderState.OPEN, OrderState.REGISTERED, OrderState.SEND_CONDITION_NOT_MET)


def _emails(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, emails_of(in_force(connection).lanes), emails.c.id, keys)
    last = last_lines(connection, email_attempts, email_attempts.c.email_seq, [row["seq"] for row in found])
    for row in found:
        attempt = last.get(row.pop("seq"))
        row["priority"] = LEVELS[row["priority"]]
        of_order = filled(row.pop("of_order"), row.pop("recipient_name"), row["organization_number"])
        row["subject"] = of_order if row["subject"] is None else row["subject"]
        row["created"] = created(row["id"])
        row["sent"] = attempt.at if attempt and attempt.outcome == "accepted" else None
        row["last_outcome"] = attempt.outcome if attempt else None
        row["last_code"] = attempt.code if attempt else None
        row["last_reply"] = attempt.reply if attempt else None
    return found


def _orders(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, orders_of(in_force(connection).lanes), orders.c.id, keys)
    made = results(connection, [row["seq"] for row in found if row["state"] not in _WITHOUT_EMAILS])
    for row in found:
        row["priority"] = LEVELS[row["priority"]]
        its = made.get(row.pop("seq"))
        row["results"] = its.counts if its else {}
        row["result"] = its.words if its else ""
    return found


def _events(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    return _of_keys(connection, EVENTS, events.c.seq, keys)


def _subscriptions(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, SUBSCRIPTIONS, subscriptions.c.seq, keys)
    for row in found:
        row["type_filter"] = json.loads(row["type_filter"]) if row["type_filter"] else None
        row["state"] = _health(row)
        row["backlog"] = _backlog(connection, row["seq"])
    return found


def _health(row: Mapping[str, Any]) -> str:
    """How a subscription is, in a word."""
    if row["paused_reason"]:
        return "paused"
    if not row["validated"]:
        return "not validated"
    return "failing" if row["last_error"] else "ok"


def _backlog(connection: Connection, seq: int) -> int:
    """How many deliveries of a subscription wait, counted up to BACKLOG."""
    return connection.scalar(WAITING, {"subscription": seq}) or 0


def _deliveries(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, deliveries_of(in_force(connection).lanes), deliveries.c.seq, keys)
    last = last_lines(connection, delivery_attempts, delivery_attempts.c.delivery_seq, [row["seq"] for row in found])
    for row in found:
        attempt = last.get(row["seq"])
        row["last_outcome"] = attempt.outcome if attempt else None
        row["last_code"] = attempt.status if attempt else None
        row["last_reply"] = attempt.reply if attempt else None
    return found


def _audit(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, AUDIT, audit_log.c.seq, keys)
    for row in found:
        row["detail"] = detail_of(row["detail"])
    return _with_words(connection, found, [row["detail"].get("filter") for row in found])


def _jobs(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, JOBS, jobs.c.seq, keys)
    for row in found:
        row["filter"] = json.loads(row["filter"])
    return _with_words(connection, found, [row["filter"] for row in found])


def _with_words(
    connection: Connection, found: list[dict[str, Any]], given: Sequence[Mapping[str, str] | None]
) -> list[dict[str, Any]]:
    """The rows, with the words of the group of failures that `given` names of each: `failed_with`."""
    groups = [(each or {}).get("failure") for each in given]
    said = lookups.said(connection, {group for group in groups if group}) if any(groups) else {}
    for row, group in zip(found, groups, strict=True):
        row["failed_with"] = said.get(group or "")
    return found


def _keys(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    found = _of_keys(connection, KEYS, api_keys.c.seq, keys)
    for row in found:
        row["guests"] = row["guests"].split()
    return found


def _senders(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    """No personal data: the addresses are those of offices, and each mail shows them."""
    return _of_keys(connection, SENDERS, senders.c.seq, keys)


def _recurring(connection: Connection, keys: Sequence[Any]) -> list[dict[str, Any]]:
    return _of_keys(connection, RECURRING, recurring_orders.c.id, keys)


ROWS: Mapping[str, Callable[[Connection, Sequence[Any]], list[dict[str, Any]]]] = {
    "orders": _orders,
    "emails": _emails,
    "events": _events,
    "subscriptions": _subscriptions,
    "deliveries": _deliveries,
    "audit": _audit,
    "jobs": _jobs,
    "recurring": _recurring,
    "keys": _keys,
    "senders": _senders,
}


def _of_keys(
    connection: Connection, chosen: Select[Any], key: Column[Any], keys: Sequence[Any]
) -> list[dict[str, Any]]:
    """The rows of these keys, in their order."""
    found = {row[key.name]: dict(row) for row in connection.execute(chosen, {"keys": keys}).mappings()}
    return [found[value] for value in keys if value in found]


def last_lines(connection: Connection, log: Table, owner: Column[int], seqs: Sequence[int]) -> dict[int, Row[Any]]:
    """Of each owner, the newest line of the log."""
    newest, lines = last_lines_of(log, owner)
    found = connection.scalars(newest, {"owners": seqs}).all()
    return {getattr(line, owner.name): line for line in connection.execute(lines, {"seqs": found})}
