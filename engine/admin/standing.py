"""Where an open row stands: in flight, paused, due, or to come later.

Each open row is one of these, so that counts, lists and single rows tell the same. An e-mail that was not tried yet is
due from its send time on: while the relay is away, its due time moves on by seconds, again and again. One that waits
for the pace of a relay or domain is due, too, although its due time is when it expires. A delivery also waits for its
subscription: for the end of its circuit or, where the order is kept, for an earlier event.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, and_, case, false, literal, not_, or_, select, type_coerce

from engine.db.dialects import Now, after
from engine.db.tables import MILLISECOND, Instant, deliveries, emails, orders, subscriptions
from engine.models import EXPIRY, EmailState

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

    from sqlalchemy import ColumnElement, FromClause


class Standing(StrEnum):
    """As lists and JSON show it."""

    IN_FLIGHT = "in hand"
    PAUSED = "held"
    DUE = "due"
    LATER = "later"


RETRYING = "retrying"  # of what comes later: was tried before
REPEATED = "repeated"  # in a database that was restored, what may have been done before: see engine/queue/epoch.py
GROUPS = (
    Standing.DUE.value,
    Standing.LATER.value,
    RETRYING,
    Standing.PAUSED.value,
    REPEATED,
)  # that lists are narrowed to


@dataclass(frozen=True, slots=True)
class Standings:
    """Conditions on open rows; `next` is when a later one is due, `since` from when on a due one has been."""

    settled: ColumnElement[bool]  # the row is not open
    in_flight: ColumnElement[bool]
    paused: ColumnElement[bool]
    due: ColumnElement[bool]
    later: ColumnElement[bool]
    tried: ColumnElement[bool]
    next: ColumnElement[datetime]
    since: ColumnElement[datetime]
    lane_paused: bool  # what would be due is paused then

    def of(self, group: str) -> ColumnElement[bool]:
        """The condition of one of GROUPS, but for REPEATED."""
        if group == RETRYING:
            return and_(self.later, self.tried)
        conditions = {Standing.DUE: self.due, Standing.LATER: self.later, Standing.PAUSED: self.paused}
        return conditions[Standing(group)]

    @property
    def word(self) -> ColumnElement[str]:
        """The row's standing; NULL: it is settled."""
        return case(
            (self.settled, None),
            (self.in_flight, literal(Standing.IN_FLIGHT.value)),
            (self.paused, literal(Standing.PAUSED.value)),
            (self.due, literal(Standing.DUE.value)),
            else_=literal(Standing.LATER.value),
        )


_ITS = orders.alias("its_order")
# Whether an e-mail's order says when it expires: then the e-mail's own end does not tell its send time. Not EXISTS:
# where it is asked of many e-mails, PostgreSQL would read all orders first.
EXPIRES_ITSELF = select(_ITS.c.expires_at).where(_ITS.c.seq == emails.c.order_seq).scalar_subquery().is_not(None)
REST = timedelta(minutes=5)  # relays are left alone for less; what is due later waits for its window


def of_orders(paused_lanes: Container[str] = (), its: FromClause = orders) -> Standings:  # type: ignore[explicit-any]
    """Of orders; `its`: what has their columns."""
    in_flight = and_(its.c.unresolved > 0, its.c.due_at > Now())
    return _of_rows(its, in_flight, false(), its.c.due_at, lane_paused="orders" in paused_lanes)


def of_emails(  # type: ignore[explicit-any]  # SQLAlchemy's FromClause has one inside
    paused_lanes: Container[str] = (),
    its: FromClause = emails,
    expires_itself: ColumnElement[bool] = EXPIRES_ITSELF,
) -> Standings:
    """Of e-mails; `its`: what has their columns."""
    c = its.c
    send_time = type_coerce(type_coerce(c.expires_at, BigInteger) - EXPIRY // MILLISECOND, Instant)
    # Since when an e-mail waits that was not tried: from its send time on, or since it was made if that is not known.
    began = case((expires_itself, c.last_update), else_=send_time)
    in_flight = and_(c.state == EmailState.SENDING, c.due_at > Now())
    untried, waits = c.attempts == 0, and_(c.rank.is_not(None), c.waits_for.is_not(None))
    since = case((untried, began), (waits, type_coerce(c.rank, Instant)), else_=c.due_at)
    early = or_(and_(untried, Now() >= began, not_(expires_itself) | (c.due_at <= after(REST))), waits)
    return _of_rows(its, in_flight, early, since, lane_paused="emails" in paused_lanes)


def of_deliveries(paused_lanes: Container[str] = ()) -> Standings:
    """Of deliveries, joined with their subscriptions, which are what workers claim."""
    free = (subscriptions.c.unresolved == 0, subscriptions.c.due_at > deliveries.c.due_at)
    next_ = case(
        (subscriptions.c.open_until > Now(), subscriptions.c.open_until),
        (and_(*free), subscriptions.c.due_at),
        else_=deliveries.c.due_at,
    )
    stopped = subscriptions.c.paused_reason.is_not(None)
    due, later = and_(~stopped, next_ <= Now()), and_(~stopped, next_ > Now())
    lane_paused = "webhooks" in paused_lanes
    paused, due = _pause(stopped, due, lane_paused=lane_paused)
    # Deliveries of a removed subscription are removed soon.
    settled = or_(deliveries.c.due_at.is_(None), subscriptions.c.removed.is_not(None))
    return Standings(settled, false(), paused, due, later, deliveries.c.attempts > 0, next_, next_, lane_paused)


def _of_rows(  # type: ignore[explicit-any]  # likewise
    its: FromClause,
    in_flight: ColumnElement[bool],
    early: ColumnElement[bool],
    since: ColumnElement[datetime],
    *,
    lane_paused: bool,
) -> Standings:
    """`early`: what is due before its due time."""
    due_at, paused_by = its.c.due_at, its.c.paused_by
    free = (not_(in_flight), due_at.is_not(None))
    due, later = and_(*free, or_(due_at <= Now(), early)), and_(*free, due_at > Now(), not_(early))
    paused, due = _pause(paused_by.is_not(None), due, lane_paused=lane_paused)
    settled = and_(due_at.is_(None), paused_by.is_(None))
    return Standings(settled, in_flight, paused, due, later, its.c.attempts > 0, due_at, since, lane_paused)


def _pause(
    paused: ColumnElement[bool], due: ColumnElement[bool], *, lane_paused: bool
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What is paused, and what is due: of a paused lane, nothing is."""
    return (or_(paused, due), false()) if lane_paused else (paused, due)
