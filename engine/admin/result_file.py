"""What became of each recipient of an order, as lines of a CSV file: read step by step, however many there are."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.admin import words
from engine.admin.belonging import of_order
from engine.admin.rows import last_lines, masked
from engine.db.tables import email_attempts, emails, orders
from engine.email.mime import message_id
from engine.errors import NotFound
from engine.observability.audit import note
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import Connection

    Line = Mapping[str, object]  # by the names of COLUMNS

STEP = 1_000  # lines that are read at once
COLUMNS = (
    "address",
    "organization_number",
    "national_identity_number",
    "state",
    "result",
    "tries",
    "last_change",
    "code",
    "reply",
    "email",
    "message_id",
)
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets calculate


def begin(connection: Connection, who: str, order_id: UUID) -> None:
    """Note in the audit log that somebody takes the results of an order; NotFound."""
    if connection.execute(select(orders.c.seq).where(orders.c.id == order_id)).first() is None:
        raise NotFound(f"There is no order {order_id}.")
    note(connection, who, "orders.results", f"orders/{order_id}")


def step(connection: Connection, order_id: UUID, after: UUID | None) -> tuple[Sequence[Line], UUID | None]:
    """The next STEP lines behind the e-mail `after`, and the last e-mail among them; None: that was all."""
    sender = connection.scalar(select(orders.c.sender).where(orders.c.id == order_id))
    which = of_order(connection, order_id)
    beyond = [] if after is None else [emails.c.id > after]
    rows = connection.execute(select(emails).where(*which, *beyond).order_by(emails.c.id).limit(STEP)).all()
    last = last_lines(connection, email_attempts, email_attempts.c.email_seq, [row.seq for row in rows])
    found: list[Line] = []
    for row in rows:
        line = last.get(row.seq)
        found.append(
            {
                "address": row.address,
                "organization_number": row.organization_number,
                "national_identity_number": row.national_identity_number,
                "state": row.state,
                "result": words.of_state(row.state),
                "tries": row.attempts,
                "last_change": rfc3339(row.last_update),
                "code": line.code if line else None,
                "reply": line.reply if line else None,
                "email": row.id,
                "message_id": message_id(row.id, sender or ""),
            }
        )
    return found, rows[-1].id if rows else None


def lines(rows: Iterable[Line], *, sees_personal_data: bool, head: bool) -> str:
    """Rows as CSV (RFC 4180); without the right to see it, personal data is masked. Nothing in it is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    if head:
        writer.writerow(COLUMNS)
    for row in rows:
        shown = row if sees_personal_data else masked(row)
        writer.writerow([_harmless(shown[name]) for name in COLUMNS])
    return text.getvalue()


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULAS) else value
