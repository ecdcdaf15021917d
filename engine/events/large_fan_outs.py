"""Fan-outs that are too large for the transaction that stores their events: they wait, and workers do them in steps.

Small fan-outs are done with the storing. A large one, and every event published on its resource before it is done,
waits in the lane `fan_outs`, in the order of the events' numbers. A step is one transaction with a bounded number of
deliveries; then the next owner has its turn, so that no owner waits for all of another's. A crash undoes only the step
that it interrupts. An event that ends one worker after another is set aside: subscriptions for which it is not queued
yet do not get it, and the events behind it go on.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sqlalchemy import BigInteger, Text, delete, func, select, update

from engine.db import records
from engine.db.dialects import Now, after, insert_or_lock
from engine.db.rows import Rows, run
from engine.db.tables import events, fan_outs, subscriptions, waiting_events
from engine.events.fan_out import WaitingEvent, count_filters, fan_out, fan_out_part, keys, pairs, wake, watched
from engine.models import FanOutState
from engine.observability.audit import ITSELF, note
from engine.queue import due
from engine.queue.backoff import jittered
from engine.queue.work import Claim, Work
from engine.resources import APP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.sql.dml import ReturningInsert

    from engine.models import CloudEvent

log = logging.getLogger(__name__)

Key = TypeVar("Key", tuple[str, str], tuple[str, str, str])

AT_ONCE = 1_000  # most deliveries that a publishing transaction queues itself, since other writers wait for it
STEP = 500  # most deliveries of a step
STEP_EVENTS = 100  # most events of a step
# The time from a step that ended in an error of Varsel's to the next try; the last repeats.
RETRIES = tuple(timedelta(minutes=minutes) for minutes in (0.5, 1, 5, 30))

_RESOURCES = Rows(resource=Text())
_BEHIND = select(waiting_events.c.resource).where(waiting_events.c.resource == _RESOURCES["resource"]).distinct()
_OWNERS = Rows(owner=Text(), state=Text())
_INSERT_WAITING = Rows(event_seq=BigInteger(), fan_out_seq=BigInteger(), resource=Text()).insert_into(
    waiting_events, newest=select(func.coalesce(func.max(subscriptions.c.seq), 0)).scalar_subquery()
)


class FanOut(NamedTuple):
    """The fan-out of new events: the number of deliveries queued at once, and of events that wait."""

    deliveries: int
    waiting: int


NOTHING = FanOut(0, 0)
_WAITING = select(*records.columns(WaitingEvent, events.c, waiting_events.c)).join_from(waiting_events, events)


def fan_out_or_wait(connection: Connection, fresh: Sequence[tuple[int, CloudEvent]]) -> FanOut:
    """Queue new events (with their numbers) for their subscribers: now or, if these are many, in steps."""
    asked = watched(connection, (event for _, event in fresh))
    matching = [(seq, event) for seq, event in fresh if any(pair in asked for pair in pairs(event))]
    if not matching:
        return NOTHING
    large = _large(connection, [event for _, event in matching], asked)
    later = [(seq, event) for seq, event in matching if event.resource in large]
    if later:
        _put_off(connection, later)  # locks fan-outs before subscriptions, as a step does
    now = ((seq, event) for seq, event in matching if event.resource not in large)
    return FanOut(fan_out(connection, now, asked), len(later))


@dataclass(frozen=True, slots=True)
class Step:
    """The next step of a fan-out; `delay`: it ended in an error of Varsel's, and is tried again then."""

    row: records.FanOut
    delay: timedelta | None = None


class FanOuts(Work[records.FanOut, Step]):
    """Does a step of the fan-out that has waited longest; then that waits behind the others.

    `queued` is called when deliveries may be due.
    """

    lane = due.FAN_OUTS
    gather = timedelta(0)
    calls_others = False

    def __init__(self, queued: Callable[[], None] = lambda: None) -> None:
        self._queued = queued
        self._failures: Counter[int] = Counter()  # in a row in this process, by the row's `seq`

    def claim(self, connection: Connection, lease: timedelta) -> Claim[records.FanOut]:
        """Take one."""
        return Claim(due.claim(connection, due.FAN_OUTS, 1, lease))

    def decided(self, row: records.FanOut) -> Step:
        """A step needs no work before it is recorded."""
        return Step(row)

    def record(self, connection: Connection, steps: Sequence[Step]) -> bool:
        """Do the step of each row that is still ours; other fan-outs may be due."""
        for step in steps:
            row = step.row
            ours = select(fan_outs.c.seq).where(fan_outs.c.seq == row.seq, fan_outs.c.claim == row.claim)
            if connection.execute(ours.with_for_update()).first():
                if step.delay:
                    _wait(connection, row, row.reached, row.attempts, step.delay)
                elif due.is_lost(row):
                    _set_aside(connection, row)
                else:
                    _step(connection, row)
        return True

    def broken(self, row: records.FanOut, _step: Step, error: Exception) -> Step:
        """Try a step that ended in an error again, later after each further error."""
        self._failures[row.seq] += 1
        failures = self._failures[row.seq]
        log.error("a step of fan-out %s ended in an error", row.seq, exc_info=error if failures == 1 else None)
        return Step(row, jittered(RETRIES[min(failures, len(RETRIES)) - 1]))

    def recorded(self, steps: Sequence[Step]) -> None:
        """Tell that deliveries may be due."""
        for step in steps:
            if step.delay is None:
                self._failures.pop(step.row.seq, None)
        self._queued()


