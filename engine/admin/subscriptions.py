"""How a subscription goes: what waits, how quickly its endpoint answers, who paused it; and a test of it."""

from __future__ import annotations

from datetime import timedelta
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, case, delete, func, or_, select, update

from engine.admin import ends
from engine.db.dialects import Now, after
from engine.db.frequent import in_index_order
from engine.db.tables import STOPPED, audit_log, deliveries, delivery_attempts, subscriptions
from engine.errors import Conflict, NotFound
from engine.events.fan_out import lock
from engine.models import DeliveryState
from engine.observability.audit import detail_of, note
from engine.subscriptions.registry import KEPT
from engine.text.language import _
from engine.webhooks.schedule import OPENS_AFTER

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

_ITS = subscriptions.c
_THERE = _ITS.removed.is_(None)
PAUSED = (_THERE, STOPPED, _ITS.paused_reason.is_not(None))
# Nothing is pushed to it, and that lasts: two probes, within a minute and a half, have failed, too, or its endpoint has
# asked for a long rest. A rest that is over in a moment is no news.
_FOR_LONG = or_(
    and_(_ITS.open_until.is_not(None), _ITS.failures >= OPENS_AFTER + 2),
    _ITS.open_until > after(timedelta(minutes=5)),
)
BACKING_OFF = (_THERE, STOPPED, _ITS.paused_reason.is_(None), _FOR_LONG)
BY_OPERATOR = "Paused by an operator"  # how the reason of a pause begins that an operator has made
UNENDING = (*PAUSED, _ITS.paused_until.is_(None), _ITS.paused_reason.startswith(BY_OPERATOR))
FORGOTTEN = (*UNENDING, _ITS.paused_at < after(-ends.FORGOTTEN))
# What the list can be narrowed to. Numbers of subscriptions count by the same conditions.
OF_STATE: Mapping[str, Sequence[ColumnElement[bool]]] = {
    "paused": PAUSED,
    "failing": (_THERE, _ITS.last_error.is_not(None)),
    "backing_off": BACKING_OFF,
    "forgotten": FORGOTTEN,
    "unvalidated": (_THERE, _ITS.validated.is_(False)),
}
OF_STOPPED = ("paused", "backing_off", "forgotten")  # which an index finds, however many others there are
LOOKED_AT = 10_000  # deliveries that are looked at: the soonest due, or the newest
RECENT = 100  # attempts, the newest of these deliveries


class Attempt(NamedTuple):
    """One call of an endpoint."""

    at: datetime
    duration_ms: int
    outcome: str


def health(connection: Connection, seq: int) -> dict[str, object]:
    """How a subscription goes; counts end at LOOKED_AT, and times are those of the newest attempts."""
    its = (deliveries.c.subscription_seq == seq, deliveries.c.due_at.is_not(None), deliveries.c.event_seq.is_not(None))
    soonest = select(deliveries.c.created).where(*its).order_by(deliveries.c.due_at).limit(LOOKED_AT).subquery()
    waits, oldest = connection.execute(select(func.count(), func.min(soonest.c.created))).one()
    recent = _recent(connection, seq)
    took = [attempt.duration_ms for attempt in recent if attempt.duration_ms]
    accepted = [attempt.at for attempt in recent if attempt.outcome == "accepted"]
    known = connection.scalar(select(subscriptions.c.last_success).where(subscriptions.c.seq == seq))
    return {
        "backlog": waits,
        "backlog_since": oldest,
        "last_success": max([*accepted, *([known] if known else [])], default=None),
        "calls": len(recent),
        "calls_accepted": len(accepted),
        "median_ms": int(median(took)) if took else None,
        "slowest_ms": max(took, default=None),
        **pause_of(connection, seq),
        "test": _test(connection, seq),
    }


