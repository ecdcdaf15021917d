"""From events to deliveries: each new event is joined with the subscriptions that it matches, in its own transaction.

A subscription's filters stand in a table by what an event has: its resource, its subject or "" for any, its type, the
pattern or "" for any. So an event looks up a few keys, however many subscriptions there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Connection, Text, case, exists, func, literal, or_, select, update

from engine.alternative_subjects import normal
from engine.models import DeliveryState
from engine.rows import Rows, run
from engine.store import Now
from engine.tables import events, subscription_filters, subscriptions, webhooks

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from engine.models import CloudEvent

ANY = ""  # no event's key is empty

_PAIRS = Rows(resource=Text(), subject=Text())
_WATCHED = select(_PAIRS["resource"].label("resource"), _PAIRS["subject"].label("subject")).where(
    exists().where(
        subscription_filters.c.resource == _PAIRS["resource"], subscription_filters.c.subject == _PAIRS["subject"]
    )
)
_KEYS = Rows(event_seq=BigInteger(), resource=Text(), subject=Text(), type=Text())
_SOURCE = select(events.c.source + "/").where(events.c.seq == _KEYS["event_seq"]).scalar_subquery()
_MATCHED = (
    select(
        subscription_filters.c.subscription_seq,
        _KEYS["event_seq"].label("event_seq"),
        literal(DeliveryState.WAITING, Text).label("state"),
        Now().label("due_at"),
        literal(0).label("attempts"),
        Now().label("created"),
        Now().label("last_update"),
    )
    .distinct()
    .join_from(subscription_filters, subscriptions)
    .where(
        subscription_filters.c.resource == _KEYS["resource"],
        subscription_filters.c.subject == _KEYS["subject"],
        subscription_filters.c.type == _KEYS["type"],
        subscriptions.c.validated,
        or_(
            subscriptions.c.source_start.is_(None),
            func.substr(_SOURCE, 1, func.length(subscriptions.c.source_start)) == subscriptions.c.source_start,
        ),
    )
    .order_by("event_seq")
)
_INSERT = (
    webhooks.insert()
    .from_select(["subscription_seq", "event_seq", "state", "due_at", "attempts", "created", "last_update"], _MATCHED)
    .returning(webhooks.c.subscription_seq)
)


def fan_out(connection: Connection, fresh: Sequence[tuple[int, CloudEvent]]) -> int:
    """Queue new events (with their numbers) for every subscription that they match; returns how many deliveries."""
    pairs = {(event.resource, subject) for _, event in fresh for subject in subject_keys(event)}
    asked = ({"resource": resource, "subject": subject} for resource, subject in pairs)
    watched = {(row.resource, row.subject) for row in run(connection, _WATCHED, asked)}
    matched = run(
        connection,
        _INSERT,
        (
            {"event_seq": seq, "resource": event.resource, "subject": subject, "type": type_}
            for seq, event in fresh
            for subject in subject_keys(event)
            if (event.resource, subject) in watched
            for type_ in type_keys(event.type)
        ),
    )
    wake(connection, {row.subscription_seq for row in matched})
    return len(matched)


def wake(connection: Connection, subscription_seqs: Collection[int]) -> None:
    """Make subscriptions that have something to deliver due: now, or when their circuit closes.

    Their rows are locked, so that a worker that is about to let go of one looks once more before it does.
    """
    if not subscription_seqs:
        return
    chosen = subscriptions.c.seq.in_(subscription_seqs)
    connection.execute(lock(subscription_seqs))
    now = Now()
    soonest = case((subscriptions.c.open_until > now, subscriptions.c.open_until), else_=now)
    idle = (subscriptions.c.unresolved == 0, subscriptions.c.paused.is_(None))
    later = or_(subscriptions.c.due_at.is_(None), subscriptions.c.due_at > now)
    connection.execute(update(subscriptions).where(chosen, *idle, later).values(due_at=soonest))


def lock(subscription_seqs: Collection[int]) -> Any:
    """The statement that locks subscriptions, always in the same order, and reads them.

    Whoever changes deliveries locks their subscriptions first: so do those who push, and nobody waits in a circle.
    """
    chosen = select(subscriptions).where(subscriptions.c.seq.in_(subscription_seqs))
    return chosen.order_by(subscriptions.c.seq).with_for_update(key_share=True)


def subject_keys(event: CloudEvent) -> Iterator[str]:
    """Under which subjects a filter finds the event."""
    yield ANY
    if event.subject:
        yield subject_key(event.subject)
    if event.alternative_subject:
        yield alternative_key(event.alternative_subject)


def type_keys(type_: str) -> Iterator[str]:
    """Under which types a filter finds the event: its own, and every pattern that it fits."""
    yield ANY
    yield type_
    yield from (f"{type_[: place + 1]}*" for place, character in enumerate(type_) if character == ".")


def subject_key(subject: str) -> str:
    """A subject filter as a key."""
    return f"s{subject}"


def alternative_key(subject: str) -> str:
    """An alternative subject filter as a key."""
    return f"a{normal(subject)}"
