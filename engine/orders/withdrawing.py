"""Withdrawing an order, for good or until another send time, up to the moment at which its message leaves.

One call of `withdraw` takes back what no worker has in hand, and marks the order for those that have something
(engine/queue/withdrawals.py). They let go within a moment, unless the message is leaving: so the caller repeats the
call until nothing is left to do. `fates` says then what has become of each recipient; nothing in it is a guess.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, and_, bindparam, case, exists, false, func, not_, or_, select, update

from engine.db.dialects import Now
from engine.db.frequent import in_index_order
from engine.db.records import Timed, columns, first, read
from engine.db.tables import EMAIL_FAILED, EMAIL_OPEN, email_attempts, emails, orders, portions, uploads
from engine.errors import Invalid
from engine.events import completing, tallies
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import EXPIRY, HANDED_OVER, EmailState, OrderState
from engine.orders.chains import no_order
from engine.queue import windows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Select

    from engine.orders.new_order import Recipient
    from engine.queue.calendars import Calendars

BATCH = 1_000  # e-mails that one transaction takes back
MOST = 1_000  # recipients whose fates are told one by one
WITHIN = timedelta(seconds=3)  # for workers to let go; they look five times a second
LOOK_EVERY = 0.1  # seconds
WAITING = (OrderState.REGISTERED, OrderState.PROCESSING)  # their e-mails are not made
_ORDER_IN_HAND = and_(orders.c.state == OrderState.PROCESSING, orders.c.unresolved > 0, orders.c.due_at > Now())
_WAITS = or_(orders.c.due_at.is_(None), orders.c.due_at > Now())
_IN_HAND = and_(emails.c.state == EmailState.SENDING, emails.c.due_at > Now())
_IN_DOUBT = exists().where(email_attempts.c.email_seq == emails.c.seq, email_attempts.c.outcome == "in_doubt")


class Fate(StrEnum):
    """What has become of a recipient of an order that was to be withdrawn."""

    CANCELLED = "Cancelled"
    RESCHEDULED = "Rescheduled"
    SENT = "Sent"
    FAILED = "Failed"
    NOT_SENT = "NotSent"
    IN_FLIGHT = "InFlight"
    IN_DOUBT = "InDoubt"


@dataclass(frozen=True, slots=True)
class Aim:
    """Until when nothing is to be sent, and a new expiry if there is one; None: for good."""

    until: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to do: e-mails to take back, or to wait for since workers have them in hand."""

    more: bool = False
    in_hand: bool = False


@dataclass(frozen=True, slots=True)
class Taken(Timed):
    """An order that is withdrawn, as it is found."""

    seq: int
    id: UUID
    creator: str
    senders_reference: str | None
    state: str
    unresolved: int
    paused_by: str | None
    recipients: str  # JSON
    streamed: bool
    portion: int | None
    in_hand: bool
    waits: bool  # it is paused, or not due
    now: datetime  # by the database's clock


@dataclass(frozen=True, slots=True)
class RecipientFate:
    """A recipient, and what has become of it."""

    address: str
    organization_number: str | None
    national_identity_number: str | None
    fate: Fate


@dataclass(frozen=True, slots=True)
class Fates:
    """What has become of an order's recipients: of all in numbers, of up to MOST one by one."""

    state: OrderState
    counts: Mapping[Fate, int]
    recipients: Sequence[RecipientFate]


_TAKEN = select(*columns(Taken, orders.c, {"in_hand": _ORDER_IN_HAND, "waits": _WAITS, "now": Now()}))


def withdraw(connection: Connection, creator: str, order_id: UUID, aim: Aim, calendars: Calendars) -> Left:
    """Take back what can be taken back now. NotFound; Invalid when the order would expire before a new send time."""
    mine = (orders.c.id == order_id, orders.c.creator == creator)
    seq = connection.scalar(select(orders.c.seq).where(*mine))
    if seq is None:
        raise no_order(connection, creator, order_id)
    completing.lock(connection, [seq], shared=False)
    [order] = read(Taken, connection.execute(_TAKEN.where(orders.c.seq == seq)))
    if order.state not in (OrderState.OPEN, *WAITING, OrderState.PROCESSED):
        return Left()
    if aim.until and order.withdrawn_at and order.withdrawn_until is None:
        return Left()  # it was withdrawn for good before
    expires = aim.expires_at or order.expires_at
    if aim.until and expires and expires <= aim.until:
        raise Invalid({"ExpiresAt": ["The order expires before the new time; give a later expiresAt with it."]})
    if order.state == OrderState.OPEN and aim.until:
        connection.execute(update(orders).where(orders.c.seq == seq).values(_timing(aim)))
        return Left()
    if order.state == OrderState.PROCESSED or order.portion:
        if order.portion and aim.until is None:
            _end_portions(connection, seq)
        _mark(connection, seq, aim)
        return _take_emails(connection, order, aim)
    if order.in_hand:
        _mark(connection, seq, Aim() if aim.until is None else aim)
        return Left(in_hand=True)
    _take_order(connection, order, aim, calendars)
    return Left()