def send_test(connection: Connection, who: str, seq: int) -> int:
    """Push a test event (the validation event) once, also while it is paused; returns the delivery's number.

    The delivery of an earlier test that failed goes. NotFound; Conflict when it makes e-mails, or one test waits.
    """
    connection.execute(lock({seq}))
    columns = (subscriptions.c.endpoint, subscriptions.c.test_seq)
    row = connection.execute(select(*columns).where(subscriptions.c.seq == seq, KEPT)).one_or_none()
    if row is None:
        raise NotFound(_("There is no subscription %(key)s.", key=seq))
    if row.endpoint.startswith("mailto:"):
        raise Conflict(_("This subscription makes e-mails: publish an event to test it."))
    if row.test_seq is not None:
        raise Conflict(_("A test is on its way already."))
    old = (deliveries.c.subscription_seq == seq, deliveries.c.event_seq.is_(None))
    connection.execute(delete(deliveries).where(*old, deliveries.c.state == DeliveryState.DEAD))
    made = {"subscription_seq": seq, "state": DeliveryState.WAITING, "due_at": Now(), "attempts": 0}
    made |= {"created": Now(), "last_update": Now()}
    test = int(connection.execute(deliveries.insert().values(made).returning(deliveries.c.seq)).scalar_one())
    free = subscriptions.c.unresolved == 0  # else the worker that has it looks once more before it releases it
    due = {"test_seq": test, "open_until": None, "due_at": case((free, Now()), else_=subscriptions.c.due_at)}
    connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(due))
    note(connection, who, "test", f"subscriptions/{seq}")
    return test


def _recent(connection: Connection, seq: int) -> Sequence[Attempt]:
    """The newest attempts: at deliveries that are settled, and at those that are due next."""
    its = deliveries.c.subscription_seq == seq
    newest = in_index_order(
        select(deliveries.c.seq, deliveries.c.attempts),
        deliveries.c.subscription_seq,
        seq,
        deliveries.c.seq,
        newest_first=True,
    )
    tried = newest.limit(LOOKED_AT).subquery()
    settled = select(tried.c.seq).where(tried.c.attempts > 0).order_by(tried.c.seq.desc()).limit(RECENT)
    next_ = select(deliveries.c.seq).where(its, deliveries.c.due_at.is_not(None)).order_by(deliveries.c.due_at)
    seqs = {*connection.scalars(settled), *connection.scalars(next_.limit(RECENT))}
    log = delivery_attempts.c
    columns = (log.at, log.duration_ms, log.outcome)
    made = select(*columns).where(log.delivery_seq.in_(seqs)).order_by(log.seq.desc()).limit(RECENT)
    return [Attempt(*row) for row in connection.execute(made)]


def pause_of(connection: Connection, seq: int) -> dict[str, object]:
    """Who or what paused it, and when, as the audit log has it; None: it does not. Until when: None: no end is set."""
    its = (audit_log.c.target == f"subscriptions/{seq}", audit_log.c.action == "pause")
    row = connection.execute(select(audit_log).where(*its).order_by(audit_log.c.seq.desc()).limit(1)).one_or_none()
    until = connection.scalar(select(_ITS.paused_until).where(_ITS.seq == seq))
    at = row and detail_of(row.detail).get("last", row.at)
    return {"paused_by": row and row.who, "paused_at": at, "paused_until": until}


def _test(connection: Connection, seq: int) -> dict[str, object] | None:
    """The newest test or validation event, and the answer to it; whether a test is on its way. None: there is none."""
    its: ColumnElement[int] = deliveries.c.subscription_seq
    if connection.dialect.name == "sqlite":  # by the index on this, it would read all of the subscription's
        its = func.coalesce(its, 0)
    columns = (deliveries.c.seq, deliveries.c.state, deliveries.c.created)
    tests = select(*columns).where(its == seq, deliveries.c.event_seq.is_(None))
    found = connection.execute(tests.order_by(deliveries.c.seq.desc()).limit(1)).one_or_none()
    if found is None:
        return None
    log = delivery_attempts.c
    made = select(log.status, log.reply, log.duration_ms).where(log.delivery_seq == found.seq)
    last = connection.execute(made.order_by(log.seq.desc()).limit(1)).one_or_none()
    waits = connection.scalar(select(subscriptions.c.test_seq).where(subscriptions.c.seq == seq))
    return {
        "delivery": found.seq,
        "on_its_way": waits is not None,
        "state": found.state,
        "at": found.created,
        "status": last and last.status,
        "reply": last and last.reply,
        "duration_ms": last and last.duration_ms,
    }
