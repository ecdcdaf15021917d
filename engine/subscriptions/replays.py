"""Replays: stored events that match a subscription are pushed to it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, exists, func, literal, or_, select

from engine.db.dialects import Now
from engine.db.tables import deliveries, events, subscription_filters
from engine.errors import BadRequest, Conflict
from engine.events.fan_out import ANY, wake
from engine.models import DeliveryState
from engine.observability.audit import note_consumer
from engine.subscriptions.registry import find

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Select

    from engine.models import Caller
    from engine.subscriptions.shown import KeptSubscription

MOST_REPLAYED = 10_000  # events of one replay


def replayed(  # noqa: PLR0913, PLR0917 a replay has many parameters
    connection: Connection, caller: Caller, seq: int, since: datetime, until: datetime, count: int | None
) -> list[int]:
    """The numbers of matching events that were stored in that time (both ends included), to be pushed again.

    Conflict when `count` is given and differs from their number, and while the endpoint is not validated; BadRequest
    for more than MOST_REPLAYED.
    """
    subscription = find(connection, caller.identity, seq)
    if not subscription.validated:
        raise Conflict("The endpoint is not validated: nothing but the validation event is pushed to it.")
    matching = _stored(subscription, since, until).order_by(events.c.seq).limit(MOST_REPLAYED + 1)
    found = list(connection.scalars(matching))
    if len(found) > MOST_REPLAYED:
        raise BadRequest(f"More than {MOST_REPLAYED} events match, the most of one replay; choose a shorter time.")
    if count is not None and len(found) != count:
        raise Conflict(f"{len(found)} events match by now, not {count}; ask for the count again.")
    return found


def note_replay(  # noqa: PLR0913, PLR0917 a replay has many parameters
    connection: Connection, caller: Caller, seq: int, since: datetime, until: datetime, count: int
) -> None:
    """Record in the audit log who pushes what again."""
    times = {"since": since.isoformat(), "until": until.isoformat(), "count": count}
    note_consumer(connection, caller.name, "replay", f"subscriptions/{seq}", times)


def push_again(connection: Connection, caller: Caller, seq: int, event_seqs: Sequence[int]) -> None:
    """Queue events for a subscription once more, at most AT_ONCE; those that are not stored any more are left out."""
    find(connection, caller.identity, seq)
    row = (literal(seq), events.c.seq, literal(DeliveryState.WAITING.value), Now(), literal(0), Now(), Now())
    names = ["subscription_seq", "event_seq", "state", "due_at", "attempts", "created", "last_update"]
    chosen = select(*row).where(events.c.seq.in_(event_seqs)).order_by(events.c.seq)
    connection.execute(deliveries.insert().from_select(names, chosen))
    wake(connection, {seq})


def _stored(subscription: KeptSubscription, since: datetime, until: datetime) -> Select[int]:
    """The numbers of stored events that match a subscription."""
    keys, types = subscription_filters.c, _patterns()
    subjects = or_(
        keys.subject == ANY,
        keys.subject == "s" + events.c.subject,
        keys.subject == "a" + events.c.alternative_subject,
    )
    chosen = select(events.c.seq).where(
        events.c.resource == subscription.resource_filter,
        events.c.registered >= since,
        events.c.registered <= until,
        exists().where(keys.subscription_seq == subscription.seq, subjects, types),
    )
    if subscription.source_start:
        start = subscription.source_start
        chosen = chosen.where(func.substr(events.c.source + "/", 1, len(start)) == start)
    return chosen


def _patterns() -> ColumnElement[bool]:
    pattern = subscription_filters.c.type
    beginning = func.substr(pattern, 1, func.length(pattern) - 1)
    return or_(
        pattern == ANY,
        pattern == events.c.type,
        (func.substr(pattern, func.length(pattern), 1) == "*")
        & (func.substr(events.c.type, 1, func.length(pattern) - 1) == beginning),
    )
