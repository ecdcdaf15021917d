"""Due orders: contacts are looked up, and the rows of their e-mails are made."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection, and_, bindparam, or_, select

from engine.db.dialects import Now
from engine.db.records import Order
from engine.db.tables import orders
from engine.events import tallies
from engine.events.status import email_event
from engine.models import EmailState, OrderState
from engine.observability import tracing
from engine.orders.generation import EmailRow, generated, insert
from engine.orders.new_order import Recipient, number
from engine.orders.outcomes import MADE, Decision, Failed, Next, begin_portions, lost, record, set_back, write
from engine.queue import due
from engine.queue.fairness import ALL, FairClaims
from engine.queue.pauses import in_force
from engine.queue.work import Claim, Work
from engine.text.keywords import NAME, NUMBER

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from engine.orders.contacts import Directory
    from engine.queue.fairness import Turns
    from engine.queue.pauses import Pauses

BATCH = 100  # orders per claim
WHOLE = orders.c.portion.is_(None)
CONDITIONAL = and_(orders.c.condition_endpoint.is_not(None), orders.c.fetches.is_(None), WHOLE)
FETCHING = and_(orders.c.fetches.is_not(None), WHOLE)
PORTIONED = orders.c.portion.is_not(None)
KINDS = (CONDITIONAL, FETCHING, PORTIONED)  # of orders that others claim
_OTHERS = select(*(select(orders.c.seq).where(orders.c.due_at <= Now(), which).exists() for which in KINDS))
# Whether keywords may stand in the order's texts (SQLite does not tell upper case from lower).
KEYED = or_(*(column.contains(word) for column in (orders.c.subject, orders.c.body) for word in (NAME, NUMBER))).label(
    "keyed"
)
_WITHDRAWN = and_(
    orders.c.withdrawn_at.is_not(None), or_(orders.c.withdrawn_until.is_(None), orders.c.withdrawn_until > Now())
)
_NEWEST = (
    select(
        *(orders.c.seq, orders.c.claim, orders.c.recipients, orders.c.withdrawn_until),
        *(KEYED, _WITHDRAWN.label("withdrawn"), Now().label("now")),
    )
    .where(orders.c.seq.in_(bindparam("seqs", expanding=True)))
    .with_for_update(key_share=True)
)
RECIPIENTS_AT_ONCE = 400_000  # characters of orders' recipients in one transaction, unless one order has more


class Processing(Work[Order, Decision]):
    """What follows for orders in hand; subclasses say which orders those are.

    `generated` is called when there may be e-mails to send.
    """

    lane = due.ORDERS

    def __init__(self, directory: Directory, generated: Callable[[], None] = lambda: None) -> None:
        self._directory = directory
        self._generated = generated

    def groups(self, outcomes: Sequence[tuple[Order, Decision]]) -> Iterator[Sequence[tuple[Order, Decision]]]:
        """Split a batch: other writers wait for at most RECIPIENTS_AT_ONCE, or for one order if that is more.

        That much JSON has 10,000 common recipients, and never 20,000.
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
        streamed = [decision for decision in decisions if decision.next in MADE and decision.order.streamed]
        if streamed:
            begin_portions(connection, streamed)
        sent = [decision for decision in decisions if decision.next in MADE and not decision.order.streamed]
        failed = {decision.order.seq: decision.state for decision in sent if isinstance(decision, Failed)}
        with ExitStack() as steps:
            for decision in sent:
                if decision.order.condition_endpoint is None:  # else its step began when the endpoint was asked
                    steps.enter_context(step(decision.order))
            ours = self._generate(connection, [decision.order for decision in sent], failed) if sent else ()
        for decision in decisions:
            record(connection, decision, ours)
        return bool(streamed)

    def broken(self, order: Order, _decision: Decision, error: Exception) -> Decision:
        """A bug counts as an attempt: the order is tried again as far as RETRIES goes, then it is set aside."""
        return set_back(order, error)

    def recorded(self, decisions: Sequence[Decision]) -> None:
        """Tell that there may be e-mails to send."""
        if any(decision.next in MADE for decision in decisions):
            self._generated()

    def _generate(
        self, connection: Connection, claimed: Sequence[Order], failed: Mapping[int, EmailState]
    ) -> Collection[int]:
        """Insert the e-mails of orders that are still ours, and settle the orders; returns their `seq`.

        `failed`: the orders whose e-mails are not to be sent, and what became of them.
        """
        newest = connection.execute(_NEWEST, {"seqs": [order.seq for order in claimed]})
        ours = {(row.seq, row.claim): row for row in newest}
        found = [(order, ours[order.seq, order.claim]) for order in claimed if (order.seq, order.claim) in ours]
        withdrawn = [(order, *_withdrawn(row.withdrawn_until, row.now)) for order, row in found if row.withdrawn]
        work = [(order, row) for order, row in found if not row.withdrawn]
        entries: dict[int, list[Recipient]] = {row.seq: json.loads(row.recipients) for _, row in work}
        known = self._directory.look_up(connection, {n for of in entries.values() for n in map(number, of) if n})
        settled, unsendable = [], []
        counts: dict[int, Counter[str]] = {}

        def made() -> Iterator[EmailRow]:
            """The e-mails, one after another: an entry can have many addresses."""
            for order, row in work:
                state, counts[order.seq] = OrderState.COMPLETED, Counter()
                now = row.now if order.sending_window else None
                for place, entry in enumerate(entries[row.seq]):
                    for email in generated(order, place, entry, known, keyed=row.keyed, now=now):
                        if email["due_at"] is not None and order.seq in failed:
                            email |= {"state": failed[order.seq].value, "due_at": None, "rank": None}
                        if email["due_at"] is None:
                            failure = EmailState(email["state"])
                            unsendable.append(email_event(order, UUID(email["id"]), failure, row.now))
                        else:
                            state = OrderState.PROCESSED
                        counts[order.seq][email["state"]] += 1
                        yield email
                settled.append((order, state, None))

        insert(connection, made())
        tallies.begin(connection, counts)
        written = write(connection, [*settled, *withdrawn], unsendable)
        return set(written).difference(order.seq for order, *_ in withdrawn)


