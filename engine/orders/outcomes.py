"""Outcomes of orders: what follows for an order in hand, written and published as events."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection, select

from engine.db.rows import run
from engine.db.tables import MILLISECOND, orders
from engine.events import tallies
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import ASKED_AGAIN, SENT_ANYWAY, EmailState, OrderState
from engine.observability import logs
from engine.observability.audit import ITSELF, note
from engine.orders.generation import failed, insert
from engine.queue import due

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Executable

    from engine.db.records import Order
    from engine.models import CloudEvent

log = logging.getLogger(__name__)

CONDITION_RETRY = timedelta(seconds=60)  # after an inconclusive answer, the endpoint is asked again (contract 6.7)
# The time from an attempt that a bug ended to the next; a release that fixes the bug may come in between.
RETRIES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 1, 5, 30, 120))

_SETTLE = due.outcome(due.ORDERS).returning(orders.c.seq, orders.c.last_update)
_FETCH = due.outcome(due.ORDERS).values(fetches=orders.c.attachments).returning(orders.c.seq)
_BEGIN = due.outcome(due.ORDERS).values(portion=1, fetches=None).returning(orders.c.seq)
FINAL = (OrderState.COMPLETED, OrderState.SEND_CONDITION_NOT_MET)


class Next(Enum):
    """What follows for an order in hand."""

    GENERATE = auto()  # its e-mails are made
    SEND_ANYWAY = auto()  # likewise, without a conclusive answer of its condition's endpoint
    NOT_MET = auto()  # nothing is sent
    ASK_AGAIN = auto()
    SET_BACK = auto()  # an error of Varsel's ended the attempt
    SET_ASIDE = auto()
    SENT = auto()  # its e-mail went out already: see engine/worker/short_way.py
    FETCHED = auto()  # one of its attachments is there: see engine/orders/fetches.py
    FETCH_AGAIN = auto()
    FAIL = auto()  # its e-mails are made, and have failed
    MAKE_PORTION = auto()  # see engine/orders/portions.py
    NEVER_CLOSED = auto()  # likewise


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows for an order, and why."""

    order: Order
    next: Next
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Later(Decision):
    """An order that is due again after a while."""

    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Failed(Decision):
    """An order whose e-mails have failed before anybody could send them."""

    state: EmailState = EmailState.FAILED


MADE = (Next.GENERATE, Next.SEND_ANYWAY, Next.FAIL)  # what makes an order's e-mails


def set_back(order: Order, error: Exception) -> Decision:
    """What follows when an error of Varsel's ended an attempt."""
    with logs.bound(lane="orders", order_id=order.id):
        asked = order.condition_endpoint is not None  # asking may have counted an attempt
        cause = error if order.attempts <= asked else None  # later attempts are likely to fail alike
        log.error("the order could not be processed: %s", type(error).__name__, exc_info=cause)
    return Decision(order, Next.SET_BACK, f"an error of Varsel's ({type(error).__name__})")


def lost(order: Order) -> Decision | None:
    """What follows when too many workers in a row have lost an order."""
    if not due.is_lost(order):
        return None
    with logs.bound(lane="orders", order_id=order.id):
        log.error("order set aside: it was claimed %d times without an outcome", order.unresolved)
    return Decision(order, Next.SET_ASIDE, f"{due.LOST_IS_DEAD} workers ended while they worked on it")


def record(connection: Connection, decision: Decision, generated: Collection[int]) -> None:
    """Write what follows for an order that is still ours; `generated`: the orders (`seq`) whose e-mails were made."""
    order, reason = decision.order, decision.reason
    match decision.next:
        case Next.SEND_ANYWAY if order.seq in generated:
            _tell_of_condition(connection, order, reason, SENT_ANYWAY)
        case Next.NOT_MET:
            write(connection, [(order, OrderState.SEND_CONDITION_NOT_MET, None)])
        case Next.ASK_AGAIN:
            _ask_again(connection, order, reason)
        case Next.FETCH_AGAIN if isinstance(decision, Later):
            run(connection, _SETTLE, [_ending(order, OrderState.PROCESSING, decision.delay)])
        case Next.SET_BACK:
            _set_back(connection, order, reason)
        case Next.SET_ASIDE:
            _give_up(connection, order, reason)