def fates(connection: Connection, creator: str, order_id: UUID) -> Fates:
    """What has become of an order's recipients so far; NotFound."""
    order = first(Taken, connection.execute(_TAKEN.where(orders.c.id == order_id, orders.c.creator == creator)))
    if order is None:
        raise no_order(connection, creator, order_id)
    state, statements = OrderState(order.state), _FATES[order.withdrawn_until is not None]
    counted, told = (connection.execute(each, {"order": order.seq}).all() for each in statements)
    unmade = (connection.scalar(UNMADE, {"order": order.seq}) or 0) if order.streamed else 0
    if not counted:
        return _fates_before(order, state, json.loads(order.recipients), unmade)
    counts = Counter({Fate(name): count for name, count in counted})
    if unmade:
        counts[Fate.CANCELLED if order.withdrawn_until is None else Fate.RESCHEDULED] += unmade
    return Fates(state, counts, [RecipientFate(address, org, person, Fate(its)) for address, org, person, its in told])


def _mark(connection: Connection, seq: int, aim: Aim) -> None:
    """Tell workers that have something of the order in hand, or claim it before it is taken back."""
    marked = {"withdrawn_at": Now(), "withdrawn_until": aim.until}
    connection.execute(update(orders).where(orders.c.seq == seq).values(**marked, **_timing(aim)))


def _end_portions(connection: Connection, seq: int) -> None:
    """Make no further e-mails of an order. A worker that is about to has an earlier claim."""
    ended = {"state": OrderState.PROCESSED, "portion": None, "claim": orders.c.claim + 1, "unresolved": 0}
    connection.execute(update(orders).where(orders.c.seq == seq).values(**ended, due_at=None, paused_by=None))


def _timing(aim: Aim) -> dict[str, object]:
    """An order's new times."""
    expiry = {"expires_at": aim.expires_at} if aim.expires_at else {}
    return {"requested_send_time": aim.until, **expiry} if aim.until else {}


def _take_order(connection: Connection, order: Taken, aim: Aim, calendars: Calendars) -> None:
    """An order that is in nobody's hands; its claims count no more."""
    its = update(orders).where(orders.c.seq == order.seq)
    taken = {"claim": orders.c.claim + 1, "rank": None}
    if aim.until is None:
        ended = {"state": OrderState.CANCELLED, "due_at": None, "paused_by": None, "last_update": Now()}
        connection.execute(its.values(**taken, **ended, withdrawn_at=Now(), withdrawn_until=None))
        persist(connection, [order_event(order, OrderState.CANCELLED, order.now)])
        return
    due_at = None if order.paused_by else _due(order, aim.until, calendars)
    fetches = case((orders.c.condition_endpoint.is_(None), orders.c.fetches))  # its condition comes first, once more
    anew: dict[str, object] = {"state": OrderState.REGISTERED, "due_at": due_at, "fetches": fetches}
    anew |= {"attempts": 0, "condition_answer": None}
    connection.execute(its.values(**taken, **anew))
    _mark(connection, order.seq, aim)  # for workers that remember another time


def _due(order: Taken, until: datetime, calendars: Calendars) -> datetime:
    """The first opening of an order's window from its new send time on."""
    if not order.sending_window:
        return until
    places = {recipient.get("timeZone") for recipient in json.loads(order.recipients)}
    return calendars.first_opening(windows.read(order.sending_window), until, places) or until


