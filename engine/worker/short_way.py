"""The short way: an order to one address is sent while it is claimed, and recorded together with its e-mail.

The usual way claims twice: the order, for which e-mails are made, and each e-mail. Here, the order's own lease covers
the attempt, and one transaction stores the e-mail with its outcome, settles the order and publishes both events. An
order takes the usual way when something is in the way of that: a pause, a lost worker, no connection at the moment,
refusals of its creator's mail, attachments, a sending window, or a guarantee that repeating would break (at most once).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import BigInteger, Integer, SmallInteger, Text, Uuid, bindparam, literal, select

from engine.db.bounded import read_within, weight
from engine.db.dialects import Now, after
from engine.db.records import Email, Letter, columns, read
from engine.db.rows import Rows, run
from engine.db.tables import EPOCH, MILLISECOND, Instant, emails, milliseconds, orders
from engine.email.outcomes import Result, log_attempts
from engine.email.outgoing import CONTENTS, Outgoing
from engine.email.smtp import Withdrawn
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import DeliveryGuarantee, OrderState
from engine.orders.generation import generated
from engine.orders.outcomes import Decision, Next, settle
from engine.orders.processing import BATCH, Orders, step
from engine.queue import due
from engine.queue.fairness import ALL
from engine.queue.pauses import in_force
from engine.queue.withdrawals import Withdrawals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import timedelta

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.email.deliverer import Deliverer
    from engine.email.outlet import Outlet
    from engine.email.smtp import Turn
    from engine.orders.contacts import Directory
    from engine.orders.new_order import Recipient
    from engine.queue.fairness import Turns
    from engine.queue.pauses import Pauses
    from engine.queue.work import Claim, Hand

SHORT = 400  # characters of an order's recipients, as JSON: one with an address has fewer
_GIVEN = Rows(
    id=Uuid(),
    order_seq=BigInteger(),
    expires_at=Instant(),
    state=Text(),
    delay=BigInteger(),
    attempts=SmallInteger(),
    priority=SmallInteger(),
    creator=Text(),
    address=Text(),
    given=Text(),
)
# Its claim has ended, as if it had been claimed once.
_ONCE = {"due_at": after(_GIVEN["delay"]), "claim": literal(2, Integer), "last_update": Now()}
_STORE = _GIVEN.insert_into(emails, **_ONCE).returning(emails.c.seq, emails.c.order_seq)


@dataclass(frozen=True, slots=True)
class Single(Letter):
    """What an order says, and to whom."""

    recipients: str  # JSON


_SINGLES = select(*columns(Single, orders.c)).where(
    orders.c.seq.in_(bindparam("seqs", expanding=True)), orders.c.guarantee == DeliveryGuarantee.AT_LEAST_ONCE
)


@dataclass(frozen=True, slots=True)
class Sent(Decision):
    """An order that was sent to its one address, and what became of it."""

    result: Result | None = None


class ShortWay(Orders):
    """Due orders without a condition; those to one address are handed to the relay at once."""

    claims_meanwhile = True

    def __init__(  # noqa: PLR0913, PLR0917 what it needs of the process
        self,
        deliverer: Deliverer,
        directory: Directory,
        generated: Callable[[], None],
        others: Sequence[Callable[[], None]] = (),
        turns: Turns = ALL,
        withdrawals: Withdrawals | None = None,
    ) -> None:
        super().__init__(directory, generated, others, turns)
        self._withdrawals = withdrawals or Withdrawals()
        self._deliverer = deliverer
        self.at_once = deliverer.at_once
        self._found: Mapping[int, Outgoing] = {}  # of the newest claim, by the order's `seq`
        self._waiting: dict[tuple[int, int], Outgoing] = {}  # by the order's `seq` and `claim`

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """As of all orders, with the texts of those that may be sent at once."""
        self._deliverer.follow()
        claimed = super().claim(connection, lease)
        self._found = _letters_of(connection, claimed.rows)
        return claimed

    @property
    def batch(self) -> int:
        """As many as are sent in a moment."""
        return self._deliverer.batch(BATCH)

    def has_room(self, hand: Hand[Order, Decision]) -> bool:
        """A second batch is claimed while the first is sent."""
        return hand.has_room(self.batch)

    def taken(self, rows: Sequence[Order]) -> None:
        """Keep the texts until the orders are released."""
        super().taken(rows)
        found = [(order, self._found[order.seq]) for order in rows if order.seq in self._found]
        self._waiting |= {(order.seq, order.claim): outgoing for order, outgoing in found}

    def released(self, rows: Sequence[Order]) -> None:
        """Forget their texts."""
        for order in rows:
            self._waiting.pop((order.seq, order.claim), None)

    def decided(self, order: Order) -> Decision | None:
        """What follows for an order that takes the usual way; None: it is to be sent."""
        return None if (order.seq, order.claim) in self._waiting else super().decided(order)

    async def turn(self, hand: Hand[Order, Decision]) -> None:
        """Follow the relays, whose number may change, and creators who withdraw their orders."""
        self.at_once = self._deliverer.at_once
        self._withdrawals.take_back(hand, lambda order: order.seq)

    async def serve(self, hand: Hand[Order, Decision]) -> None:
        """Send one order after another while some wait; without a connection, all of them take the usual way."""
        while hand.waiting:
            first = hand.waiting[0]
            outlet = self._deliverer.outlet(self._waiting[first.seq, first.claim])
            if outlet is None:
                if (order := hand.next()) is None:
                    return
                hand.end(order, Decision(order, Next.GENERATE))
                continue
            async with self._deliverer.connection(outlet) as turn:  # an order that waits for it can be handed back
                if (order := hand.next()) is None:
                    return
                decision = await self._send(order, partial(self._may_go, hand, order), outlet, turn)
            if decision is None:
                hand.withdraw(order)
            else:
                hand.end(order, decision)

    def _may_go(self, hand: Hand[Order, Decision], order: Order) -> bool:
        return hand.ours(order) and not self._withdrawals.has(order.seq)

    async def _send(self, order: Order, ours: Callable[[], bool], outlet: Outlet, turn: Turn) -> Decision | None:
        """Hand an order to the relay, or let it take the usual way; None: its lease has ended."""
        outgoing = self._waiting[order.seq, order.claim]
        if turn.session is None or not self._deliverer.is_free(outgoing, outlet):
            return Decision(order, Next.GENERATE)
        with step(order):
            result = await self._deliverer.attempt(outgoing, ours, outlet, turn)
        return None if isinstance(result, Withdrawn) else Sent(order, Next.SENT, result=result)

    def groups(self, outcomes: Sequence[tuple[Order, Decision]]) -> Iterator[Sequence[tuple[Order, Decision]]]:
        """What was sent comes first: large orders take their time, and a crash would repeat what is not recorded."""
        return super().groups(sorted(outcomes, key=lambda each: not isinstance(each[1], Sent)))

    def insists(self, decision: Decision) -> bool:
        """What the relay has must not be sent once more."""
        return isinstance(decision, Sent)

    def record(self, connection: Connection, decisions: Sequence[Decision]) -> bool:
        """Store the e-mails that were sent, with their outcomes; do what follows for the other orders."""
        sent = [(each.order, each.result) for each in decisions if isinstance(each, Sent) and each.result]
        if sent:
            _record(connection, sent)
        return super().record(connection, [each for each in decisions if not isinstance(each, Sent)])

    def broken(self, order: Order, decision: Decision, error: Exception) -> Decision:
        """Of what was sent, write the states alone."""
        if isinstance(decision, Sent) and decision.result:
            outgoing = self._waiting[order.seq, order.claim]
            return replace(decision, result=self._deliverer.broken(outgoing, decision.result, error))
        return super().broken(order, decision, error)


def _letters_of(connection: Connection, claimed: Sequence[Order]) -> dict[int, Outgoing]:
    """Of the claimed orders that may take the short way: what is to be sent, by the order's `seq`."""
    simple = {
        order.seq: order
        for order in claimed
        if order.recipients_size <= SHORT
        and order.unresolved == 1
        and not (order.attempts or order.attachments or order.sending_window or order.withdrawn_at)
    }
    if not simple:
        return {}
    rows, _ = read_within(
        connection, _SINGLES, CONTENTS, lambda row: weight(row.subject, row.body), {"seqs": [*simple]}
    )
    paused = in_force(connection)
    found = ((letter.seq, _outgoing(simple[letter.seq], letter, paused)) for letter in read(Single, rows))
    return {seq: outgoing for seq, outgoing in found if outgoing}


