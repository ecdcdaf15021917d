"""Orders whose recipients followed them: their e-mails are made portion by portion, each in a transaction of its own.

The e-mails of a portion are made when few of the order's are left to be sent. So the first goes out at once, other
writers wait for one portion at most, and no claim walks among a million rows. An order that was never closed is
cancelled here, when its time is over.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import BigInteger, Integer, Text, bindparam, delete, func, literal, select

from engine.db.dialects import Now, after, now
from engine.db.frequent import in_index_order
from engine.db.rows import Rows, run
from engine.db.tables import EMAIL_OPEN, MILLISECOND, emails, orders, portions, uploads
from engine.events import tallies
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import EmailState, OrderState
from engine.observability.audit import ITSELF, note
from engine.orders.generation import generated, insert
from engine.orders.new_order import number
from engine.orders.outcomes import Decision, Next, lost, record
from engine.orders.processing import KEYED, PORTIONED, Processing, admit, step
from engine.orders.uploads import OPEN_FOR
from engine.queue import due
from engine.queue.fairness import IN_ORDER
from engine.queue.pauses import in_force
from engine.queue.work import Claim
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.models import CloudEvent
    from engine.orders.generation import EmailRow
    from engine.orders.new_order import Recipient

ORDERS_AT_ONCE = 12  # of a process; of one creator, two thirds
WAITING = 20_000  # e-mails of an order that wait to be sent: the next portion is not made before there are fewer
LOOK_AGAIN = timedelta(seconds=1)  # at how many these are

_SEQ = bindparam("its", type_=BigInteger())
_OURS = (
    select(KEYED)
    .where(orders.c.seq == _SEQ, orders.c.claim == bindparam("newest", type_=Integer()))
    .with_for_update(key_share=True)
)
_OPEN = in_index_order(select(literal(1)).where(EMAIL_OPEN), emails.c.order_seq, _SEQ)
_WAITING = select(func.count()).select_from(_OPEN.limit(bindparam("most", type_=Integer())).subquery())
_IS = (portions.c.order_seq == _SEQ, portions.c.number == bindparam("its_number", type_=Integer()))
_PORTION = select(portions.c.first, portions.c.recipients).where(*_IS)
_MADE = delete(portions).where(*_IS)
_STORED = select(uploads.c.portions).where(uploads.c.order_seq == _SEQ)
_NEXT = Rows(seq=BigInteger(), claim=Integer(), state=Text(), portion=Integer(), delay=BigInteger())
_GO_ON = (
    due.leased(due.ORDERS, _NEXT)
    .values(claim=orders.c.claim + 1, unresolved=0, attempts=0, last_update=Now())
    .values(state=_NEXT["state"], portion=_NEXT["portion"], due_at=after(_NEXT["delay"]))
    .returning(orders.c.last_update)
)


class Portions(Processing):
    """Due orders that have a portion to be made next, and open orders whose time is over."""

    calls_others = False

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """Take the orders that no pause stops, of each creator a share."""
        shares = Shares(ORDERS_AT_ONCE)
        claimed, more = due.claim_fairly(connection, due.ORDERS, orders.c.creator, shares, lease, PORTIONED)
        return Claim(admit(connection, claimed, in_force(connection, lock=True)), more)

    def decided(self, order: Order) -> Decision:
        """What follows needs no work before it is recorded."""
        return lost(order) or Decision(order, Next.MAKE_PORTION if order.portion else Next.NEVER_CLOSED)

    def groups(self, outcomes: Sequence[tuple[Order, Decision]]) -> Iterator[Sequence[tuple[Order, Decision]]]:
        """Each portion has a transaction of its own."""
        for each in outcomes:
            yield [each]

    def record(self, connection: Connection, decisions: Sequence[Decision]) -> bool:
        """Do what follows for each order that is still ours; returns whether a portion is due now."""
        more = False
        for decision in decisions:
            match decision.next:
                case Next.MAKE_PORTION:
                    with step(decision.order):
                        more |= self._make(connection, decision.order)
                case Next.NEVER_CLOSED:
                    _cancel(connection, decision.order)
                case _:
                    record(connection, decision, ())
        return more

    def recorded(self, decisions: Sequence[Decision]) -> None:
        """Tell that there may be e-mails to send."""
        if any(decision.next is Next.MAKE_PORTION for decision in decisions):
            self._generated()

    def _make(self, connection: Connection, order: Order) -> bool:
        """Make the e-mails of the next portion, unless many wait; returns whether there is another to be made now."""
        ours = connection.execute(_OURS, {"its": order.seq, "newest": order.claim}).first()
        if not ours or not order.portion:
            return False
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(IN_ORDER)  # a bitmap would walk over all e-mails that were settled lately
        if connection.execute(_WAITING, {"its": order.seq, "most": WAITING}).scalar_one() >= WAITING:
            _go_on(connection, order, OrderState.PROCESSING, order.portion, LOOK_AGAIN)
            return False
        events = self._emails(connection, order, keyed=ours.keyed)
        if order.portion < connection.execute(_STORED, {"its": order.seq}).scalar_one():
            _go_on(connection, order, OrderState.PROCESSING, order.portion + 1)
        else:
            events += _end(connection, order)
        if events:
            persist(connection, events)
        return True

    def _emails(self, connection: Connection, order: Order, *, keyed: bool) -> list[CloudEvent]:
        """Make the e-mails of a portion; returns the events of those that cannot be sent."""
        its = {"its": order.seq, "its_number": order.portion}
        portion = connection.execute(_PORTION.with_for_update(), its).one()  # who erases a person waits, or is done
        entries: list[Recipient] = json.loads(portion.recipients)
        known = self._directory.look_up(connection, {n for n in map(number, entries) if n})
        unsendable: list[CloudEvent] = []
        at = now(connection)
        begins = at if order.sending_window else None
        counts: Counter[str] = Counter()

        def made() -> Iterator[EmailRow]:
            for place, entry in enumerate(entries, portion.first):
                for email in generated(order, place, entry, known, keyed=keyed, now=begins):
                    if email["due_at"] is None:
                        unsendable.append(email_event(order, UUID(email["id"]), EmailState(email["state"]), at))
                    counts[email["state"]] += 1
                    yield email

        insert(connection, made())
        if portion.first:
            tallies.move(connection, {order.seq: counts})
        else:
            tallies.begin(connection, {order.seq: counts}, always=[order.seq])
        connection.execute(_MADE, its)
        return unsendable


def _end(connection: Connection, order: Order) -> Sequence[CloudEvent]:
    """Settle an order whose last portion was made; returns the event of its end, if none of its e-mails is open."""
    if connection.execute(_OPEN.limit(1), {"its": order.seq}).first():
        _go_on(connection, order, OrderState.PROCESSED, None, None)
        return ()
    at = _go_on(connection, order, OrderState.COMPLETED, None, None)
    return [order_event(order, OrderState.COMPLETED, at)] if at else ()


def _cancel(connection: Connection, order: Order) -> None:
    """Nobody has closed an order in time."""
    at = _go_on(connection, order, OrderState.CANCELLED, None, None)
    if at:
        persist(connection, [order_event(order, OrderState.CANCELLED, at)])
        reason = f"it was not closed within {OPEN_FOR // timedelta(hours=1)} hours after its last recipients"
        note(connection, ITSELF, "cancel", f"orders/{order.id}", {"reason": reason})


def _go_on(
    connection: Connection,
    order: Order,
    state: OrderState,
    portion: int | None,
    delay: timedelta | None = timedelta(0),
) -> datetime | None:
    """End the claim of an order; returns when, or None if it is not ours any more."""
    wait = None if delay is None else delay // MILLISECOND
    its = {"seq": order.seq, "claim": order.claim, "state": state.value, "portion": portion, "delay": wait}
    ended = run(connection, _GO_ON, [its])
    return ended[0].last_update if ended else None
