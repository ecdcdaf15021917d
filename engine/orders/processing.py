"""From a due order to its e-mails: contacts are looked up, and rows are made."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Text, Uuid, or_, select

from engine.db.dialects import Now
from engine.db.records import Order
from engine.db.rows import Rows, run
from engine.db.tables import MILLISECOND, Instant, emails, orders
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import OrderState
from engine.observability import logs, tracing
from engine.observability.audit import ITSELF, note
from engine.orders.generation import EmailRow, failed, generated
from engine.orders.new_order import Recipient, number
from engine.queue import due
from engine.queue.pauses import in_force
from engine.queue.work import Claim, Work
from engine.text.keywords import NAME, NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from engine.models import CloudEvent
    from engine.orders.contacts import Directory

log = logging.getLogger(__name__)

BATCH = 100  # orders per claim
RECIPIENTS_AT_ONCE = 400_000  # characters of orders' recipients in one transaction, where one order has no more
CONDITION_RETRY = timedelta(seconds=60)  # an inconclusive answer is asked for once more (contract 6.7)
# Until an order that a bug has ended is tried again; a release that mends the bug may come in between.
RETRIES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 1, 5, 30, 120))

_SETTLE = due.outcome(due.ORDERS).returning(orders.c.seq, orders.c.last_update)
_INSERT_EMAILS = Rows(
    id=Uuid(),
    order_seq=BigInteger(),
    expires_at=Instant(),
    state=Text(),
    due_at=Instant(),
    address=Text(),
    organization_number=Text(),
    national_identity_number=Text(),
    recipient_name=Text(),
).insert_into(emails, last_update=Now())
FINAL = (OrderState.COMPLETED, OrderState.SEND_CONDITION_NOT_MET)


class Next(Enum):
    """What follows for an order in hand."""

    GENERATE = auto()  # its e-mails
    SEND_ANYWAY = auto()  # likewise, though its condition could not be asked
    NOT_MET = auto()  # nothing is sent
    ASK_AGAIN = auto()
    SET_BACK = auto()  # an error of ours ended the attempt
    SET_ASIDE = auto()


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows for an order, and why."""

    order: Order
    next: Next
    reason: str = ""


class Orders(Work[Order, Decision]):
    """Due orders without a condition. Those with one are claimed apart: see engine/orders/condition_checks.py.

    `generated` is called when there may be e-mails to send.
    """

    lane = due.ORDERS

    def __init__(self, directory: Directory, generated: Callable[[], None] = lambda: None) -> None:
        self._directory = directory
        self._generated = generated

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """Take a batch of orders that no pause stops."""
        claimed = due.claim(connection, due.ORDERS, BATCH, lease, orders.c.condition_endpoint.is_(None))
        return Claim(admit(connection, claimed), len(claimed) == BATCH)

    def decided(self, order: Order) -> Decision | None:
        """An order without a condition needs no more than its e-mails."""
        return lost(order) or Decision(order, Next.GENERATE)

    def groups(self, outcomes: Sequence[tuple[Order, Decision]]) -> Iterator[Sequence[tuple[Order, Decision]]]:
        """Split a batch: other writers wait for no more than RECIPIENTS_AT_ONCE or, where that is more, one order.

        In that much JSON stand 10,000 common recipients, and never 20,000.
        """
        group: list[tuple[Order, Decision]] = []
        room = RECIPIENTS_AT_ONCE
        for order, decision in outcomes:
            if group and order.recipients_size > room:
                yield group
                group, room = [], RECIPIENTS_AT_ONCE
            group.append((order, decision))
            room -= order.recipients_size
        if group:
            yield group

    def record(self, connection: Connection, decisions: Sequence[Decision]) -> bool:
        """Do what follows for each order that is still ours."""
        sent = [decision for decision in decisions if decision.next in SENT]
        with ExitStack() as steps:
            for decision in sent:
                if decision.order.condition_endpoint is None:  # else its step began with the question
                    steps.enter_context(step(decision.order))
            ours = self._generate(connection, [decision.order for decision in sent]) if sent else ()
        for decision in decisions:
            order, reason = decision.order, decision.reason
            match decision.next:
                case Next.SEND_ANYWAY if order.seq in ours:
                    _tell_of_condition(connection, order, reason, "sent anyway")
                case Next.NOT_MET:
                    _settle(connection, [(order, OrderState.SEND_CONDITION_NOT_MET, None)])
                case Next.ASK_AGAIN:
                    _ask_again(connection, order, reason)
                case Next.SET_BACK:
                    _set_back(connection, order, reason)
                case Next.SET_ASIDE:
                    _give_up(connection, order, reason)
        return False

    def broken(self, order: Order, _decision: Decision, error: Exception) -> Decision:
        """A bug is an attempt: the order is tried again as far as RETRIES goes, then set aside with the reason."""
        return set_back(order, error)

    def recorded(self, decisions: Sequence[Decision]) -> None:
        """There may be e-mails to send."""
        if any(decision.next in SENT for decision in decisions):
            self._generated()

    def _generate(self, connection: Connection, claimed: Sequence[Order]) -> Collection[int]:
        """Insert the e-mails of orders that are still ours, and settle the orders; returns which (`seq`)."""
        keyed = _keyed().label("keyed")
        newest = select(orders.c.seq, orders.c.claim, orders.c.recipients, keyed, Now().label("now"))
        newest = newest.where(orders.c.seq.in_([order.seq for order in claimed]))
        ours = {(row.seq, row.claim): row for row in connection.execute(newest.with_for_update())}
        work = [(order, ours[order.seq, order.claim]) for order in claimed if (order.seq, order.claim) in ours]
        entries: dict[int, list[Recipient]] = {row.seq: json.loads(row.recipients) for _, row in work}
        known = self._directory.look_up(connection, {n for of in entries.values() for n in map(number, of) if n})
        settled, unsendable = [], []

        def made() -> Iterator[EmailRow]:
            """The e-mails, one after another: an entry may stand for many addresses."""
            for order, row in work:
                state = OrderState.COMPLETED
                for place, entry in enumerate(entries[row.seq]):
                    for email in generated(order, place, entry, known, keyed=row.keyed):
                        if email["due_at"] is None:
                            unsendable.append(email_event(order, UUID(email["id"]), email["state"], row.now))
                        else:
                            state = OrderState.PROCESSED
                        yield email
                settled.append((order, state, None))

        run(connection, _INSERT_EMAILS, made())
        return _settle(connection, settled, unsendable)


