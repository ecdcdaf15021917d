"""The state of everything on one page: lanes, processes, pauses, jobs, history, and what is wrong, in a sentence."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, func, select, type_coerce

from engine.admin.amounts import some, span
from engine.admin.lanes import counted, lanes
from engine.admin.pausing import FORGOTTEN, all_of
from engine.admin.refusals import refusals
from engine.admin.rows import ROWS
from engine.admin.sentences import thing
from engine.admin.slowness import slowness
from engine.admin.turns import turns
from engine.db.dialects import Now
from engine.db.tables import (
    ALIVE,
    EPOCH,
    MILLISECOND,
    STOPPED,
    history,
    installation,
    jobs,
    milliseconds,
    processes,
    subscriptions,
)
from engine.observability.history import SERIES
from engine.queue import due, lateness
from engine.queue.epoch import WHO, again
from engine.queue.pauses import CREATOR, DOMAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from engine.admin.lanes import LaneFigures
    from engine.admin.slowness import Slowness

SKEWED = timedelta(seconds=5)  # a process whose clock is further from the database's is reported
LATE = timedelta(seconds=60)  # a lane with a row that has been due for longer is reported
LOOK = "`varsel top` shows the lanes and the processes."
REFUSED = "Correct what the relay complains of; `varsel emails list --error refused` shows the e-mails."
CLOCK = "Start `varsel scheduler` (or `varsel up`)."
LIMITED = "Change the file that VARSEL_LIMITS_FILE names, if that is too little; `varsel emails list` shows what waits."
SLOW = "They go faster by themselves when they are taken; `varsel emails list` shows what waits."
FEW = 5  # names in a sentence
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def overview(connection: Connection) -> dict[str, Any]:
    """Everything that the first page shows, except for Redis."""
    figures = lanes(connection)
    now: datetime = connection.execute(select(Now())).scalar_one()
    running = _processes(connection, now)
    paused = all_of(connection)
    stopped = (STOPPED, subscriptions.c.paused_reason.is_not(None), subscriptions.c.removed.is_(None))
    left_alone = (STOPPED, subscriptions.c.paused_reason.is_(None), subscriptions.c.open_until > Now())
    day = _plots(connection, now, DAY, timedelta(minutes=15))
    restored, slow = again(connection), slowness(connection)
    going = select(jobs.c.seq).where(jobs.c.due_at.is_not(None)).order_by(jobs.c.seq).limit(10)
    return {
        "at": now,
        "lanes": figures,
        "turns": turns(connection),
        "processes": running,
        "pauses": paused,
        "paused_subscriptions": counted(connection, subscriptions, *stopped),
        "jobs": ROWS["jobs"](connection, connection.scalars(going).all()),
        "hour": _plots(connection, now, HOUR, timedelta(minutes=1)),
        "day": day,
        "restored": restored,
        "findings": (_older(connection, restored) if restored else [])
        + findings(
            figures, running, lateness.stalled(connection), counted(connection, subscriptions, *left_alone), slow
        )
        + _forgotten(paused, now)
        + _paused(paused)
        + (_refused(connection) if any(day["emails.refused"]) and not _has_trouble(running) else []),
    }


def findings(
    figures: Sequence[LaneFigures],
    running: Sequence[dict[str, Any]],
    stalled: Mapping[str, timedelta],
    left_alone: int,
    slow: Sequence[Slowness] = (),
) -> list[dict[str, Any]]:
    """What is wrong, the worst first, each with a level (problem or warning), a sentence, since when, and what to do.

    `stalled`: lanes that stand still; `left_alone`: subscriptions to which nothing is pushed for a while; `slow`: where
    e-mails go slowly, which explains why they lag behind.
    """
    alive = [process for process in running if process["alive"]]
    explained = [figure for figure in figures if not (slow and figure.name == due.EMAILS.name)]
    problems = _problems(figures, alive, stalled) or _late(explained)
    return problems + _clocks(alive) + _warnings(figures, left_alone) + _slow(slow)


def _slow(slow: Sequence[Slowness]) -> list[dict[str, Any]]:
    """Where e-mails go slowly; beyond FEW, how many there are."""
    found = [_finding("warning", each.text, each.since, SLOW if each.said else LIMITED) for each in slow[:FEW]]
    if more := len(slow[FEW:]):
        found.append(_finding("warning", f"E-mails go slowly to {more:,} more recipients' domains", advice=SLOW))
    return found


def _older(connection: Connection, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """A database that is older than it was; its lanes are paused. `counts`: by lane, what it may do again."""
    row = connection.execute(select(installation)).one()
    waits = ", ".join(some(count, lane) for lane, count in counts.items())
    text = (
        f"The database is {span(row.seen - row.as_of)} older than it was. What may be done a second time is paused:"
        f" {waits}. It lacks what was done"
    )
    advice = "`varsel restored` lists what would be done again; `varsel restored --resume` resumes the lanes."
    return [_finding("problem", text, row.as_of, advice)]


def _paused(pauses_: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Creators and domains that are paused; lanes have findings of their own."""
    found = []
    for kind, name in ((CREATOR, "creator"), (DOMAIN, "recipients' domain")):
        mine = [pause for pause in pauses_ if pause["kind"] == kind]
        if len(mine) == 1:
            text = f"The {name} {mine[0]['value']} is paused by {mine[0]['who']}"
            found.append(_finding("warning", text, mine[0]["at"]))
        elif mine:
            shown = ", ".join(pause["value"] for pause in mine[:FEW]) + (" and others" if mine[FEW:] else "")
            found.append(_finding("warning", f"{len(mine):,} {name}s are paused: {shown}"))
    return found


