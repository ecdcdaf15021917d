"""Due orders with a condition: their senders' endpoints are asked, at once as many as each creator's share allows.

The lane's other orders never wait for an endpoint: see engine/orders/processing.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Integer, Text, update

from engine.db.rows import Rows, run
from engine.db.tables import orders
from engine.orders.calls import Calls
from engine.orders.conditions import Verdict, ask
from engine.orders.credentials import Credentials
from engine.orders.outcomes import MADE, Decision, Next, begin_fetching
from engine.orders.processing import CONDITIONAL
from engine.runtime.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.observability.tracing import Span
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


class ConditionChecks(Calls):
    """Due orders with a condition. `fetching` is called when attachments of some are to be fetched."""

    def __init__(  # noqa: PLR0913, PLR0917 what it needs of the process
        self,
        directory: Directory,
        outbound: Outbound,
        generated: Callable[[], None] = lambda: None,
        credentials: Credentials | None = None,
        clock: Clock | None = None,
        fetching: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(directory, generated, CONDITIONAL, CHECKS)
        self._outbound = outbound
        self._credentials = credentials or Credentials()
        self._clock = clock or Clock()
        self._fetching = fetching

    def record(self, connection: Connection, decisions: Sequence[Decision]) -> bool:
        """Keep what the endpoints said, and do what follows."""
        _keep_answers(connection, [each for each in decisions if each.next in ANSWERED])
        begin_fetching(connection, [each for each in decisions if _fetches(each)])
        return super().record(connection, [each for each in decisions if not _fetches(each)])

    def recorded(self, decisions: Sequence[Decision]) -> None:
        """Tell what there is to do next."""
        super().recorded(decisions)
        if any(map(_fetches, decisions)):
            self._fetching()

    async def call(self, _hand: Hand[Order, Decision], order: Order, span: Span) -> Decision:
        """The decision table (contract 6.7): after a second inconclusive answer, the order is sent, and it is noted."""
        url = order.condition_endpoint or ""
        proof = self._credentials.headers(order.creator, url, order.id, int(self._clock.now().timestamp()))
        without = KEPT if self._credentials.keep_from(order.creator, url) else ""
        answer = await ask(self._outbound, url, order.creator, proof)
        span.set(condition=answer.verdict)
        match answer.verdict:
            case Verdict.NOT_MET:
                following = Next.NOT_MET
            case Verdict.INCONCLUSIVE:
                following = Next.SEND_ANYWAY if order.asked else Next.ASK_AGAIN
            case _:
                following = Next.GENERATE
        return Decision(order, following, answer.reason + without)


def _fetches(decision: Decision) -> bool:
    """Whether the order's attachments come next."""
    return decision.next in MADE and decision.order.attachments > 0


def _keep_answers(connection: Connection, decisions: Sequence[Decision]) -> None:
    """Keep what the endpoints of orders that are still ours said, for operators."""
    said = [{"seq": each.order.seq, "claim": each.order.claim, "answer": each.reason} for each in decisions]
    run(connection, _KEEP, said)
