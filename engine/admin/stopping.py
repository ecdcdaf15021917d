"""Cancelling what has not left of an order that is being sent, step by step, as its sender may (withdrawing.py).

The first step tells the workers, which let go within a moment; each step takes back a batch of e-mails that nobody has
in hand. Whoever stops an order repeats the step until nothing is left, or for WITHIN: what workers hold has left by
then, or never will.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import and_, or_, select

from engine.admin.amounts import some
from engine.admin.counts import COUNTED
from engine.admin.results import SENT, WAITING, results
from engine.admin.words import of_state
from engine.db.tables import orders
from engine.models import OrderState
from engine.orders.withdrawing import UNMADE, Aim, fates, withdraw
from engine.queue.calendars import Calendars
from engine.text.language import N_, _
from engine.text.language import number as amount

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from engine.orders.withdrawing import Left

_IN_PORTIONS = and_(orders.c.state.in_((OrderState.REGISTERED, OrderState.PROCESSING)), orders.c.portion > 0)
_BEGUN = and_(orders.c.state == OrderState.PROCESSING, orders.c.unresolved > 0)
BEING_SENT = or_(orders.c.state == OrderState.PROCESSED, _IN_PORTIONS, _BEGUN)


def stop(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """The first step, for orders that are locked."""
    for order_id in connection.scalars(select(orders.c.id).where(orders.c.seq.in_(seqs))).all():
        step(connection, order_id)


def step(connection: Connection, order_id: UUID) -> Left:
    """One more step; returns what is left to do."""
    return withdraw(connection, _creator(connection, order_id), order_id, Aim(), Calendars())


def outcome(connection: Connection, order_id: UUID) -> str:
    """What has become of the order's recipients, in numbers."""
    counts = fates(connection, _creator(connection, order_id), order_id).counts
    return ", ".join(f"{amount(number)} {of_state(fate)}" for fate, number in sorted(counts.items()) if number)


def question(connection: Connection, order: Row[object]) -> tuple[str, str]:
    """What is asked before: the title, and what it means in numbers."""
    its = results(connection, [order.seq], COUNTED)[order.seq]
    numbers = its.counts
    gone, waits = numbers.get(SENT, 0), numbers.get(WAITING, 0)
    if order.portion:
        waits += connection.scalar(UNMADE, {"order": order.seq}) or 0
    sent, left = (some(number, "emails", more=not its.whole) for number in (gone, waits))
    text = N_("What the relay has taken over stays sent: %(emails)s so far. Nobody else gets it, for good.")
    return _("Cancel what has not left of this order, %(emails)s?", emails=left), _(text, emails=sent)


def _creator(connection: Connection, order_id: UUID) -> str:
    return connection.scalar(select(orders.c.creator).where(orders.c.id == order_id)) or ""
