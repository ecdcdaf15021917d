"""When the parts of an order go, and why then: what its sender, its window, operators and limits say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, and_, func, literal_column, select, type_coerce

from engine.db.dialects import Now
from engine.db.records import Timed, columns, first
from engine.db.tables import EMAIL_OPEN, Instant, emails, orders
from engine.models import LEVELS, EmailState, OrderState
from engine.orders import uploads
from engine.orders.chains import no_order
from engine.orders.withdrawing import UNMADE
from engine.queue import windows
from engine.queue.pauses import in_force
from engine.queue.windows import Hours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

    from engine.queue.calendars import Calendars
    from engine.queue.pauses import Pauses

MOST = 100  # parts that are shown


class Why(StrEnum):
    """What a part of an order waits for."""

    OPEN = "open"
    REQUESTED = "requestedTime"
    WINDOW = "window"
    CALENDAR = "calendar"
    QUOTA = "quota"
    CONDITION = "condition"
    ATTACHMENTS = "attachments"
    PAUSE = "pause"
    LIMIT = "limit"
    RETRY = "retry"
    TURN = "turn"
    IN_FLIGHT = "inFlight"
    EXPIRY = "expiry"


class Reason(NamedTuple):
    """Why a part of an order goes when it does."""

    kind: Why
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """Recipients who get the order at the same time; `at`: the earliest time, None: nobody knows it, or never."""

    recipients: int
    at: datetime | None
    time_zone: str | None
    reasons: Sequence[Reason]


@dataclass(frozen=True, slots=True)
class Planned(Timed):
    """An order whose plan is asked for."""

    seq: int
    id: UUID
    creator: str
    state: str
    requested_send_time: datetime
    due_at: datetime | None
    paused_by: str | None
    priority: int
    recipients: str  # JSON
    streamed: bool
    portion: int | None
    condition_endpoint: str | None
    fetches: int | None
    now: datetime  # by the database's clock


@dataclass(frozen=True, slots=True)
class Plan:
    """An order's plan: its parts that have not ended, and how many recipients have; `more`: parts are left out."""

    order: Planned
    parts: Sequence[Part]
    settled: int
    more: bool = False


_PLANNED = select(*columns(Planned, orders.c, {"now": Now()}))
# E-mails that are due in the same minute are one part. Both databases divide whole numbers without a rest.
_DUE = type_coerce(emails.c.due_at, BigInteger).op("/")(literal_column("60000"))
_KINDS = (emails.c.state, emails.c.paused_by, emails.c.time_zone, emails.c.rank.is_not(None), emails.c.waits_for)


def find(connection: Connection, creator: str, order_id: UUID, calendars: Calendars) -> Plan:
    """The plan of a creator's order; NotFound."""
    order = first(Planned, connection.execute(_PLANNED.where(orders.c.id == order_id, orders.c.creator == creator)))
    if order is None:
        raise no_order(connection, creator, order_id)
    its = emails.c.order_seq == order.seq
    paused = in_force(connection)
    if order.state in (OrderState.REGISTERED, OrderState.PROCESSING) and not order.portion:
        parts = list(_before(connection, order, paused, calendars))
        return Plan(order, parts[:MOST], 0, len(parts) > MOST)
    if order.state == OrderState.OPEN:
        follow = Reason(Why.OPEN, "Its recipients follow; it begins when its sender closes it.")
        return Plan(order, [Part(uploads.count(connection, order.seq), None, None, [follow])], 0)
    settled = connection.scalar(select(func.count()).where(its, ~EMAIL_OPEN)) or 0
    parts = list(_parts(connection, order, paused, calendars))
    if order.portion:
        left = connection.scalar(UNMADE, {"order": order.seq}) or 0
        turn = Reason(Why.TURN, "Their e-mails are made when fewer of those before them wait.")
        parts.insert(0, Part(left, None, None, [turn]))
    return Plan(order, parts[:MOST], settled, len(parts) > MOST)


