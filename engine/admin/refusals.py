"""E-mails that wait because the relay refuses this installation or its sender: how many, since when, in what words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.tables import email_attempts, emails
from engine.email.smtp import Reply

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

LOOKED_AT = 5_000  # e-mails, the soonest due


@dataclass(frozen=True, slots=True)
class Refusals:
    """What waits for somebody to correct the relay or the sender."""

    count: int  # of those that were looked at
    since: datetime  # the oldest of their newest attempts
    relay: str
    said: str  # the newest of their replies, without addresses: viewers see it


def refusals(connection: Connection) -> Refusals | None:
    """Those whose newest attempt was refused so; None: there are none."""
    nearest = select(emails.c.seq, emails.c.attempts).where(emails.c.due_at.is_not(None)).order_by(emails.c.due_at)
    soon = nearest.limit(LOOKED_AT).subquery()
    tried = select(soon.c.seq).where(soon.c.attempts > 0)
    newest = select(func.max(email_attempts.c.seq)).where(email_attempts.c.email_seq.in_(tried))
    refused = (
        email_attempts.c.seq.in_(newest.group_by(email_attempts.c.email_seq)),
        email_attempts.c.outcome == "refused",
    )
    counted = select(func.count(), func.min(email_attempts.c.at), func.max(email_attempts.c.seq)).where(*refused)
    count, since, last = connection.execute(counted).one()
    if not count:
        return None
    line = connection.execute(select(email_attempts).where(email_attempts.c.seq == last)).one()
    return Refusals(count, since, line.relay, Reply(line.code, line.reply).impersonal)
