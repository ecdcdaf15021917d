"""Where a row stands that is not settled: in a worker's hand, held back, due, or to come later.

Each open row is one of these, so that counts, lists and single rows tell the same. An e-mail that was not tried yet is
due from its send time on: while the relay is away, the next look at it is put off by seconds, again and again. A
delivery waits for its subscription, too: for the end of its circuit, or, where the order is kept, for an earlier event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, and_, case, false, literal, not_, or_, type_coerce

from engine.db.dialects import Now
from engine.db.tables import MILLISECOND, Instant, deliveries, emails, orders, subscriptions
from engine.models import EXPIRY, EmailState

if TYPE_CHECKING:
    from collections.abc import Container

    from sqlalchemy import ColumnElement, Table


class Standing(StrEnum):
    """As operators see it."""

    IN_HAND = "in hand"
    HELD = "held"
    DUE = "due"
    LATER = "later"


RETRYING = "retrying"  # of what comes later: was tried before
REPEATED = "repeated"  # in a database that was restored, what may have been done before: see engine/queue/epoch.py
GROUPS = (
    Standing.DUE.value,
    Standing.LATER.value,
    RETRYING,
    Standing.HELD.value,
    REPEATED,
)  # that lists are narrowed to


@dataclass(frozen=True, slots=True)
class Standings:
    """Conditions on open rows; `next` is when a later one is due, `since` from when on a due one has been."""

    settled: ColumnElement[bool]  # the row is not open
    in_hand: ColumnElement[bool]
    held: ColumnElement[bool]
    due: ColumnElement[bool]
    later: ColumnElement[bool]
    tried: ColumnElement[bool]
    next: ColumnElement[Any]
    since: ColumnElement[Any]
    paused: bool  # the lane is: what would be due is held

    def of(self, group: str) -> ColumnElement[bool]:
        """The condition of one of GROUPS, but for REPEATED."""
        if group == RETRYING:
            return and_(self.later, self.tried)
        found: ColumnElement[bool] = getattr(self, group)
        return found

    @property
    def word(self) -> ColumnElement[Any]:
        """The row's standing; NULL: it is settled."""
        return case(
            (self.settled, None),
            (self.in_hand, literal(Standing.IN_HAND.value)),
            (self.held, literal(Standing.HELD.value)),
            (self.due, literal(Standing.DUE.value)),
            else_=literal(Standing.LATER.value),
        )


SEND_TIME = type_coerce(type_coerce(emails.c.expires_at, BigInteger) - EXPIRY // MILLISECOND, Instant)


def of_orders(paused: Container[str] = ()) -> Standings:
    """Of orders; `paused`: the lanes that are."""
    in_hand = and_(orders.c.unresolved > 0, orders.c.due_at > Now())
    return _of_rows(orders, in_hand, false(), orders.c.due_at, paused="orders" in paused)


def of_emails(paused: Container[str] = ()) -> Standings:
    """Of e-mails; `paused`: the lanes that are."""
    in_hand = and_(emails.c.state == EmailState.SENDING, emails.c.due_at > Now())
    untried = emails.c.attempts == 0
    since = case((untried, SEND_TIME), else_=emails.c.due_at)
    return _of_rows(emails, in_hand, and_(untried, Now() >= SEND_TIME), since, paused="emails" in paused)


def of_deliveries(paused: Container[str] = ()) -> Standings:
    """Of deliveries, joined with their subscriptions, which are what workers hold; `paused`: the lanes that are."""
    free = (subscriptions.c.unresolved == 0, subscriptions.c.due_at > deliveries.c.due_at)
    next_ = case(
        (subscriptions.c.open_until > Now(), subscriptions.c.open_until),
        (and_(*free), subscriptions.c.due_at),
        else_=deliveries.c.due_at,
    )
    stopped = subscriptions.c.paused_reason.is_not(None)
    due, later = and_(~stopped, next_ <= Now()), and_(~stopped, next_ > Now())
    held, due = _pause(stopped, due, paused="webhooks" in paused)
    # What is left of a removed one goes with it.
    settled = or_(deliveries.c.due_at.is_(None), subscriptions.c.removed.is_not(None))
    return Standings(settled, false(), held, due, later, deliveries.c.attempts > 0, next_, next_, "webhooks" in paused)


def _of_rows(
    table: Table, in_hand: ColumnElement[bool], early: ColumnElement[bool], since: ColumnElement[Any], *, paused: bool
) -> Standings:
    """`early`: what is due although its due time is to come."""
    due_at, paused_by = table.c.due_at, table.c.paused_by
    free = (not_(in_hand), due_at.is_not(None))
    due, later = and_(*free, or_(due_at <= Now(), early)), and_(*free, due_at > Now(), not_(early))
    held, due = _pause(paused_by.is_not(None), due, paused=paused)
    settled = and_(due_at.is_(None), paused_by.is_(None))
    return Standings(settled, in_hand, held, due, later, table.c.attempts > 0, due_at, since, paused)


def _pause(
    held: ColumnElement[bool], due: ColumnElement[bool], *, paused: bool
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """What is held back, and what is due: of a paused lane, nothing is."""
    return (or_(held, due), false()) if paused else (held, due)
