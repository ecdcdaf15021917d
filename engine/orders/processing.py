"""From a due order to its e-mails: the send condition is asked, contacts are looked up, keywords filled in."""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Connection, Row, Text, Uuid, func, or_, select

from engine.db.rows import Rows, run
from engine.db.store import Now
from engine.db.tables import MILLISECOND, Instant, emails, orders
from engine.errors import Unavailable
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import OrderState
from engine.observability import logs, tracing
from engine.observability.audit import ITSELF, note
from engine.orders.conditions import Verdict, ask
from engine.orders.generation import failed, generated, number
from engine.queue import due
from engine.queue.leases import Leases
from engine.queue.pauses import in_force
from engine.text.keywords import NAME, NUMBER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from engine.db.store import Store
    from engine.models import CloudEvent
    from engine.orders.contacts import Directory
    from engine.outbound import Outbound

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


class Processor:
    """Turns due orders into e-mails. One per worker process."""

    def __init__(self, store: Store, directory: Directory, outbound: Outbound, lease: timedelta) -> None:
        self._store = store
        self._directory = directory
        self._outbound = outbound
        self._lease = lease

    async def batch(self) -> int:
        """Claim and process one batch of orders without a condition; returns how many it held (BATCH: maybe more).

        Those with one are claimed apart, by engine/orders/condition_checks.py.
        """
        found, claimed, sizes = await self._store.writing(_claim, self._lease)
        work, rest = due.isolate(claimed)
        if rest:
            await self._store.writing(due.hand_back, due.ORDERS, rest)
        dead = [order for order in work if order.unresolved > due.LOST_IS_DEAD]
        ready = [order for order in work if order not in dead]
        leases = Leases(self._store, due.ORDERS, self._lease)
        leases.take(work)
        async with leases.kept():
            if dead:
                await self.set_aside(dead[0])
            for chunk in _chunks(ready, sizes):
                with ExitStack() as steps:
                    for order in chunk:
                        steps.enter_context(_step(order))
                    await self._process(chunk)
                leases.let_go(chunk)
        return found

    async def set_aside(self, order: Row[Any]) -> None:
        """Settle an order that too many workers in a row have lost."""
        with logs.bound(lane="orders", order_id=order.id):
            log.error("order set aside: it was claimed %d times without an outcome", order.unresolved)
        await self._store.recording(_give_up, order, f"{due.LOST_IS_DEAD} workers ended while they held it")

    async def decide(self, order: Row[Any]) -> None:
        """Ask an order's condition and do what follows; a bug is an attempt here as well."""
        try:
            await self._decide(order)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 a bug may raise whatever it likes
            await self._fail(order, error)

    async def _process(self, chunk: Sequence[Row[Any]]) -> None:
        """Make the e-mails of orders; where a bug ends that, of each by itself, so that only the culprit fails."""
        try:
            await self._store.recording(self._generate, chunk)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 likewise
            if len(chunk) == 1:
                await self._fail(chunk[0], error)
                return
            for order in chunk:
                await self._process([order])

    async def _fail(self, order: Row[Any], error: Exception) -> None:
        """A bug is an attempt: the order is tried again as far as RETRIES goes, then set aside with the reason."""
        with logs.bound(lane="orders", order_id=order.id):
            asked = order.condition_endpoint is not None  # and may have counted an attempt
            cause = error if order.attempts <= asked else None  # further attempts are likely to fail likewise
            log.error("the order could not be processed: %s", type(error).__name__, exc_info=cause)
        await self._store.recording(_set_back, order, f"an error of Varsel's ({type(error).__name__})")

    async def _decide(self, order: Row[Any]) -> None:
        """The decision table (contract 6.7): a second inconclusive answer sends anyway, and leaves a trace."""
        with logs.bound(lane="orders", order_id=order.id), _step(order) as span:
            answer = await ask(self._outbound, order.condition_endpoint, order.creator)
            span.set(condition=answer.verdict)
            if answer.verdict is Verdict.NOT_MET:
                await self._store.recording(_settle, [(order, OrderState.SEND_CONDITION_NOT_MET, None)])
            elif answer.verdict is Verdict.INCONCLUSIVE and order.attempts == 0:
                await self._store.recording(_ask_again, order, answer.reason)
            elif answer.verdict is Verdict.INCONCLUSIVE:
                await self._store.recording(self._send_anyway, order, answer.reason)
            else:
                await self._store.recording(self._generate, [order])

    def _send_anyway(self, connection: Connection, order: Row[Any], reason: str) -> None:
        if self._generate(connection, [order]):
            _tell_of_condition(connection, order, reason, "sent anyway")

    def _generate(self, connection: Connection, claimed: Sequence[Row[Any]]) -> Collection[int]:
        """Insert the e-mails of orders that are still ours, and settle the orders; returns which (`seq`)."""
        keyed = _keyed().label("keyed")
        newest = select(orders.c.seq, orders.c.claim, orders.c.recipients, keyed, Now().label("now"))
        newest = newest.where(orders.c.seq.in_([order.seq for order in claimed]))
        ours = {(row.seq, row.claim): row for row in connection.execute(newest.with_for_update())}
        work = [(order, ours[order.seq, order.claim]) for order in claimed if (order.seq, order.claim) in ours]
        entries = {row.seq: json.loads(row.recipients) for _, row in work}
        known = self._directory.look_up(connection, {n for of in entries.values() for n in map(number, of) if n})
        settled, unsendable = [], []

        def made() -> Iterator[dict[str, Any]]:
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