def _take_emails(connection: Connection, order: Taken, aim: Aim) -> Left:
    """Take back a batch of e-mails that are in nobody's hands.

    What is locked may be claimed at this moment, by a worker that does not see the mark yet: it counts as in hand.
    """
    its: list[ColumnElement[bool]] = [EMAIL_OPEN]
    expires = aim.until and (aim.expires_at or order.expires_at or aim.until + EXPIRY)
    paused: Sequence[int] = ()
    if aim.until is not None:  # what has the new times already stays
        its_paused = (EMAIL_OPEN, emails.c.paused_by.is_not(None), emails.c.expires_at != expires)
        some = in_index_order(select(emails.c.seq).where(*its_paused), emails.c.order_seq, order.seq).limit(BATCH)
        paused = connection.scalars(some).all()
        connection.execute(update(emails).where(emails.c.seq.in_(paused)).values(expires_at=expires))
        old = or_(emails.c.due_at != aim.until, emails.c.expires_at != expires)
        its += [emails.c.paused_by.is_(None), old]
    left = in_index_order(select(emails.c.seq).where(*its), emails.c.order_seq, order.seq)
    free = left.where(not_(_IN_HAND)).limit(BATCH)
    chosen = connection.scalars(free.with_for_update(skip_locked=True)).all()
    taken = {"claim": emails.c.claim + 1, "rank": None, "waits_for": None}
    which = update(emails).where(emails.c.seq.in_(chosen))
    if aim.until is None:
        ended = {"state": EmailState.CANCELLED, "due_at": None, "paused_by": None, "last_update": Now()}
        gone = connection.execute(which.values(**taken, **ended).returning(emails.c.id)).all()
        told = [email_event(order, row.id, EmailState.CANCELLED, order.now) for row in gone]
        tallies.settle(connection, {order.seq: Counter({EmailState.CANCELLED.value: len(gone)})})
        ends = completing.complete(connection, [order.seq])
        persist(connection, [*told, *(order_event(order, end, order.now) for end in ends.values())])
    else:
        later = {"state": EmailState.NEW, "due_at": aim.until, "expires_at": expires}
        connection.execute(which.values(**taken, **later))
    return Left(BATCH in (len(chosen), len(paused)), connection.scalar(left.limit(1)) is not None)


def _fate(*, put_off: bool) -> ColumnElement[str]:
    """Of an e-mail. One that is due, or whose order was withdrawn for good, may be claimed at this moment."""
    waits = or_(emails.c.due_at.is_(None), emails.c.due_at > Now()) if put_off else false()
    return case(
        (emails.c.state.in_(HANDED_OVER), Fate.SENT),
        (and_(emails.c.state == EmailState.CANCELLED, _IN_DOUBT | (emails.c.unresolved > 0)), Fate.IN_DOUBT),
        (emails.c.state == EmailState.CANCELLED, Fate.CANCELLED),
        (EMAIL_FAILED, Fate.FAILED),
        (and_(emails.c.state == EmailState.NEW, waits), Fate.RESCHEDULED),
        else_=Fate.IN_FLIGHT,
    )


def _fates_of(fate: ColumnElement[str]) -> tuple[Select[str, int], Select[str, str | None, str | None, str]]:
    """Of an order's e-mails: how many have each fate, and the fates of the first."""
    its = emails.c.order_seq == bindparam("order", type_=BigInteger)
    names = (emails.c.address, emails.c.organization_number, emails.c.national_identity_number)
    told = select(*names, fate).where(its).order_by(fate == Fate.CANCELLED, emails.c.seq).limit(MOST)
    return select(fate, func.count()).where(its).group_by(fate), told


_FATES = {put_off: _fates_of(_fate(put_off=put_off)) for put_off in (False, True)}


# Recipients who followed their order, and for whom no e-mail was made: those of the portions that are left.
UNMADE = (
    select(func.max(uploads.c.valid) - func.min(portions.c.first))
    .join_from(uploads, portions, uploads.c.order_seq == portions.c.order_seq)
    .where(uploads.c.order_seq == bindparam("order", type_=BigInteger))
)


def _fates_before(order: Taken, state: OrderState, recipients: Sequence[Recipient], unmade: int) -> Fates:
    """Of an order that has no e-mails."""
    of_state = {
        OrderState.CANCELLED: Fate.IN_DOUBT if order.unresolved else Fate.CANCELLED,
        OrderState.OPEN: Fate.RESCHEDULED,
        OrderState.REGISTERED: Fate.RESCHEDULED if order.waits else Fate.IN_FLIGHT,
        OrderState.PROCESSING: Fate.RESCHEDULED if order.portion else Fate.IN_FLIGHT,
    }
    fate = of_state.get(state, Fate.NOT_SENT)
    told = [
        RecipientFate(
            each.get("emailAddress", ""), each.get("organizationNumber"), each.get("nationalIdentityNumber"), fate
        )
        for each in recipients[:MOST]
    ]
    return Fates(state, Counter({fate: len(recipients) + unmade}), told)