def begin_fetching(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Let orders that are still ours, and whose conditions let them go, wait for their attachments."""
    _begin(connection, _FETCH, decisions)


def begin_portions(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Let the e-mails of orders that are still ours, and whose recipients followed them, be made in portions."""
    _begin(connection, _BEGIN, decisions)


def _begin(connection: Connection, statement: Executable, decisions: Sequence[Decision]) -> None:
    """Let the next step of orders that are still ours begin now; note which conditions were left unanswered."""
    due_now = [_ending(each.order, OrderState.PROCESSING, timedelta(0)) | {"attempts": 0} for each in decisions]
    ours = {row.seq for row in run(connection, statement, due_now)}
    for each in decisions:
        if each.next is Next.SEND_ANYWAY and each.order.seq in ours:
            _tell_of_condition(connection, each.order, each.reason, SENT_ANYWAY)


def write(
    connection: Connection,
    outcomes: Sequence[tuple[Order, OrderState, timedelta | None]],
    events: Sequence[CloudEvent] = (),
) -> Collection[int]:
    """Write outcomes of orders that are still ours, and publish the final ones together with other `events`.

    Returns the `seq` of those orders.
    """
    at = settle(connection, outcomes)
    final = [
        order_event(order, state, at[order.seq])
        for order, state, _ in outcomes
        if state in (*FINAL, OrderState.CANCELLED) and order.seq in at
    ]
    if final or events:
        persist(connection, [*events, *final])
    return at.keys()


def settle(
    connection: Connection, outcomes: Sequence[tuple[Order, OrderState, timedelta | None]]
) -> dict[int, datetime]:
    """Write outcomes of orders that are still ours; returns when, by `seq`."""
    ours = run(
        connection,
        _SETTLE,
        [
            {
                "seq": order.seq,
                "claim": order.claim,
                "state": state,
                "attempts": order.attempts + (order.condition_endpoint is not None),
                "delay": None if delay is None else delay // MILLISECOND,
            }
            for order, state, delay in outcomes
        ],
    )
    return {row.seq: row.last_update for row in ours}


def _ask_again(connection: Connection, order: Order, reason: str) -> None:
    if write(connection, [(order, OrderState.PROCESSING, CONDITION_RETRY)]):
        _tell_of_condition(connection, order, reason, ASKED_AGAIN % {"seconds": CONDITION_RETRY.seconds})


def _tell_of_condition(connection: Connection, order: Order, reason: str, then: str) -> None:
    note(connection, ITSELF, "condition-failed", f"orders/{order.id}", {"reason": reason, "then": then})


def _set_back(connection: Connection, order: Order, reason: str) -> None:
    """Count an attempt that a bug ended; after the last one, set the order aside with the reason."""
    if order.attempts >= len(RETRIES):
        _give_up(connection, order, reason)
        return
    run(connection, _SETTLE, [_ending(order, OrderState.PROCESSING, RETRIES[order.attempts])])


def _give_up(connection: Connection, order: Order, reason: str) -> None:
    """Set an order aside: its e-mails have failed, its sender gets their events, and operators see the reason."""
    ours = run(connection, _SETTLE, [_ending(order, OrderState.SET_ASIDE, None)])
    if not ours:
        return
    at = ours[0].last_update
    recipients = connection.scalar(select(orders.c.recipients).where(orders.c.seq == order.seq)) or "[]"
    rows = list(failed(order, recipients))
    insert(connection, rows)
    tallies.begin(connection, {order.seq: {EmailState.FAILED: len(rows)}})
    told = [email_event(order, UUID(row["id"]), EmailState(row["state"]), at) for row in rows]
    persist(connection, [*told, order_event(order, OrderState.COMPLETED, at)])
    note(connection, ITSELF, "set-aside", f"orders/{order.id}", {"reason": reason})


def _ending(order: Order, state: OrderState, delay: timedelta | None) -> dict[str, object]:
    """The values of an attempt for the statement that ends claims."""
    wait = None if delay is None else delay // MILLISECOND
    return {"seq": order.seq, "claim": order.claim, "state": state, "attempts": order.attempts + 1, "delay": wait}