class Orders(Processing):
    """Due orders that wait for nobody else. Others are claimed apart: condition_checks.py, fetches.py, portions.py.

    `others` are called when such orders are due, one for each of KINDS.
    """

    def __init__(
        self,
        directory: Directory,
        generated: Callable[[], None] = lambda: None,
        others: Sequence[Callable[[], None]] = (),
        turns: Turns = ALL,
    ) -> None:
        super().__init__(directory, generated)
        self.gather = turns.every
        alone = and_(orders.c.condition_endpoint.is_(None), orders.c.fetches.is_(None), WHOLE)
        self._claims = FairClaims(due.ORDERS, turns, fit=alone)
        self._others = others
        self._others_due: Sequence[bool] = ()

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """Take a batch of orders that no pause stops."""
        paused = in_force(connection, lock=True)
        claimed = Claim() if self.lane.name in paused.lanes else self._claims.claim(connection, self.batch, lease)
        self._others_due = connection.execute(_OTHERS).one()
        return Claim(admit(connection, claimed.rows, paused), claimed.more)

    @property
    def batch(self) -> int:
        """Orders per claim."""
        return BATCH

    def taken(self, _rows: Sequence[Order]) -> None:
        """Tell whether other kinds of orders are due: looking for them costs less here than in claims of their own."""
        for tell, is_due in zip(self._others, self._others_due, strict=False):
            if is_due:
                tell()

    def decided(self, order: Order) -> Decision | None:
        """An order without a condition needs only its e-mails."""
        return lost(order) or Decision(order, Next.GENERATE)


def _withdrawn(until: datetime | None, now: datetime) -> tuple[OrderState, timedelta | None]:
    """What becomes of an order that its creator has taken back, for good or until later."""
    return (OrderState.CANCELLED, None) if until is None else (OrderState.REGISTERED, until - now)


def step(order: Order) -> tracing.Span:
    """An order's step in its trace."""
    return tracing.span("process order", order.trace, order_id=order.id)


def admit(connection: Connection, claimed: Sequence[Order], paused: Pauses) -> Sequence[Order]:
    """The claimed orders that no pause stops; the others are paused."""
    stopped = {order.seq: cause for order in claimed if (cause := paused.cause(order.creator))}
    due.pause(connection, due.ORDERS, claimed, stopped)
    return [order for order in claimed if order.seq not in stopped]
