"""Fan-out: each new event is joined with the subscriptions that it matches, in the transaction that stores it.

The table of filters has a key of resource, subject ("" for any) and type (or a pattern, or "" for any). So an event
looks up a few keys, however many subscriptions there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pydantic_core import to_json
from sqlalchemy import BigInteger, Connection, Integer, Text, bindparam, case, func, literal, or_, select, update

from engine.db.dialects import Now
from engine.db.rows import Rows, run
from engine.db.tables import deliveries, events, subscription_filters, subscriptions
from engine.events.alternative_subjects import normal
from engine.models import DeliveryState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sqlalchemy import Select

    from engine.models import CloudEvent

ANY = ""  # no event's key is empty
MOST_DOTS = 16  # of a pattern: an event is looked up under at most that many beginnings of its type

_PAIRS = Rows(resource=Text(), subject=Text())
_FILTERS = (
    select(func.count())
    .select_from(subscription_filters)
    .where(subscription_filters.c.resource == _PAIRS["resource"], subscription_filters.c.subject == _PAIRS["subject"])
    .scalar_subquery()
)
_WATCHED = select(_PAIRS["resource"].label("resource"), _PAIRS["subject"].label("subject"), _FILTERS.label("filters"))
_KEYS = Rows(event_seq=BigInteger(), resource=Text(), subject=Text(), type=Text())
_HAS_KEY = (
    subscription_filters.c.resource == _KEYS["resource"],
    subscription_filters.c.subject == _KEYS["subject"],
    subscription_filters.c.type == _KEYS["type"],
)
_COUNTED = (
    select(*(subscription_filters.c[name] for name in ("resource", "subject", "type")), func.count().label("filters"))
    .where(*_HAS_KEY)
    .group_by(*(subscription_filters.c[name] for name in ("resource", "subject", "type")))
)
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
        *_HAS_KEY,
        subscriptions.c.validated,
        or_(
            subscriptions.c.source_start.is_(None),
            func.substr(_SOURCE, 1, func.length(subscriptions.c.source_start)) == subscriptions.c.source_start,
        ),
    )
)
_COLUMNS = ["subscription_seq", "event_seq", "state", "due_at", "attempts", "created", "last_update"]
_INSERT = (
    deliveries.insert().from_select(_COLUMNS, _MATCHED.order_by("event_seq")).returning(deliveries.c.subscription_seq)
)
_BEYOND = subscription_filters.c.subscription_seq.between(
    bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)
)
_PART = (
    _MATCHED.where(_BEYOND).order_by(subscription_filters.c.subscription_seq).limit(bindparam("most", type_=Integer))
)
_INSERT_PART = deliveries.insert().from_select(_COLUMNS, _PART).returning(deliveries.c.subscription_seq)


@dataclass(frozen=True, slots=True)
class WaitingEvent:
    """An event that waits to be queued, and the newest subscription that gets it."""

    seq: int
    type: str
    subject: str | None
    resource: str
    alternative_subject: str | None
    newest: int


class Matched(Protocol):
    """The members of an event that filters look at."""

    @property
    def type(self) -> str: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def resource(self) -> str | None: ...
    @property
    def alternative_subject(self) -> str | None: ...


def watched(connection: Connection, events_: Iterable[CloudEvent]) -> dict[tuple[str, str], int]:
    """The events' pairs of resource and subject key for which there are filters, with the number of those filters."""
    given = {pair for event in events_ for pair in pairs(event)}
    asked = ({"resource": resource, "subject": subject} for resource, subject in given)
    return {(row.resource, row.subject): row.filters for row in run(connection, _WATCHED, asked) if row.filters}


def count_filters(connection: Connection, given: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    """Those of the given keys that have filters, with their number."""
    rows = run(connection, _COUNTED, (_as_row(key) for key in given))
    return {(row.resource, row.subject, row.type): row.filters for row in rows}


def fan_out(connection: Connection, fresh: Iterable[tuple[int, CloudEvent]], asked: Collection[tuple[str, str]]) -> int:
    """Queue new events (with their numbers) for every subscription that they match; returns the number of deliveries.

    `asked`: the pairs of resource and subject key for which there are filters.
    """
    matched = run(
        connection,
        _INSERT,
        ({"event_seq": seq, **_as_row(key)} for seq, event in fresh for key in keys(event, asked)),
    )
    wake(connection, {row.subscription_seq for row in matched})
    return len(matched)


def fan_out_part(connection: Connection, event: WaitingEvent, reached: int, most: int) -> list[int]:
    """Queue an event for the next `most` subscriptions that it matches, in the order of their numbers.

    Their numbers are above `reached` and at most `event.newest`; returns the numbers. It does not wake them.
    """
    rows = [{"event_seq": event.seq, **_as_row(key)} for key in keys(event)]
    part = {"rows": to_json(rows).decode(), "first": reached + 1, "last": event.newest, "most": most}
    return list(connection.scalars(_INSERT_PART, part))


def wake(connection: Connection, subscription_seqs: Collection[int]) -> None:
    """Make subscriptions that have something to deliver due: now, or when their circuit closes.

    Their rows are locked, so that a worker that is about to release one looks once more first.
    """
    if not subscription_seqs:
        return
    chosen = subscriptions.c.seq.in_(subscription_seqs)
    connection.execute(lock(subscription_seqs))
    now = Now()
    soonest = case((subscriptions.c.open_until > now, subscriptions.c.open_until), else_=now)
    idle = (subscriptions.c.unresolved == 0, subscriptions.c.paused_reason.is_(None))
    later = or_(subscriptions.c.due_at.is_(None), subscriptions.c.due_at > now)
    connection.execute(update(subscriptions).where(chosen, *idle, later).values(due_at=soonest))


def lock(subscription_seqs: Collection[int]) -> Select[int, int]:
    """The statement that locks subscriptions, always in the same order, and reads `seq` and `claim`.

    Every change of deliveries locks their subscriptions first, as pushing does, so that there is no deadlock.
    """
    chosen = select(subscriptions.c.seq, subscriptions.c.claim).where(subscriptions.c.seq.in_(subscription_seqs))
    return chosen.order_by(subscriptions.c.seq).with_for_update(key_share=True)


def pairs(event: Matched) -> Iterator[tuple[str, str]]:
    """The pairs that an event's keys begin with: its resource with each of its subject keys."""
    return ((event.resource or "", subject) for subject in subject_keys(event))


def keys(event: Matched, asked: Collection[tuple[str, str]] | None = None) -> Iterator[tuple[str, str, str]]:
    """The keys (resource, subject, type) of filters that the event can match; `asked`: only with these pairs."""
    found = (pair for pair in pairs(event) if asked is None or pair in asked)
    return ((*pair, type_) for pair in found for type_ in type_keys(event.type))


def subject_keys(event: Matched) -> Iterator[str]:
    """The subjects of filters that the event matches."""
    yield ANY
    if event.subject:
        yield subject_key(event.subject)
    if event.alternative_subject:
        yield alternative_key(event.alternative_subject)


def type_keys(type_: str) -> Iterator[str]:
    """The types of filters that the event matches: its own, and every pattern that it fits."""
    yield ANY
    yield type_
    place = -1
    for _ in range(MOST_DOTS):
        place = type_.find(".", place + 1)
        if place < 0:
            return
        yield f"{type_[: place + 1]}*"


def subject_key(subject: str) -> str:
    """A subject filter as a key."""
    return f"s{subject}"


def alternative_key(subject: str) -> str:
    """An alternative subject filter as a key."""
    return f"a{normal(subject)}"


def _as_row(key: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("resource", "subject", "type"), key, strict=True))
