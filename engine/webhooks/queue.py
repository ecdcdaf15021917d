"""What the database knows of deliveries: what is due, and what became of it.

A subscription is the work that a worker claims (the lane `webhooks`): its holder alone pushes to it, so its circuit,
its order and the number of calls at once are the holder's affair, and a dead subscriber's backlog costs others
nothing. Its `due_at` follows from its deliveries: the earliest of theirs, and not before its circuit closes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    SmallInteger,
    Text,
    case,
    func,
    literal,
    or_,
    select,
    update,
)

from engine.db.bounded import read_within, weight
from engine.db.dialects import Now, after
from engine.db.records import Delivery, Subscription, columns, read
from engine.db.rows import Rows, run
from engine.db.tables import MILLISECOND, Instant, deliveries, delivery_attempts, events, milliseconds, subscriptions
from engine.events.fan_out import lock
from engine.models import GONE, DeliveryState, SubscriptionState
from engine.observability.audit import ITSELF, note
from engine.orders import new_order
from engine.queue.due import LOST_IS_DEAD, WEBHOOKS, claim_fairly, is_lost
from engine.webhooks.schedule import LIFETIME, OPENS_AFTER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Select

    from engine.orders.new_order import OrderRow
    from engine.runtime.shares import Shares

FETCH = 100  # deliveries of one subscription that are in memory at most

_OUTCOMES = Rows(seq=BigInteger(), known=SmallInteger(), state=Text(), attempts=SmallInteger(), delay=BigInteger())
_RECORD = (
    update(deliveries)
    .where(
        deliveries.c.seq == _OUTCOMES["seq"],
        deliveries.c.due_at.is_not(None),
        deliveries.c.attempts <= _OUTCOMES["known"],  # else this is written already, and the answer to that was lost
    )
    .values(
        state=_OUTCOMES["state"],
        attempts=_OUTCOMES["attempts"],
        due_at=after(_OUTCOMES["delay"]),
        last_update=Now(),
    )
    .returning(deliveries.c.seq)
)
_LOG = Rows(
    delivery_seq=BigInteger(), duration_ms=Integer(), outcome=Text(), status=SmallInteger(), reply=Text()
).insert_into(delivery_attempts, at=Now())
_RELEASED = Rows(seq=BigInteger(), failures=SmallInteger(), open_for=BigInteger(), error=Text(), next_due=Instant())
_OPEN_UNTIL = after(_RELEASED["open_for"])
_RELEASE = (
    update(subscriptions)
    .where(subscriptions.c.seq == _RELEASED["seq"])
    .values(
        state=SubscriptionState.WAITING,
        claim=subscriptions.c.claim + 1,
        unresolved=0,
        failures=_RELEASED["failures"],
        open_until=_OPEN_UNTIL,
        last_error=_RELEASED["error"],
        due_at=case(
            (or_(subscriptions.c.paused_reason.is_not(None), _RELEASED["next_due"].is_(None)), None),
            (_RELEASED["next_due"] < _OPEN_UNTIL, _OPEN_UNTIL),
            else_=_RELEASED["next_due"],
        ),
    )
    .returning(subscriptions.c.seq, (subscriptions.c.due_at <= Now()).label("due"))
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one attempt: the delivery's next state and due time, and the line for its log."""

    delivery: Delivery
    state: DeliveryState
    delay: timedelta | None  # until the next attempt; None: settled
    reached: bool  # whether the attempt counts
    outcome: str
    status: int | None
    reply: str
    duration: timedelta
    gone: bool = False  # 410: the subscriber wants no more
    hold: timedelta | None = None  # the subscriber asks to be left alone for so long (Retry-After)
    ours: bool = False  # what went wrong is an error of this installation's: nothing is held against the subscriber
    order: OrderRow | None = None  # to be stored with the outcome
    claim: int = 0  # by which its subscription is leased


@dataclass(frozen=True, slots=True)
class Release:
    """How a leased subscription is let go."""

    subscription: Subscription
    failures: int
    open_for: timedelta | None
    error: str | None


def claim(
    connection: Connection, places: Mapping[bool, Shares], lease: timedelta
) -> tuple[Sequence[Subscription], bool]:
    """Take what is due, as far as its consumers have places; and whether more is due.

    `places` by whether a subscription is validated: those that are come first, and the others never take theirs. What
    too many workers in a row have lost is paused: it may be what ends its workers.
    """
    claimed: list[Subscription] = []
    more = False
    for validated in (True, False):
        kind = subscriptions.c.validated if validated else ~subscriptions.c.validated
        taken, left = claim_fairly(connection, WEBHOOKS, subscriptions.c.consumer, places[validated], lease, kind)
        claimed += taken
        more |= left
    if lost := [row.seq for row in claimed if is_lost(row)]:
        reason = f"Set aside: {LOST_IS_DEAD} workers ended while they worked on it; resume it when the cause is gone."
        _pause(connection, set(lost), reason)
    return claimed, more


def still_ours(connection: Connection, claimed: Sequence[Subscription]) -> dict[int, Subscription]:
    """Those of the claimed subscriptions that are there and still ours, as they are now."""
    claims = {(row.seq, row.claim) for row in claimed}
    seqs = [seq for seq, _ in claims]
    chosen = select(*columns(Subscription, subscriptions.c)).where(subscriptions.c.seq.in_(seqs))
    now = read(Subscription, connection.execute(chosen))
    return {row.seq: row for row in now if (row.seq, row.claim) in claims}