def _before(connection: Connection, order: Planned, pauses: Pauses, calendars: Calendars) -> Iterator[Part]:
    """The parts of an order whose e-mails are not made: one for each time zone, or one for recipients that followed."""
    places = Counter(recipient.get("timeZone") for recipient in json.loads(order.recipients))
    if order.streamed:
        places[None] = uploads.count(connection, order.seq)
    paused = list(_paused(pauses, order, "orders", order.paused_by))
    start = max(order.requested_send_time, order.now)
    for place, count in places.items():
        reasons = [*_requested(order), *_opening(order, place, start, calendars), *paused]
        at = _opens(order, place, start, calendars)
        if at and order.due_at and order.due_at > at and order.state == OrderState.REGISTERED:
            at = _opens(order, place, order.due_at, calendars)
            if not order.sending_window:
                reasons.append(Reason(Why.QUOTA, "The creator's quota lets it go later."))
        if order.condition_endpoint:
            reasons.append(Reason(Why.CONDITION, "Its condition is asked first."))
        if order.fetches:
            reasons.append(Reason(Why.ATTACHMENTS, "Its attachments are fetched first."))
        yield _part(order, count, None if paused else at, place, reasons)


def _parts(connection: Connection, order: Planned, pauses: Pauses, calendars: Calendars) -> Iterator[Part]:
    """The parts of an order whose e-mails are made: those that are open, by what they wait for."""
    kinds = (*_KINDS, _DUE)
    which = and_(emails.c.order_seq == order.seq, EMAIL_OPEN)
    tried, at = func.max(emails.c.attempts), type_coerce(func.min(emails.c.due_at), Instant)
    chosen = select(*kinds, func.count(), tried, at).where(which).group_by(*kinds).order_by(_DUE).limit(MOST + 1)
    for state, paused_by, place, ranked, waits_for, _, count, attempts, due_at in connection.execute(chosen):
        reasons = list(_paused(pauses, order, "emails", paused_by))
        if reasons:
            yield _part(order, count, None, place, reasons)
        elif state == EmailState.SENDING and due_at > order.now:
            yield _part(order, count, order.now, place, [Reason(Why.IN_FLIGHT, "A worker has it in hand.")])
        elif ranked and waits_for:
            yield _part(order, count, None, place, [Reason(Why.LIMIT, f"It waits for the pace of the {waits_for}.")])
        elif due_at > order.now:
            opens = _opens(order, place, due_at, calendars)
            later = list(_opening(order, place, order.now, calendars))
            if attempts:
                later.insert(0, Reason(Why.RETRY, "An attempt has failed, and the next one is later."))
            yield _part(order, count, opens, place, later or list(_requested(order)))
        else:
            turn = f"It waits for its turn, with the priority {LEVELS[order.priority]}."
            opens = _opens(order, place, order.now, calendars)
            yield _part(
                order, count, opens, place, [*_opening(order, place, order.now, calendars), Reason(Why.TURN, turn)]
            )


def _part(order: Planned, count: int, at: datetime | None, place: str | None, reasons: Sequence[Reason]) -> Part:
    if order.expires_at and at and at >= order.expires_at:
        return Part(count, None, place, [*reasons, Reason(Why.EXPIRY, "The order expires before: it is not sent.")])
    return Part(count, at, place, reasons)


def _requested(order: Planned) -> Iterator[Reason]:
    if order.requested_send_time > order.now:
        yield Reason(Why.REQUESTED, "Its sender asked for a time from then on.")


def _paused(pauses: Pauses, order: Planned, lane: str, by: str | None) -> Iterator[Reason]:
    """Why operators hold it."""
    if by or lane in pauses.lanes or pauses.cause(order.creator):
        yield Reason(Why.PAUSE, "An operator has paused it; it goes on when the pause ends.")


def _opens(order: Planned, place: str | None, at: datetime, calendars: Calendars) -> datetime | None:
    """When an order may go to recipients in a zone, from this instant on; None: at no time."""
    if not order.sending_window:
        return at
    return calendars.hours(windows.read(order.sending_window), place).opening(at)


def _opening(order: Planned, place: str | None, at: datetime, calendars: Calendars) -> Iterator[Reason]:
    """Why its window lets it wait from this instant on."""
    if not order.sending_window:
        return
    window = windows.read(order.sending_window)
    opens, alone = calendars.hours(window, place).opening(at), Hours.of(window, zone=place).opening(at)
    if opens != at:
        yield Reason(Why.WINDOW, f"Its window is {window.words()}, by the clock of {place or window.zone}.")
    if opens != alone:
        yield Reason(Why.CALENDAR, f"The calendar {window.calendar} closes what the window opens.")
