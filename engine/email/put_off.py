"""E-mails that were put off since their relay was down: they become due when it is back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from engine.db.dialects import Now, after
from engine.db.tables import emails
from engine.email.restraint import RESTRAINED_FOR
from engine.models import EmailState

if TYPE_CHECKING:
    from sqlalchemy import Connection

ROWS = 500  # per transaction, which bounds how long other writers wait


def make_due(connection: Connection) -> bool:
    """Make some due that were not tried yet; whether more may be left.

    What becomes due too early, such as one that waits for its window, is put off again by the next claim.
    """
    c = emails.c
    untried = (c.state == EmailState.NEW, c.attempts == 0, c.unresolved == 0, c.rank.is_(None))
    soon = (c.due_at > Now(), c.due_at <= after(RESTRAINED_FOR))
    some = select(c.seq).where(*soon, *untried).order_by(c.due_at, c.seq).limit(ROWS)
    chosen = some.with_for_update(skip_locked=True).cte("put_off")
    made = update(emails).where(c.seq.in_(select(chosen.c.seq))).values(due_at=Now())
    return connection.execute(made).rowcount == ROWS