def fetch(
    connection: Connection, subscription: Subscription, known: Collection[int], room: int
) -> tuple[Sequence[Delivery], bool]:
    """What may be attempted now and is not `known`, the oldest first; and whether that is all.

    Deliveries with their events: FETCH with those that are known, and not many more than `room` bytes.
    """
    chosen = (
        select(*columns(Delivery, deliveries.c, events.c))
        .select_from(deliveries.outerjoin(events))
        .where(deliveries.c.subscription_seq == subscription.seq, deliveries.c.due_at <= Now())
        .where(deliveries.c.seq.not_in(known))
        .order_by(deliveries.c.due_at, deliveries.c.seq)
    )
    if subscription.ordered:
        chosen = chosen.where(deliveries.c.seq.in_(_heads(subscription.seq)))
    most = FETCH - len(known)
    if most <= 0 or room <= 0:
        return (), False
    found, whole = read_within(connection, chosen.limit(most), room, lambda row: weight(row.text))
    return read(Delivery, found), whole and len(found) < most


def size(delivery: Delivery) -> int:
    """The bytes that a delivery takes up while it is in a worker's hands."""
    return weight(delivery.text)


def settle(connection: Connection, results: Sequence[Result], releases: Sequence[Release]) -> bool:
    """Write a group of outcomes and let subscriptions go; returns whether one of those is due again already.

    What another worker has taken over is left to that.
    """
    claims = {result.delivery.subscription_seq: result.claim for result in results}
    claims |= {release.subscription.seq: release.subscription.claim for release in releases}
    locked = {row.seq: row for row in connection.execute(lock(claims.keys()))}
    ours = {seq for seq, claim in claims.items() if seq in locked and locked[seq].claim == claim}
    results = [result for result in results if result.delivery.subscription_seq in ours]
    if results:
        _record(connection, results)
    rows = [_release_row(connection, release) for release in releases if release.subscription.seq in ours]
    return any(row.due for row in run(connection, _RELEASE, rows))


def next_due(connection: Connection, subscription: Subscription) -> datetime | None:
    """When the subscription's next delivery is due; None when nothing waits."""
    soonest = select(func.min(deliveries.c.due_at)).where(deliveries.c.subscription_seq == subscription.seq)
    if subscription.ordered:
        soonest = soonest.where(deliveries.c.seq.in_(_heads(subscription.seq)))
    found: datetime | None = connection.scalar(soonest)
    return found


def _heads(subscription_seq: int) -> Select[int]:
    """Of each subject, the first delivery that is not settled: the others wait for it."""
    return (
        select(func.min(deliveries.c.seq))
        .select_from(deliveries.outerjoin(events))
        .where(deliveries.c.subscription_seq == subscription_seq, deliveries.c.due_at.is_not(None))
        .group_by(events.c.subject)
    )


def _record(connection: Connection, results: Sequence[Result]) -> None:
    recorded = run(
        connection,
        _RECORD,
        [
            {
                "seq": result.delivery.seq,
                "known": result.delivery.attempts,
                "state": result.state,
                "attempts": result.delivery.attempts + result.reached,
                "delay": None if result.delay is None else result.delay // MILLISECOND,
            }
            for result in results
        ],
    )
    there = {row.seq for row in recorded}  # a removal takes deliveries before their subscription
    results = [result for result in results if result.delivery.seq in there]
    run(connection, _LOG, [_log_line(result) for result in results])
    orders = [result.order for result in results if result.order]
    if orders:
        new_order.insert(connection, orders)
    validated = {
        result.delivery.subscription_seq
        for result in results
        if result.delivery.event_seq is None and result.state is DeliveryState.DELIVERED
    }
    if validated:
        connection.execute(update(subscriptions).where(subscriptions.c.seq.in_(validated)).values(validated=True))
    gone = {result.delivery.subscription_seq for result in results if result.gone}
    if gone:
        _pause(connection, gone, GONE)


def _pause(connection: Connection, seqs: set[int], reason: str) -> None:
    """Varsel itself pauses subscriptions; their histories say why."""
    connection.execute(update(subscriptions).where(subscriptions.c.seq.in_(seqs)).values(paused_reason=reason))
    for seq in sorted(seqs):
        note(connection, ITSELF, "pause", f"subscriptions/{seq}", {"reason": reason})


def _release_row(connection: Connection, release: Release) -> Mapping[str, object]:
    if release.failures >= OPENS_AFTER:
        _expire(connection, release.subscription.seq)
    due_at = next_due(connection, release.subscription)
    return {
        "seq": release.subscription.seq,
        "failures": release.failures,
        "open_for": None if release.open_for is None else release.open_for // MILLISECOND,
        "error": release.error,
        "next_due": None if due_at is None else milliseconds(due_at),
    }


def _expire(connection: Connection, subscription_seq: int) -> None:
    """Give up what a failing subscriber has not taken for so long; one statement tells why, the other does it."""
    old = (
        deliveries.c.subscription_seq == subscription_seq,
        deliveries.c.due_at.is_not(None),
        deliveries.c.created < after(-LIFETIME),
    )
    text = f"not delivered within {LIFETIME // timedelta(hours=1)} hours: the endpoint kept failing"
    lines = select(deliveries.c.seq, Now(), literal(0), literal("expired"), literal(text)).where(*old)
    names = ["delivery_seq", "at", "duration_ms", "outcome", "reply"]
    connection.execute(delivery_attempts.insert().from_select(names, lines))
    connection.execute(update(deliveries).where(*old).values(state=DeliveryState.DEAD, due_at=None, last_update=Now()))


def _log_line(result: Result) -> Mapping[str, object]:
    return {
        "delivery_seq": result.delivery.seq,
        "duration_ms": result.duration // MILLISECOND,
        "outcome": result.outcome,
        "status": result.status,
        "reply": result.reply,
    }