SENT = (Next.GENERATE, Next.SEND_ANYWAY)


def step(order: Order) -> tracing.Span:
    """An order's step in its trace."""
    return tracing.span("process order", order.trace, order_id=order.id)


def set_back(order: Order, error: Exception) -> Decision:
    """What follows when an error of ours ended an attempt."""
    with logs.bound(lane="orders", order_id=order.id):
        asked = order.condition_endpoint is not None  # and may have counted an attempt
        cause = error if order.attempts <= asked else None  # further attempts are likely to fail likewise
        log.error("the order could not be processed: %s", type(error).__name__, exc_info=cause)
    return Decision(order, Next.SET_BACK, f"an error of Varsel's ({type(error).__name__})")


def lost(order: Order) -> Decision | None:
    """What follows when too many workers in a row have lost an order."""
    if not due.is_lost(order):
        return None
    with logs.bound(lane="orders", order_id=order.id):
        log.error("order set aside: it was claimed %d times without an outcome", order.unresolved)
    return Decision(order, Next.SET_ASIDE, f"{due.LOST_IS_DEAD} workers ended while they worked on it")


def _keyed() -> ColumnElement[bool]:
    """Whether keywords may stand in the order's texts (SQLite does not tell upper case from lower)."""
    return or_(*(column.contains(word) for column in (orders.c.subject, orders.c.body) for word in (NAME, NUMBER)))


def admit(connection: Connection, claimed: Sequence[Order]) -> Sequence[Order]:
    """Those of the claimed orders that no pause stops; the others are held."""
    if not claimed:
        return ()
    paused = in_force(connection, lock=True)
    stopped = {order.seq: cause for order in claimed if (cause := paused.cause(order.creator))}
    due.pause(connection, due.ORDERS, claimed, stopped)
    return [order for order in claimed if order.seq not in stopped]


def _settle(
    connection: Connection,
    outcomes: Sequence[tuple[Order, OrderState, timedelta | None]],
    events: Sequence[CloudEvent] = (),
) -> Collection[int]:
    """Write outcomes of orders that are still ours, and tell of those that are final, beside other `events`.

    Returns which they were (`seq`).
    """
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
    at = {row.seq: row.last_update for row in ours}
    final = [
        order_event(order, state, at[order.seq]) for order, state, _ in outcomes if state in FINAL and order.seq in at
    ]
    if final or events:
        persist(connection, [*events, *final])
    return at.keys()


def _ask_again(connection: Connection, order: Order, reason: str) -> None:
    if _settle(connection, [(order, OrderState.PROCESSING, CONDITION_RETRY)]):
        _tell_of_condition(connection, order, reason, f"asked again in {CONDITION_RETRY.seconds} s")


def _tell_of_condition(connection: Connection, order: Order, reason: str, then: str) -> None:
    note(connection, ITSELF, "condition-failed", f"orders/{order.id}", {"reason": reason, "then": then})


def _set_back(connection: Connection, order: Order, reason: str) -> None:
    """Count an attempt that a bug has ended; after the last one the order is set aside, with the reason."""
    if order.attempts >= len(RETRIES):
        _give_up(connection, order, reason)
        return
    run(connection, _SETTLE, [_ending(order, OrderState.PROCESSING, RETRIES[order.attempts])])


def _give_up(connection: Connection, order: Order, reason: str) -> None:
    """Set an order aside: every e-mail of it has failed, and its sender is told so; operators, for what reason."""
    ours = run(connection, _SETTLE, [_ending(order, OrderState.SET_ASIDE, None)])
    if not ours:
        return
    at = ours[0].last_update
    recipients = connection.scalar(select(orders.c.recipients).where(orders.c.seq == order.seq)) or "[]"
    rows = list(failed(order, recipients))
    run(connection, _INSERT_EMAILS, rows)
    told = [email_event(order, UUID(row["id"]), row["state"], at) for row in rows]
    persist(connection, [*told, order_event(order, OrderState.COMPLETED, at)])
    note(connection, ITSELF, "set-aside", f"orders/{order.id}", {"reason": reason})


def _ending(order: Order, state: OrderState, delay: timedelta | None) -> Mapping[str, object]:
    """An attempt at an order, for the statement that ends claims."""
    wait = None if delay is None else delay // MILLISECOND
    return {"seq": order.seq, "claim": order.claim, "state": state, "attempts": order.attempts + 1, "delay": wait}
