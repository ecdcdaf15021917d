"""E-mails that wait because the relay refuses this installation or its sender: how many, since when, in what words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin.amounts import Amount
from engine.db.dialects import after
from engine.db.tables import ATTEMPT_REFUSED, email_attempts, emails
from engine.email.smtp import Reply

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

WEEK = timedelta(days=7)  # what waits is tried each hour at least, but for those with a window
LOOKED_AT = 1_000  # refused attempts, the newest
_log = email_attempts.c


@dataclass(frozen=True, slots=True)
class Refusals:
    """What waits for somebody to correct the relay or the sender."""

    count: Amount
    since: datetime  # the oldest of their newest attempts
    relay: str
    said: str  # the newest of their replies, without addresses: viewers see it


def refusals(connection: Connection) -> Refusals | None:
    """Those whose newest attempt was refused so, within the last WEEK; None: there are none."""
    lately = select(_log.seq, _log.email_seq, _log.at).where(ATTEMPT_REFUSED, _log.at >= after(-WEEK))
    looked_at = lately.order_by(_log.at.desc()).limit(LOOKED_AT).subquery()
    refused = looked_at.c
    later = email_attempts.alias("later").c
    newest = select(func.max(later.seq)).where(later.email_seq == refused.email_seq).scalar_subquery()
    waiting = (emails.c.seq == refused.email_seq, emails.c.due_at.is_not(None), refused.seq == newest)
    counted = select(func.count(), func.min(refused.at), func.max(refused.seq)).where(*waiting)
    count, since, last = connection.execute(counted).one()
    if not count:
        return None
    more = connection.execute(select(func.count()).select_from(looked_at)).scalar_one() == LOOKED_AT
    line = connection.execute(select(email_attempts).where(_log.seq == last)).one()
    return Refusals(Amount(count, more), since, line.relay, Reply(line.code, line.reply).impersonal)
