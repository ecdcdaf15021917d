"""Subscriptions: made, listed, paused, resumed, given a new secret, removed; and what was pushed to them.

Only its consumer may use a subscription: NotFound when there is none, Forbidden when it is another's (events contract
3.8).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, case, delete, func, select, update

from engine.db.bounded import read_within
from engine.db.dialects import Now, after, insert_new
from engine.db.frequent import Alike, in_index_order
from engine.db.records import columns, first, read
from engine.db.tables import deliveries, delivery_attempts, events, subscription_filters, subscriptions
from engine.errors import Conflict, Forbidden, NotFound
from engine.events.fan_out import ANY, alternative_key, lock, subject_key, wake
from engine.models import GONE, DeliveryState, SubscriptionState
from engine.observability.audit import note_consumer
from engine.subscriptions.shown import KeptSubscription, PushAttempt, PushedDelivery
from engine.subscriptions.signing import new_salt
from engine.text.language import N_

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from engine.models import Caller
    from engine.subscriptions.spec import SubscriptionSpec

OVERLAP = timedelta(hours=24)  # after a secret is replaced, both sign for so long
LOCK = 0x737562  # "sub": keeps the locks on consumers apart from other locks
AT_ONCE = 500  # deliveries that one transaction inserts or removes, since other writers wait for it
KEPT = subscriptions.c.removed.is_(None)
_SUBSCRIPTIONS = select(*columns(KeptSubscription, subscriptions.c))
_PUSHED = select(
    *columns(PushedDelivery, deliveries.c, {"event_id": events.c.id.label("event_id")}, events.c)
).select_from(deliveries.outerjoin(events))
_ATTEMPTS = select(*columns(PushAttempt, delivery_attempts.c))
MOST_DELIVERIES = 1_000  # of one page
SHOWN_ATTEMPTS = 20  # of one delivery
LARGEST_PAGE = 1_000_000  # characters of deliveries' names, and of their attempts; one delivery has fewer
ATTEMPT = 200  # characters that an attempt counts for, in addition to its reply


def subscribe(
    connection: Connection, caller: Caller, spec: SubscriptionSpec, most: int
) -> tuple[KeptSubscription, bool]:
    """The subscription that is asked for, and whether it is new; its endpoint is validated, again if it is not new.

    Conflict when it is new and the consumer has `most` already.
    """
    identity = caller.identity or ""
    fingerprint = spec.fingerprint(identity)
    is_mail = spec.template is not None
    made = insert_new(connection.dialect.name, subscriptions).values(
        consumer=identity,
        creator=caller.creator if is_mail else None,
        created=Now(),
        fingerprint=fingerprint,
        endpoint=spec.endpoint,
        template=spec.template,
        resource_filter=spec.resource_filter,
        source_filter=spec.source_filter,
        source_prefix=spec.source_prefix,
        subject_filter=spec.subject_filter,
        alternative_subject_filter=spec.alternative_subject_filter,
        party=caller.party,
        type_filter=None if spec.type_as_given is None else json.dumps(spec.type_as_given, ensure_ascii=False),
        source_start=spec.source_start,
        ordered=spec.ordered,
        validated=is_mail,  # a caller that may order e-mails need not prove that the address wants them
        salt=new_salt(),
        state=SubscriptionState.WAITING,
    )
    fresh = connection.execute(made.returning(subscriptions.c.seq)).one_or_none()
    [row] = read(KeptSubscription, connection.execute(_SUBSCRIPTIONS.where(subscriptions.c.fingerprint == fingerprint)))
    if fresh:
        _bound(connection, identity, most)
        keys = {"resource": spec.resource_filter, "subject": _subject_key(spec), "subscription_seq": row.seq}
        types = spec.types or (ANY,)
        connection.execute(subscription_filters.insert(), [keys | {"type": type_} for type_ in dict.fromkeys(types)])
        note_consumer(connection, caller.name, "subscribe", f"subscriptions/{row.seq}")
    else:
        row = _again(connection, caller, row)
    if not is_mail:
        _validate(connection, row)
    return row, fresh is not None


def _again(connection: Connection, caller: Caller, row: KeptSubscription) -> KeptSubscription:
    """A subscription that its consumer asks for once more; if its endpoint had answered 410 Gone, it is resumed."""
    if caller.party is not None:
        connection.execute(update(subscriptions).where(subscriptions.c.seq == row.seq).values(party=caller.party))
    if row.paused_reason == GONE:
        return resume(connection, caller, row.seq)
    return find(connection, caller.identity, row.seq)


def find(connection: Connection, identity: str | None, seq: int) -> KeptSubscription:
    """One subscription of the caller."""
    row = first(KeptSubscription, connection.execute(_SUBSCRIPTIONS.where(subscriptions.c.seq == seq, KEPT)))
    if row is None:
        raise NotFound(f"There is no subscription {seq}.")
    if row.consumer != identity:
        raise Forbidden(f"subscription {seq} is another consumer's")
    return row


def find_all(connection: Connection, identity: str | None) -> Sequence[KeptSubscription]:
    """All subscriptions of the caller, the oldest first."""
    mine = _SUBSCRIPTIONS.where(subscriptions.c.consumer == (identity or ""), KEPT)
    return read(KeptSubscription, connection.execute(mine.order_by(subscriptions.c.seq)))


def remove(connection: Connection, caller: Caller, seq: int) -> None:
    """Remove a subscription with all its deliveries.

    If they are many, they are removed in steps (engine/db/retention.py); until then, nobody sees the subscription, and
    nothing is pushed to it.
    """
    find(connection, caller.identity, seq)
    connection.execute(lock({seq}))
    mine = in_index_order(select(deliveries.c.seq), deliveries.c.subscription_seq, seq)
    connection.execute(delete(deliveries).where(deliveries.c.seq.in_(mine.limit(AT_ONCE))))
    if connection.execute(mine.limit(1)).first():
        stop(connection, seq, N_("Removed by its consumer."))
        connection.execute(delete(subscription_filters).where(subscription_filters.c.subscription_seq == seq))
        hidden = {"removed": Now(), "fingerprint": f"removed {seq}"}  # the same can be subscribed to again
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(hidden))
    else:
        connection.execute(delete(subscriptions).where(subscriptions.c.seq == seq))
    note_consumer(connection, caller.name, "unsubscribe", f"subscriptions/{seq}")


def pause(connection: Connection, caller: Caller, seq: int) -> KeptSubscription:
    """Push nothing more; events that match meanwhile wait."""
    find(connection, caller.identity, seq)
    stop(connection, seq, N_("Paused by its consumer."))
    note_consumer(connection, caller.name, "pause", f"subscriptions/{seq}")
    return find(connection, caller.identity, seq)


def resume(connection: Connection, caller: Caller, seq: int) -> KeptSubscription:
    """Push what waits, and go on; a circuit that is open closes."""
    find(connection, caller.identity, seq)
    go_on(connection, seq)
    note_consumer(connection, caller.name, "resume", f"subscriptions/{seq}")
    return find(connection, caller.identity, seq)


def stop(connection: Connection, seq: int, reason: str, until: datetime | None = None) -> None:
    """Push nothing more to a subscription, whoever asks for it; `until`: when the pause ends by itself."""
    # The due time of a claimed row stays: if its worker dies, another must look when the lease ends.
    lease_end = case((subscriptions.c.unresolved > 0, subscriptions.c.due_at))
    paused = {"paused_reason": reason, "paused_at": Now(), "paused_until": until, "due_at": lease_end}
    connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(paused))


def go_on(connection: Connection, seq: int) -> None:
    """Push what waits, whoever asks for it."""
    chosen = update(subscriptions).where(subscriptions.c.seq == seq)
    going = {"paused_reason": None, "paused_at": None, "paused_until": None, "open_until": None, "failures": 0}
    connection.execute(chosen.values(going))
    wake(connection, {seq})


def rotate(connection: Connection, caller: Caller, seq: int) -> tuple[str, datetime]:
    """Give it a new secret; returns its salt, and until when the old secret signs, too (OVERLAP)."""
    row = find(connection, caller.identity, seq)
    chosen = update(subscriptions).where(subscriptions.c.seq == seq)
    changed = chosen.values(salt=new_salt(), old_salt=row.salt, old_salt_until=after(OVERLAP))
    salt, until = connection.execute(changed.returning(subscriptions.c.salt, subscriptions.c.old_salt_until)).one()
    note_consumer(connection, caller.name, "rotate-secret", f"subscriptions/{seq}")
    return salt, until


def pushed(  # noqa: PLR0913 a page has many parameters
    connection: Connection, identity: str | None, seq: int, *, state: DeliveryState | None, after_id: int, size: int
) -> tuple[Sequence[tuple[PushedDelivery, Sequence[PushAttempt]]], bool]:
    """Deliveries, the newest first, each with its newest attempts, and whether there may be more.

    `after_id` 0: from the newest. A page ends after `size` deliveries, or before the one that makes it too large.
    """
    find(connection, identity, seq)
    chosen = _PUSHED if state is None else _PUSHED.where(deliveries.c.state == state)
    its = Alike(deliveries.c.subscription_seq, seq, deliveries.c.seq)
    which, order = its.stretch(connection, behind=after_id or None, newest_first=True)
    chosen = chosen.where(*which).order_by(*order).limit(size)
    found, whole = read_within(
        connection, chosen, LARGEST_PAGE, lambda row: _length(row.event_id, row.source, row.type)
    )
    rows = read(PushedDelivery, found)
    more = len(rows) == size or not whole
    made, whole = _attempts(connection, [row.seq for row in rows])
    if not whole:
        cut, more = made[-1].delivery_seq, True
        rows = [row for row in rows if row.seq > cut]
    attempts: dict[int, list[PushAttempt]] = {}
    for attempt in made:
        attempts.setdefault(attempt.delivery_seq, []).append(attempt)
    return [(row, attempts.get(row.seq, [])) for row in rows], more


def _attempts(connection: Connection, seqs: Sequence[int]) -> tuple[Sequence[PushAttempt], bool]:
    """The newest attempts of deliveries, those of the newest delivery first, up to a page; and whether these are all.

    They are sorted without their replies, which are then read a few at a time: sorting replies would read them all.
    """
    log = delivery_attempts.c
    place = func.row_number().over(partition_by=log.delivery_seq, order_by=log.seq.desc()).label("place")
    newest = select(log.delivery_seq, log.seq, place).where(log.delivery_seq.in_(seqs)).subquery().c
    shown = select(newest.seq).where(newest.place <= SHOWN_ATTEMPTS).order_by(newest.delivery_seq.desc(), newest.seq)
    seqs = connection.scalars(shown).all()
    found: list[PushAttempt] = []
    room = LARGEST_PAGE
    for start in range(0, len(seqs), SHOWN_ATTEMPTS):
        if room <= 0:
            return found, False
        some = read(PushAttempt, connection.execute(_ATTEMPTS.where(log.seq.in_(seqs[start : start + SHOWN_ATTEMPTS]))))
        found += sorted(some, key=lambda attempt: (-attempt.delivery_seq, attempt.seq))
        room -= sum(ATTEMPT + len(attempt.reply) for attempt in found[start:])
    return found, True


def _length(*texts: str | None) -> int:
    return sum(len(text or "") for text in texts)


def retry(connection: Connection, caller: Caller, seq: int, delivery: int) -> None:
    """Attempt a delivery again from the beginning of its schedule; Conflict when it was delivered."""
    find(connection, caller.identity, seq)
    connection.execute(lock({seq}))
    mine = (deliveries.c.seq == delivery, deliveries.c.subscription_seq == seq)
    row = connection.execute(select(deliveries.c.state).where(*mine)).one_or_none()
    if row is None:
        raise NotFound(f"Subscription {seq} has no delivery {delivery}.")
    if row.state == DeliveryState.DELIVERED:
        raise Conflict("The delivery was accepted by its endpoint; to push its event again, use replay.")
    again = {"state": DeliveryState.WAITING, "due_at": Now(), "attempts": 0, "last_update": Now()}
    connection.execute(update(deliveries).where(*mine).values(again))
    wake(connection, {seq})
    note_consumer(connection, caller.name, "retry", f"subscriptions/{seq}/deliveries/{delivery}")


def _bound(connection: Connection, identity: str, most: int) -> None:
    """Conflict when the consumer has more than `most`, the new one included."""
    if connection.dialect.name == "postgresql":  # two at once would not see each other; SQLite has one writer
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(identity, LOCK))))
    mine = select(func.count()).select_from(subscriptions).where(subscriptions.c.consumer == identity, KEPT)
    if connection.execute(mine).scalar_one() > most:
        raise Conflict(
            f"{identity} has {most} subscriptions, the most that one consumer can have: delete one that is not needed "
            "any more, or let one of them cover several types."
        )


def _subject_key(spec: SubscriptionSpec) -> str:
    if spec.subject_filter is not None:
        return subject_key(spec.subject_filter)
    if spec.alternative_subject_filter is not None:
        return alternative_key(spec.alternative_subject_filter)
    return ANY


def _validate(connection: Connection, subscription: KeptSubscription) -> None:
    """Queue the validation event; if it waits already, its next attempt is now."""
    connection.execute(lock({subscription.seq}))
    mine = (deliveries.c.subscription_seq == subscription.seq, deliveries.c.event_seq.is_(None))
    again = {"due_at": Now(), "attempts": 0, "last_update": Now()}
    waiting = (
        update(deliveries).where(*mine, deliveries.c.due_at.is_not(None)).values(again).returning(deliveries.c.seq)
    )
    if connection.execute(waiting).first() is None:
        made = {"subscription_seq": subscription.seq, "state": DeliveryState.WAITING, "created": Now()}
        connection.execute(deliveries.insert().values(made | again))
    wake(connection, {subscription.seq})
