"""What alerts and dashboards watch beside the lanes and relays: subscriptions, and what is on its way for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin.counts import counted
from engine.admin.filters import created
from engine.admin.subscriptions import BACKING_OFF, PAUSED
from engine.db import dialects
from engine.db.tables import deliveries, emails, subscriptions
from engine.queue import due, lateness

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, by name; a span of zero: there is none."""

    subscriptions: Mapping[str, int]  # failing: those that the list calls backing off; paused
    undelivered: Mapping[str, timedelta]  # by lane: for how long the oldest has been on its way


def watched(connection: Connection) -> Watched:
    """All of it, in bounded time."""
    now = dialects.now(connection)
    return Watched(
        subscriptions={
            "failing": counted(connection, subscriptions, *BACKING_OFF),
            "paused": counted(connection, subscriptions, *PAUSED),
        },
        undelivered={
            due.EMAILS.name: _since(now, _oldest_email(connection)),
            due.WEBHOOKS.name: _since(now, _oldest_delivery(connection)),
        },
    )


def _since(now: datetime, moment: datetime | None) -> timedelta:
    return max(_NONE, now - moment) if moment else _NONE


def _oldest_email(connection: Connection) -> datetime | None:
    """When the oldest open e-mail was made, of those that come next: e-mails are made at their send time."""
    next_ = select(emails.c.seq).where(emails.c.due_at.is_not(None)).order_by(emails.c.due_at).limit(lateness.NEAREST)
    oldest = connection.scalar(select(func.min(next_.subquery().c.seq)))
    id_ = connection.scalar(select(emails.c.id).where(emails.c.seq == oldest))
    return created(id_) if id_ else None


def _oldest_delivery(connection: Connection) -> datetime | None:
    its = select(deliveries.c.created).where(deliveries.c.due_at.is_not(None)).order_by(deliveries.c.seq).limit(1)
    found: datetime | None = connection.scalar(its)
    return found