def _large(connection: Connection, given: Sequence[CloudEvent], asked: dict[tuple[str, str], int]) -> set[str]:
    """The resources whose events wait: behind others, or since they match more than one transaction may queue.

    Resources that match least are done at once. Filters are counted: a subscription has one for each of its types.
    """
    resources = {event.resource or "" for event in given}
    large = {row.resource for row in run(connection, _BEHIND, ({"resource": each} for each in resources))}
    weights = _weights(given, asked, pairs)
    if sum(weights.values()) > AT_ONCE:
        wanted = {key for event in given for key in keys(event, asked)}
        weights = _weights(given, count_filters(connection, wanted), keys)
    room = AT_ONCE
    for resource in sorted(resources - large, key=weights.__getitem__):
        room -= weights[resource]
        if room < 0:
            large.add(resource)
    return large


def _weights(
    given: Sequence[CloudEvent], filters: Mapping[Key, int], of: Callable[[CloudEvent], Iterable[Key]]
) -> Counter[str]:
    """By resource, how many filters its events can match."""
    weights: Counter[str] = Counter()
    for event in given:
        weights[event.resource or ""] += sum(filters.get(key, 0) for key in of(event))
    return weights


def _put_off(connection: Connection, later: Sequence[tuple[int, CloudEvent]]) -> None:
    owners = sorted({owner(event.resource or "") for _, event in later})
    rows = ({"owner": each, "state": FanOutState.WAITING.value} for each in owners)
    found = {row.owner: row.seq for row in run(connection, _insert_owners(connection.dialect.name), rows)}
    waiting = (
        {"event_seq": seq, "fan_out_seq": found[owner(event.resource or "")], "resource": event.resource}
        for seq, event in later
    )
    run(connection, _INSERT_WAITING, waiting)


def owner(resource: str) -> str:
    """Whose events wait in one row: those of an organisation's apps together, any other resource's alone."""
    return "_".join(resource.split("_", 2)[:2]) if resource.startswith(APP) else resource


def _step(connection: Connection, row: records.FanOut) -> None:
    """Go on with the first events of a claimed and locked row; delete the row when none is left.

    From a suspect on, as many events as the lost step may have had are queued one by one: any of them may be deadly.
    """
    reached, done, touched, room = row.reached, 0, set[int](), STEP
    singly = STEP_EVENTS if due.is_suspect(row) else row.attempts
    for event in _first(connection, row, 1 if singly else STEP_EVENTS):
        queued = fan_out_part(connection, event, reached, room)
        touched.update(queued)
        room -= len(queued)
        if not room:
            reached = max(queued)
            break
        reached, done = 0, event.seq
    wake(connection, touched)
    _end(connection, row, done, reached, singly - 1 if singly and done else singly)


def _set_aside(connection: Connection, row: records.FanOut) -> None:
    """Queue the first event of a claimed row no further: it may be what ends the workers."""
    done = 0
    for event in _first(connection, row, 1):
        done = event.seq
        reason = f"{due.LOST_IS_DEAD} workers ended while they queued it"
        log.error("event %s set aside before it was queued for all subscriptions: %s", event.seq, reason)
        note(connection, ITSELF, "set-aside", f"events/{event.seq}", {"reason": reason, "reached": row.reached})
    _end(connection, row, done, 0, max(0, row.attempts - 1))


def _first(connection: Connection, row: records.FanOut, most: int) -> Sequence[WaitingEvent]:
    first = _WAITING.where(waiting_events.c.fan_out_seq == row.seq).order_by(waiting_events.c.event_seq)
    return records.read(WaitingEvent, connection.execute(first.limit(most)))


def _end(connection: Connection, row: records.FanOut, done: int, reached: int, singly: int) -> None:
    """End a step: events up to `done` wait no longer. Without any left, the row goes."""
    mine = waiting_events.c.fan_out_seq == row.seq
    connection.execute(delete(waiting_events).where(mine, waiting_events.c.event_seq <= done))
    if connection.execute(select(waiting_events.c.event_seq).where(mine).limit(1)).first() is None:
        connection.execute(delete(fan_outs).where(fan_outs.c.seq == row.seq))
    else:
        _wait(connection, row, reached, singly, timedelta(0))


def _wait(connection: Connection, row: records.FanOut, reached: int, singly: int, delay: timedelta) -> None:
    """End the claim: the row waits for its next step."""
    again = {"state": FanOutState.WAITING, "due_at": after(delay), "unresolved": 0}
    again |= {"reached": reached, "attempts": singly}
    ended = update(fan_outs).where(fan_outs.c.seq == row.seq)
    connection.execute(ended.values(again | {"claim": fan_outs.c.claim + 1}))


@cache
def _insert_owners(dialect: str) -> ReturningInsert[int, str]:
    insert = _OWNERS.complete(insert_or_lock(dialect, fan_outs, fan_outs.c.owner), due_at=Now())
    return insert.returning(fan_outs.c.seq, fan_outs.c.owner)