def _forgotten(pauses_: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Old pauses without an end, but for those of a restored database; beyond FEW, the oldest."""
    found = [each for each in pauses_ if each["ends"] is None and now - each["at"] > FORGOTTEN and each["who"] != WHO]
    return [
        _finding(
            "warning",
            f"Forgotten? {each['who']} has paused {thing(each['kind'], each['value'])} without an end",
            each["at"],
            f"`varsel resume {each['kind']} {each['value']}` ends it; it asks first.",
        )
        for each in found[:FEW]
    ]


def _has_trouble(running: Sequence[dict[str, Any]]) -> bool:
    return any(process["alive"] and process["trouble"] for process in running)


def _refused(connection: Connection) -> list[dict[str, Any]]:
    """E-mails that wait until somebody corrects the relay or the sender."""
    found = refusals(connection)
    if found is None:
        return []
    what = f"{some(found.count, 'emails')} {'waits' if found.count == 1 else 'wait'}"
    text = f"{what}: the relay {found.relay} refuses this installation or its sender ({found.said})"
    return [_finding("problem", text, found.since, REFUSED)]


def _problems(
    figures: Sequence[LaneFigures], alive: Sequence[dict[str, Any]], stalled: Mapping[str, timedelta]
) -> list[dict[str, Any]]:
    found = []
    waiting = [lane for lane in figures if lane.due and not lane.paused_reason]
    for process in alive:
        if process["trouble"]:
            text = f"The relay {process['relay']} cannot be used: {process['trouble']}"
            found.append(_finding("problem", text, process["trouble_since"]))
            break
    if not any(process["kind"] == "worker" for process in alive):
        what = " and ".join(_some(lane.due, lane) for lane in waiting)
        text = f"No worker runs: {what + ' due' if what else 'what becomes due will wait'}"
        found.append(_finding("problem", text, advice="Start `varsel worker` (or `varsel up`)."))
    else:
        found += [_stalled(name, since) for name, since in stalled.items()]
    if not any(process["kind"] == "scheduler" for process in alive):
        found.append(_finding("problem", "No scheduler runs: send times and retries wait", advice=CLOCK))
    return found


def _late(figures: Sequence[LaneFigures]) -> list[dict[str, Any]]:
    """Lanes that lag behind, when nothing else that was found explains it."""
    waiting = [lane for lane in figures if lane.due and not lane.paused_reason]
    late = [lane for lane in waiting if lane.oldest_due_seconds > LATE.total_seconds()]
    return [_finding("problem", f"The lane {lane.name} lags behind: {_some(lane.due, lane)} due") for lane in late]


def _stalled(lane: str, since: timedelta) -> dict[str, Any]:
    text = (
        f"The lane {lane} stands still: something has been due for {since.total_seconds():,.0f} s, and no worker takes"
        " it; `varsel doctor` looks for the cause, beginning with Redis, which wakes workers"
    )
    return _finding("problem", text)


def _clocks(alive: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Machines whose clocks are off: delivery follows the database's clock, but tokens and sessions follow theirs."""
    off = {
        process["host"]: timedelta(milliseconds=process["skew_ms"])
        for process in alive
        if process["skew_ms"] is not None and abs(process["skew_ms"]) > SKEWED // MILLISECOND
    }
    found = []
    for host, skew in sorted(off.items()):
        how = f"{abs(skew).total_seconds():,.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} the database's"
        found.append(
            _finding(
                "warning", f"The clock of {host} is {how}: valid tokens are refused there, or expired ones accepted"
            )
        )
    return found


def _warnings(figures: Sequence[LaneFigures], left_alone: int) -> list[dict[str, Any]]:
    found = []
    for lane in figures:
        if lane.paused_reason:
            wait = f"; {some(lane.held, lane.name)} {'waits' if lane.held == 1 else 'wait'}" if lane.held else ""
            found.append(_finding("warning", f"The lane {lane.name} is paused {lane.paused_reason}{wait}"))
        elif lane.held:
            its = "its subscription" if lane.held == 1 else "their subscriptions"
            of = f" with {its}" if lane.name == due.WEBHOOKS.name else ""
            found.append(_finding("warning", f"{_some(lane.held, lane)} paused{of}"))
    if left_alone:
        whose = (
            "The endpoint of 1 subscription" if left_alone == 1 else f"The endpoints of {left_alone:,} subscriptions"
        )
        found.append(_finding("warning", f"{whose} failed several times in a row: webhooks wait"))
    return found


def _some(count: int, lane: LaneFigures) -> str:
    return f"{some(count, lane.name)} {'is' if count == 1 else 'are'}"


def _finding(level: str, text: str, since: datetime | None = None, advice: str = LOOK) -> dict[str, Any]:
    return {"level": level, "text": text, "since": since, "advice": advice}


def _processes(connection: Connection, now: datetime) -> list[dict[str, Any]]:
    rows = connection.execute(select(processes).order_by(processes.c.kind, processes.c.started)).all()
    return [dict(row._mapping) | {"alive": now - row.seen < ALIVE} for row in rows]  # noqa: SLF001 SQLAlchemy's documented name


def _plots(connection: Connection, now: datetime, span: timedelta, step: timedelta) -> dict[str, list[int]]:
    """Of each series, the sums of equal steps up to now, the oldest first."""
    width = step // MILLISECOND
    first = milliseconds(now - span) // width * width + width
    found: dict[str, list[int]] = {name: [0] * (span // step) for name in SERIES}
    place = (type_coerce(history.c.minute, BigInteger) - first) // width
    chosen = (
        select(place.label("place"), history.c.series, func.sum(history.c["count"]).label("sum"))
        .where(history.c.minute >= EPOCH + first * MILLISECOND, history.c.series.in_(SERIES))
        .group_by(place, history.c.series)
    )
    for row in connection.execute(chosen):
        if row.place < len(found[row.series]):
            found[row.series][row.place] = int(row.sum)
    return found
