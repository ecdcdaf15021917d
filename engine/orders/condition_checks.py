"""Due orders with a condition: their senders' endpoints are asked, at once as many as each creator's share allows.

The lane's other orders never wait for an endpoint: see engine/orders/processing.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Integer, Text, update

from engine.db.rows import Rows, run
from engine.db.tables import orders
from engine.observability import logs
from engine.orders.conditions import Verdict, ask
from engine.orders.credentials import Credentials
from engine.orders.outcomes import Decision, Next, lost, set_back
from engine.orders.processing import Processing, admit, step
from engine.queue import due
from engine.queue.pauses import in_force
from engine.queue.work import Claim
from engine.runtime.clock import Clock
from engine.runtime.shares import Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.orders.contacts import Directory
    from engine.outbound import Outbound
    from engine.queue.work import Hand

ANSWERED = (Next.GENERATE, Next.SEND_ANYWAY, Next.NOT_MET, Next.ASK_AGAIN)
CHECKS = 150  # conditions that a process asks at once; 100 of one creator: see engine/runtime/shares.py
# What an answer is followed by, for operators; their viewers do not see the endpoint, so it names no host.
KEPT = "; asked without the creator's token, whose hosts in VARSEL_CREDENTIALS_FILE lack this one"

_SAID = Rows(seq=BigInteger(), claim=Integer(), answer=Text())
_KEEP = (
    update(orders)
    .where(orders.c.seq == _SAID["seq"], orders.c.claim == _SAID["claim"])
    .values(condition_answer=_SAID["answer"])
)


class ConditionChecks(Processing):
    """Due orders with a condition."""

    at_once = CHECKS
    gather = timedelta(milliseconds=200)  # while endpoints hang, each claim of other orders wakes this one
    calls_others = False

    def __init__(
        self,
        directory: Directory,
        outbound: Outbound,
        generated: Callable[[], None] = lambda: None,
        credentials: Credentials | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(directory, generated)
        self._outbound = outbound
        self._credentials = credentials or Credentials()
        self._clock = clock or Clock()
        self._shares = Shares(CHECKS)

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """Take the orders that have room and that no pause stops."""
        conditional = orders.c.condition_endpoint.is_not(None)
        shares = self._shares.copy()
        claimed, more = due.claim_fairly(connection, due.ORDERS, orders.c.creator, shares, lease, conditional)
        return Claim(admit(connection, claimed, in_force(connection, lock=True)), more)

    def has_room(self, _hand: Hand[Order, Decision]) -> bool:
        """The shares decide."""
        return not self._shares.full

    def taken(self, rows: Sequence[Order]) -> None:
        """Use a share of each creator."""
        for order in rows:
            self._shares.take(order.creator)

    def released(self, rows: Sequence[Order]) -> None:
        """Give the shares back."""
        for order in rows:
            self._shares.give_back(order.creator)

    def decided(self, order: Order) -> Decision | None:
        """Only an order that several workers have lost."""
        return lost(order)

    def record(self, connection: Connection, decisions: Sequence[Decision]) -> bool:
        """Keep what the endpoints said, and do what follows."""
        _keep_answers(connection, [each for each in decisions if each.next in ANSWERED])
        return super().record(connection, decisions)

    async def perform(self, hand: Hand[Order, Decision], order: Order) -> None:
        """The decision table (contract 6.7): after a second inconclusive answer, the order is sent, and it is noted."""
        try:
            with logs.bound(lane="orders", order_id=order.id), step(order) as span:
                url = order.condition_endpoint or ""
                proof = self._credentials.headers(order.creator, url, order.id, int(self._clock.now().timestamp()))
                without = KEPT if self._credentials.keep_from(order.creator, url) else ""
                answer = await ask(self._outbound, url, order.creator, proof)
                span.set(condition=answer.verdict)
        except Exception as error:  # noqa: BLE001 a bug may raise anything
            hand.end(order, set_back(order, error))
            return
        match answer.verdict:
            case Verdict.NOT_MET:
                following = Next.NOT_MET
            case Verdict.INCONCLUSIVE:
                following = Next.SEND_ANYWAY if order.asked else Next.ASK_AGAIN
            case _:
                following = Next.GENERATE
        hand.end(order, Decision(order, following, answer.reason + without))


def _keep_answers(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Keep what the endpoints of orders that are still ours said, for operators."""
    said = [{"seq": each.order.seq, "claim": each.order.claim, "answer": each.reason} for each in decisions]
    run(connection, _KEEP, said)
