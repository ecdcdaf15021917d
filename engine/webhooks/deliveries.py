"""Deliveries that wait: whose turn it is, what is due, what a worker may take along.

A worker claims a subscription (the lane `webhooks`). It alone pushes to that subscription, so it alone decides on the
circuit, the order and the number of calls at once, and the backlog of a dead subscriber costs others nothing. The
`due_at` of a subscription follows from its deliveries: it is the earliest of theirs, but not before its circuit closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, update

from engine.db.bounded import read_within, weight
from engine.db.dialects import Now
from engine.db.records import Delivery, Subscription, columns, read
from engine.db.tables import deliveries, events, subscriptions
from engine.observability.audit import ITSELF, note
from engine.queue.due import LOST_IS_DEAD, WEBHOOKS, claim_fairly, is_lost

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime, timedelta

    from sqlalchemy import Select

    from engine.runtime.shares import Shares

FETCH = 100  # deliveries of one subscription that are in memory at most
# A validation event is not stored: its row has no texts.
_TEXTS = {name: func.coalesce(events.c[name], "").label(name) for name in ("id", "source", "resource", "text")}


def claim(
    connection: Connection, places: Mapping[bool, Shares], lease: timedelta
) -> tuple[Sequence[Subscription], bool]:
    """Claim due subscriptions whose consumers have free places; and whether more are due.

    `places` has two kinds: for validated subscriptions, which are claimed first, and for the others. A subscription
    that too many workers in a row have lost is paused, because it may be what ends its workers.
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
        pause(connection, set(lost), reason)
    return claimed, more


def still_ours(connection: Connection, claimed: Sequence[Subscription]) -> dict[int, Subscription]:
    """The claimed subscriptions whose claim is still the newest, as they are now."""
    claims = {(row.seq, row.claim) for row in claimed}
    seqs = [seq for seq, _ in claims]
    chosen = select(*columns(Subscription, subscriptions.c)).where(subscriptions.c.seq.in_(seqs))
    now = read(Subscription, connection.execute(chosen))
    return {row.seq: row for row in now if (row.seq, row.claim) in claims}


def fetch(
    connection: Connection, subscription: Subscription, known: Collection[int], room: int
) -> tuple[Sequence[Delivery], bool]:
    """Deliveries that may be attempted now and are not `known`, oldest first; and whether these are all.

    Each comes with its event. There are at most FETCH including the known ones, and little more than `room` bytes. A
    test comes first and alone: the one call to an endpoint that fails is the test. Of a paused subscription, there is
    nothing else.
    """
    chosen = (
        select(*columns(Delivery, _TEXTS, deliveries.c, events.c))
        .select_from(deliveries.outerjoin(events))
        .where(deliveries.c.subscription_seq == subscription.seq, deliveries.c.due_at <= Now())
        .where(deliveries.c.seq.not_in(known))
        .order_by(deliveries.c.due_at, deliveries.c.seq)
    )
    waits = deliveries.c.seq == subscription.test_seq
    if subscription.paused_reason is not None:
        chosen = chosen.where(waits)
    elif subscription.test_seq is not None and (test := read(Delivery, connection.execute(chosen.where(waits)))):
        return test, False
    elif subscription.ordered:
        chosen = chosen.where(deliveries.c.seq.in_(_heads(subscription.seq)))
    most = FETCH - len(known)
    if most <= 0 or room <= 0:
        return (), False
    found, whole = read_within(connection, chosen.limit(most), room, lambda row: weight(row.text))
    return read(Delivery, found), whole and len(found) < most


def size(delivery: Delivery) -> int:
    """The bytes of memory that a delivery needs while a worker has it."""
    return weight(delivery.text)


def next_due(connection: Connection, subscription: Subscription) -> datetime | None:
    """When the subscription's next delivery is due; None if none waits."""
    its = (deliveries.c.subscription_seq == subscription.seq, deliveries.c.due_at.is_not(None))
    soonest = select(func.min(deliveries.c.due_at)).where(*its)
    if subscription.ordered:
        soonest = soonest.where(deliveries.c.seq.in_(_heads(subscription.seq)))
    found: datetime | None = connection.scalar(soonest)
    return found


def tests(connection: Connection, seqs: Collection[int]) -> dict[int, datetime | None]:
    """Of these subscriptions, those that are paused: when the test of each is due; None: none waits."""
    chosen = select(subscriptions.c.seq, deliveries.c.due_at).where(
        subscriptions.c.seq.in_(seqs), subscriptions.c.paused_reason.is_not(None)
    )
    of_test = subscriptions.outerjoin(deliveries, deliveries.c.seq == subscriptions.c.test_seq)
    return {row.seq: row.due_at for row in connection.execute(chosen.select_from(of_test))}


def pause(connection: Connection, seqs: set[int], reason: str) -> None:
    """Pause subscriptions that are not paused, on behalf of Varsel itself; the audit log says why."""
    which = (subscriptions.c.seq.in_(seqs), subscriptions.c.paused_reason.is_(None))
    paused = update(subscriptions).where(*which).values(paused_reason=reason, paused_at=Now())
    for seq in sorted(connection.scalars(paused.returning(subscriptions.c.seq))):
        note(connection, ITSELF, "pause", f"subscriptions/{seq}", {"reason": reason})


def _heads(subscription_seq: int) -> Select[int]:
    """The first open delivery of each subject: the others wait for it."""
    return (
        select(func.min(deliveries.c.seq))
        .select_from(deliveries.outerjoin(events))
        .where(deliveries.c.subscription_seq == subscription_seq, deliveries.c.due_at.is_not(None))
        .group_by(events.c.subject)
    )