def _keyed() -> ColumnElement[bool]:
    """Whether keywords may stand in the order's texts (SQLite does not tell upper case from lower)."""
    return or_(*(column.contains(word) for column in (orders.c.subject, orders.c.body) for word in (NAME, NUMBER)))


def _step(order: Row[Any]) -> tracing.Span:
    return tracing.span("process order", order.trace, order_id=order.id)


def admit(connection: Connection, claimed: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Those of the claimed orders that no pause stops; the others are held."""
    if not claimed:
        return ()
    paused = in_force(connection, lock=True)
    held = [order for order in claimed if paused.hold(order.creator)]
    if held:
        due.hold(connection, due.ORDERS, held)
    return [order for order in claimed if not paused.hold(order.creator)]


def _claim(connection: Connection, lease: timedelta) -> tuple[int, Sequence[Row[Any]], dict[int, int]]:
    """How many orders were due; those that may be processed; and the characters of each one's recipients."""
    claimed = due.claim(connection, due.ORDERS, BATCH, lease, orders.c.condition_endpoint.is_(None))
    free = admit(connection, claimed)
    measured = select(orders.c.seq, func.length(orders.c.recipients).label("size"))
    sizes = connection.execute(measured.where(orders.c.seq.in_([order.seq for order in free])))
    return len(claimed), free, {row.seq: row.size for row in sizes}


def _settle(
    connection: Connection,
    outcomes: Sequence[tuple[Row[Any], OrderState, timedelta | None]],
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


def _ask_again(connection: Connection, order: Row[Any], reason: str) -> None:
    if _settle(connection, [(order, OrderState.PROCESSING, CONDITION_RETRY)]):
        _tell_of_condition(connection, order, reason, f"asked again in {CONDITION_RETRY.seconds} s")


def _tell_of_condition(connection: Connection, order: Row[Any], reason: str, then: str) -> None:
    note(connection, ITSELF, "condition-failed", f"orders/{order.id}", {"reason": reason, "then": then})


def _set_back(connection: Connection, order: Row[Any], reason: str) -> None:
    """Count an attempt that a bug has ended; after the last one the order is set aside, with the reason."""
    if order.attempts >= len(RETRIES):
        _give_up(connection, order, reason)
        return
    run(connection, _SETTLE, [_ending(order, OrderState.PROCESSING, RETRIES[order.attempts])])


def _give_up(connection: Connection, order: Row[Any], reason: str) -> None:
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


def _ending(order: Row[Any], state: OrderState, delay: timedelta | None) -> dict[str, Any]:
    """An attempt at an order, for the statement that ends claims."""
    wait = None if delay is None else delay // MILLISECOND
    return {"seq": order.seq, "claim": order.claim, "state": state, "attempts": order.attempts + 1, "delay": wait}


def _chunks(claimed: Sequence[Row[Any]], sizes: Mapping[int, int]) -> Iterator[list[Row[Any]]]:
    """Split a batch so that other writers wait for no more than RECIPIENTS_AT_ONCE or, where that is more, one order.

    In that much JSON stand 10,000 common recipients, and never 20,000.
    """
    chunk: list[Row[Any]] = []
    room = RECIPIENTS_AT_ONCE
    for order in claimed:
        if chunk and sizes[order.seq] > room:
            yield chunk
            chunk, room = [], RECIPIENTS_AT_ONCE
        chunk.append(order)
        room -= sizes[order.seq]
    if chunk:
        yield chunk