def _outgoing(order: Order, letter: Single, paused: Pauses) -> Outgoing | None:
    """The e-mail of an order to one address that no pause stops; None: it has no such e-mail."""
    recipients: list[Recipient] = json.loads(letter.recipients)
    if len(recipients) != 1 or not recipients[0].get("emailAddress"):
        return None
    [row] = generated(order, 0, recipients[0], {}, keyed=False)
    if due.EMAILS.name in paused.lanes or paused.cause(order.creator, row["address"]):
        return None
    email = Email(
        seq=order.seq,  # until it has its own
        id=UUID(row["id"]),
        order_seq=order.seq,
        expires_at=EPOCH + row["expires_at"] * MILLISECOND,
        due_at=order.due_at,
        claim=1,
        unresolved=1,
        attempts=0,
        priority=row["priority"],
        waits_for=None,
        creator=row["creator"],
        address=row["address"],
        organization_number=None,
        recipient_name=None,
        subject=None,
        body=None,
        time_zone=None,
        given=row["given"],
    )
    return Outgoing(order.seq, order.claim, order.unresolved, order.due_at, email, letter, email.expires_at)


def _record(connection: Connection, sent: Sequence[tuple[Order, Result]]) -> None:
    """Settle the orders that are still ours, store their e-mails and log lines, and publish what has ended."""
    state = {True: OrderState.COMPLETED, False: OrderState.PROCESSED}
    at = settle(connection, [(order, state[result.delay is None], None) for order, result in sent])
    ours = [(order, result) for order, result in sent if order.seq in at]
    stored = run(connection, _STORE, [_row(order, result) for order, result in ours])
    seqs = {row.order_seq: row.seq for row in stored}
    told = [(order, result) for order, result in ours if result.told]
    log_attempts(connection, [replace(r, email=replace(r.email, seq=seqs[order.seq])) for order, r in told])
    events = []
    for order, result in told:
        if result.delay is None:
            events.append(email_event(order, result.email.id, result.state, at[order.seq]))
            events.append(order_event(order, OrderState.COMPLETED, at[order.seq]))
    if events:
        persist(connection, events)


def _row(order: Order, result: Result) -> Mapping[str, object]:
    """The row of an e-mail with its outcome."""
    email = result.email
    return {
        "id": email.id.hex,
        "order_seq": order.seq,
        "expires_at": milliseconds(email.expires_at),
        "state": result.state,
        "delay": None if result.delay is None else result.delay // MILLISECOND,
        "attempts": int(result.reached),
        "priority": email.priority,
        "creator": email.creator,
        "address": email.address,
        "given": email.given,
    }
