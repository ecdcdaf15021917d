"""Lists as files: CSV for spreadsheets, NDJSON for programs. A portion at a time, so that no file needs much memory.

The audit log says who exports what, from the first row on, and how many rows it was in the end.
"""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from engine.admin.filters import lasting
from engine.admin.lists import page
from engine.admin.masking import masked
from engine.admin.sentences import plain
from engine.db.dialects import now
from engine.observability import audit
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from engine.admin.lists import Sort
    from engine.admin.resources import Resource

PORTION = 500  # rows of one look at the database
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"  # without it, spreadsheets take UTF-8 for something else

# What a file has of a row, in this order: names of engine/admin/rows.py, which stay as they are.
COLUMNS: Mapping[str, Sequence[str]] = {
    "orders": (
        *("id", "state", "creator", "reference", "subject", "priority", "created", "requested_send_time"),
        *("last_update", "standing", "next_attempt", "attempts", "sender", "content_type", "guarantee"),
    ),
    "emails": (
        *("id", "order_id", "state", "address", "organization_number", "national_identity_number", "subject"),
        *("creator", "reference", "priority", "created", "last_update", "standing", "next_attempt", "attempts"),
        *("last_outcome", "last_code", "last_reply", "sent"),
    ),
    "events": ("seq", "id", "type", "source", "subject", "resource", "alternative_subject", "time", "registered"),
    "subscriptions": (
        *("seq", "state", "backlog", "consumer", "endpoint", "validated", "paused_reason", "last_error"),
        *("last_success", "failures", "open_until", "resource_filter", "source_filter", "subject_filter"),
        *("type_filter", "ordered", "created", "paused_at", "paused_until"),
    ),
    "deliveries": (
        *("seq", "subscription_seq", "consumer", "endpoint", "event_seq", "event_id", "event_type", "state", "created"),
        *("last_update", "standing", "next_attempt", "attempts", "last_outcome", "last_code", "last_reply"),
    ),
    "recurring": (
        *("id", "creator", "name", "state", "cron", "zone", "missed", "created", "until", "runs_left", "made"),
        *("next_at", "last_at", "last_order", "last_fault", "paused_reason"),
    ),
    "audit": ("at", "who", "what", "action", "target", "detail"),
    "jobs": (
        *("seq", "state", "resource", "action", "filter", "argument", "total", "done", "who", "created"),
        *("last_update", "reason"),
    ),
    "keys": (
        *("seq", "kind", "creator", "name", "state", "scopes", "guests", "created", "expires", "revoked", "last_used"),
        "who",
    ),
    "senders": ("seq", "creator", "sender", "name", "reply_to", "is_default", "created", "who"),
}
_TIMES = frozenset(
    {"created", "requested_send_time", "last_update", "next_attempt", "time", "registered", "last_success"}
    | {"open_until", "at", "expires", "revoked", "last_used", "until", "next_at", "last_at", "sent"}
)
# A cell that begins so is taken for a formula by a spreadsheet, and may call out (CWE-1236); the wide ones, too.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")
_UNSEEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # a terminal would obey some of them


class Form(StrEnum):
    """What a file is written as."""

    CSV = "csv"
    NDJSON = "ndjson"


class Export:
    """A list on its way into a file. `step` is called until it returns None; then `rows` says how many there were.

    `hidden`: what viewers do not see is masked. `most`: rows at most; None: all that match. `sort`: as lists have it.
    """

    def __init__(  # noqa: PLR0913 what is wanted of a list has so many parts
        self,
        resource: Resource,
        given: Mapping[str, str],
        form: Form,
        *,
        hidden: bool,
        most: int | None = None,
        cursor: str | None = None,
        sort: Sort | None = None,
    ) -> None:
        self._resource = resource
        self._given = given
        self._form = form
        self._hidden = hidden
        self._most = most
        self._cursor = cursor
        self._sort = sort
        self._ended = False
        self._line: int | None = None
        self.rows = 0

    @property
    def head(self) -> str:
        """What stands before the rows: of CSV, the names of the columns."""
        names = COLUMNS[self._resource.name]
        titles = [f"{name} (UTC)" if name in _TIMES else name for name in names]
        return _csv([titles]) if self._form is Form.CSV else ""

    def begin(self, connection: Connection, who: str) -> None:
        """Say in the audit log who exports what; conditions on times are those of this moment from now on. Invalid."""
        page(connection, self._resource, self._given, self._cursor, 1, self._sort)
        self._given = lasting(self._given, now(connection))
        detail = {"filter": self._given, "format": self._form.upper()}
        self._line = audit.begin(connection, who, "export", self._resource.name, detail)

    def step(self, connection: Connection) -> str | None:
        """The next portion; "": none of the rows that were looked at matches; None: that was all."""
        size = PORTION if self._most is None else min(PORTION, self._most - self.rows)
        if self._ended or not size:
            return None
        found = page(connection, self._resource, self._given, self._cursor, size, self._sort)
        self._cursor, self._ended = found.next, found.next is None
        self.rows += len(found.items)
        return self._written([self._shown(row) for row in found.items])

    def end(self, connection: Connection, *, whole: bool) -> None:
        """Say in the audit log how many rows it was, and whether these were all that were asked for."""
        assert self._line is not None  # noqa: S101 it has begun
        audit.add(connection, self._line, {"rows": self.rows} | ({} if whole else {"unfinished": True}))

    def _shown(self, row: Mapping[str, Any]) -> dict[str, Any]:
        seen = masked(row) if self._hidden else row
        if self._resource.name == "audit":
            seen = {**seen, "what": plain(seen)}
        return {name: seen[name] for name in COLUMNS[self._resource.name]}

    def _written(self, rows: Sequence[Mapping[str, Any]]) -> str:
        if self._form is Form.CSV:
            return _csv([cell(value) for value in row.values()] for row in rows)
        return "".join(f"{_json(row)}\n" for row in rows)


def cell(value: object) -> str:
    """A value in a spreadsheet. What would be taken for a formula gets an apostrophe before it, which is not shown."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case datetime():
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
        case dict() | list():
            return _json(value)
    text = _UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
    return f"'{text}" if _FORMULA.match(text) else text


def _csv(rows: Iterable[Sequence[str]]) -> str:
    """Lines as RFC 4180 has them."""
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()


def _json(value: object) -> str:
    return json.dumps(
        value, ensure_ascii=False, default=lambda each: rfc3339(each) if isinstance(each, datetime) else str(each)
    )
