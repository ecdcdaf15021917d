"""The state of everything on one page: lanes, relays, failures, processes, pauses, jobs, history, and what is wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from engine.admin import findings
from engine.admin import paused as sentences
from engine.admin.counts import COUNTED, counted
from engine.admin.failures import failures
from engine.admin.lanes import lanes
from engine.admin.pausing import all_of
from engine.admin.processes import living
from engine.admin.rates import SPANS, Span, sums
from engine.admin.refusals import refusals
from engine.admin.relays import UP, all_down, relays
from engine.admin.rows import ROWS
from engine.admin.slowness import slowness
from engine.admin.subscriptions import BACKING_OFF, FORGOTTEN, PAUSED
from engine.admin.turns import turns
from engine.admin.unusual import Unusual, unusual
from engine.db.dialects import Now
from engine.db.hours import HOUR
from engine.db.tables import (
    EPOCH,
    emails,
    installation,
    jobs,
    milliseconds,
    orders,
    subscriptions,
)
from engine.queue import due, lateness
from engine.queue.epoch import WHO, again, lacks
from engine.queue.pauses import LANE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from engine.admin.finding import Finding
    from engine.admin.lanes import LaneFigures

DAY = Span("day", timedelta(days=1), HOUR)  # coarser than on the page of rates: a quarter of the time
# What ends in a lane, by series of history: what has not begun to move is not among them.
ENDS = {
    due.EMAILS.name: ("emails.accepted", "emails.failed"),
    due.WEBHOOKS.name: ("webhooks.accepted", "webhooks.failed"),
}


def overview(connection: Connection) -> dict[str, Any]:
    """Everything that the first page shows, except for Redis."""
    now: datetime = connection.execute(select(Now())).scalar_one()
    slow, hour, day = slowness(connection), _lately(connection, now, SPANS["hour"]), _lately(connection, now, DAY)
    found = relays(connection, slow)
    figures = [_moving(lane, hour, now, blocked=all_down(found)) for lane in lanes(connection)]
    running = living(connection)
    paused = _pauses(connection)
    restored, groups = again(connection), failures(connection)
    going = select(jobs.c.seq).where(jobs.c.due_at.is_not(None)).order_by(jobs.c.seq).limit(10)
    stalled = lateness.stalled(connection, [lane.name for lane in figures if lane.is_worked_on])
    alone = counted(connection, subscriptions, *BACKING_OFF)
    said = [pause for pause in paused if not (restored and pause["who"] == WHO)]  # the others are said together
    parts = findings.of_parts(
        figures, found, running, stalled, alone, slow, said=any(pause["kind"] != LANE for pause in said)
    )
    ill = any(relay.state != UP for relay in found)
    oldest = connection.scalar(select(func.min(subscriptions.c.paused_at)).where(*FORGOTTEN))
    return {
        "at": now,
        "lanes": figures,
        "relays": found,
        "failures": groups,
        "turns": turns(connection),
        "processes": running,
        "pauses": paused,
        "paused_subscriptions": counted(connection, subscriptions, *PAUSED),
        "jobs": ROWS["jobs"](connection, connection.scalars(going).all()),
        "hour": hour,
        "day": day,
        "restored": restored,
        "findings": (_older(connection, restored) if restored else [])
        + [each for each in parts if each["level"] == "problem"]
        + ([] if ill else findings.refused(refusals(connection)))
        + findings.failing(unusual(hour, day), groups)
        + findings.lacking(lacks(connection))
        + [each for each in parts if each["level"] != "problem"]
        + sentences.paused(said, figures, now)
        + sentences.forgotten(counted(connection, subscriptions, *FORGOTTEN), oldest),
    }


def unusual_failures(connection: Connection) -> Unusual | None:
    """Whether more e-mails fail than is usual."""
    now: datetime = connection.execute(select(Now())).scalar_one()
    return unusual(_lately(connection, now, SPANS["hour"]), _lately(connection, now, DAY))


def _moving(lane: LaneFigures, hour: Mapping[str, Sequence[int]], now: datetime, *, blocked: bool) -> LaneFigures:
    """A lane with its rate, of the minute before this one and of what has passed of this one."""
    if lane.name not in ENDS:
        return lane
    ended = sum(sum(hour[series][-2:]) for series in ENDS[lane.name])
    minutes = 1 + (milliseconds(now) % 60_000) / 60_000
    return lane.moving(ended / minutes, blocked=blocked and lane.name == due.EMAILS.name)


def _older(connection: Connection, counts: Mapping[str, int]) -> list[Finding]:
    row = connection.execute(select(installation)).one()
    return [findings.older(row.seen, row.as_of, counts)]


def _pauses(connection: Connection) -> list[dict[str, object]]:
    """The pauses, with how many orders and e-mails each holds back (together up to COUNTED of each table)."""
    found = all_of(connection)
    for table in (orders, emails) if found else ():
        stopped = select(table.c.paused_by).where(table.c.paused_by.is_not(None)).limit(COUNTED).subquery()
        counts = select(stopped.c.paused_by, func.count()).group_by(stopped.c.paused_by)
        held: dict[str, int] = dict(connection.execute(counts).all())
        for pause in found:
            pause[f"held_{table.name}"] = held.get(f"{pause['kind']}:{pause['value']}", 0)
    return found


def _lately(connection: Connection, now: datetime, span: Span) -> dict[str, list[int]]:
    """Of each series, the sums of the span's steps up to now, the oldest first."""
    return sums(connection, span, now - (now - EPOCH) % span.step + span.step - span.length)
