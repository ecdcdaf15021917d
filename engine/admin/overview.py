"""The state of everything on one page: lanes, processes, pauses, jobs, history, and what is wrong, in a sentence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, func, literal, select, type_coerce

from engine import due, store
from engine.admin.refusals import refusals
from engine.admin.rows import ROWS
from engine.admin.standing import Standing, of_deliveries, of_emails, of_orders
from engine.epoch import again
from engine.pauses import HELD, LANE
from engine.pulse import SERIES
from engine.store import Now
from engine.tables import (
    DELIVERY_DEAD,
    EMAIL_FAILED,
    EPOCH,
    MILLISECOND,
    ORDER_SET_ASIDE,
    STOPPED,
    events,
    history,
    installation,
    jobs,
    milliseconds,
    pauses,
    processes,
    subscriptions,
    waiting_events,
    webhooks,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Select, Table

    from engine.admin.standing import Standings

COUNTED = 100_000  # rows of a kind are counted up to here
DELIVERIES = 20_000  # likewise, the oldest that are open
ALIVE = timedelta(seconds=15)  # since its last sign, for which a process counts as running
SKEWED = timedelta(seconds=5)  # a process's clock that is further from the database's is told of
LATE = timedelta(seconds=60)  # a row that has been due for longer is told of
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class LaneFigures:
    """A lane in numbers; each is counted up to COUNTED."""

    name: str
    waiting: int  # due later: a send time, or an attempt that comes again
    due: int
    in_flight: int  # in a worker's hands
    retrying: int  # of those that wait: have been tried before
    held: int  # back by a pause of their lane, creator, domain or subscription
    dead: int  # failed for good, or set aside
    oldest_due_seconds: float  # 0.0 when nothing is due
    paused: str | None = None  # who paused it, and why

    def paused_by(self, whom: str) -> LaneFigures:
        """The same, paused: what would be due is held back."""
        return replace(self, paused=whom, held=self.held + self.due, due=0, oldest_due_seconds=0.0)


def lanes(connection: Connection, paused: Mapping[str, str] | None = None) -> list[LaneFigures]:
    """The lanes in the order in which work goes through them; `paused` instead of those that are: name and reason."""
    if paused is None:
        rows = connection.execute(select(pauses).where(pauses.c.kind == LANE))
        paused = {row.value: f"by {row.who}" + (f": {row.reason}" if row.reason else "") for row in rows}
    counted = (
        _of_rows(connection, due.ORDERS, of_orders(), ORDER_SET_ASIDE),
        _of_rows(connection, due.EMAILS, of_emails(), EMAIL_FAILED),
        _of_fan_outs(connection),
        _of_webhooks(connection),
    )
    return [lane.paused_by(paused[lane.name]) if lane.name in paused else lane for lane in counted]


def overview(connection: Connection) -> dict[str, Any]:
    """Everything that the first page shows, without Redis: that is asked elsewhere."""
    figures = lanes(connection)
    now: datetime = connection.execute(select(Now())).scalar_one()
    running = _processes(connection, now)
    held = [dict(row._mapping) for row in connection.execute(select(pauses).order_by(pauses.c.at))]  # noqa: SLF001 SQLAlchemy's documented name
    stopped = (STOPPED, subscriptions.c.paused.is_not(None), subscriptions.c.removed.is_(None))
    left_alone = (STOPPED, subscriptions.c.paused.is_(None), subscriptions.c.open_until > Now())
    day = _plots(connection, now, DAY, timedelta(minutes=15))
    going = select(jobs.c.seq).where(jobs.c.due_at.is_not(None)).order_by(jobs.c.seq).limit(10)
    return {
        "at": now,
        "lanes": figures,
        "processes": running,
        "pauses": held,
        "paused_subscriptions": _count(connection, subscriptions, *stopped),
        "jobs": ROWS["jobs"](connection, connection.scalars(going).all()),
        "hour": _plots(connection, now, HOUR, timedelta(minutes=1)),
        "day": day,
        "restored": again(connection),
        "findings": _older(connection)
        + findings(figures, running, due.stalled(connection), _count(connection, subscriptions, *left_alone))
        + (_refused(connection) if any(day["emails.refused"]) and not _has_trouble(running) else []),
    }


def findings(
    figures: Sequence[LaneFigures],
    running: Sequence[dict[str, Any]],
    stalled: Mapping[str, timedelta],
    left_alone: int,
) -> list[dict[str, Any]]:
    """What is wrong, the worst first, each with a level (problem or warning), a sentence and since when.

    `stalled`: lanes that stand still; `left_alone`: subscriptions to which nothing is pushed for a while.
    """
    alive = [process for process in running if process["alive"]]
    return _problems(figures, alive, stalled) + _clocks(alive) + _warnings(figures, left_alone)


def _older(connection: Connection) -> list[dict[str, Any]]:
    """A database that is older than it was; its lanes are paused."""
    row = connection.execute(select(installation).where(installation.c.seen.is_not(None))).one_or_none()
    counts = again(connection)
    if row is None or counts is None:
        return []
    waits = ", ".join(f"{count:,} {lane}" for lane, count in counts.items())
    text = (
        f"The database is older than it was: of {row.as_of:%Y-%m-%d %H:%M:%S} UTC, but it was of"
        f" {row.seen:%Y-%m-%d %H:%M:%S} before. What would perhaps be done again is paused: {waits};"
        " `varsel restored` lists it"
    )
    return [_finding("problem", text, row.as_of)]


def _has_trouble(running: Sequence[dict[str, Any]]) -> bool:
    return any(process["alive"] and process["trouble"] for process in running)


def _refused(connection: Connection) -> list[dict[str, Any]]:
    """E-mails that wait until somebody sets the relay or the sender right."""
    found = refusals(connection)
    if found is None:
        return []
    what = "1 e-mail waits" if found.count == 1 else f"{found.count:,} e-mails wait"
    text = f"{what}: the relay {found.relay} refuses this installation or its sender ({found.said})"
    return [_finding("problem", text, found.since)]


def _problems(
    figures: Sequence[LaneFigures], alive: Sequence[dict[str, Any]], stalled: Mapping[str, timedelta]
) -> list[dict[str, Any]]:
    found = []
    waiting = [lane for lane in figures if lane.due and not lane.paused]
    for process in alive:
        if process["trouble"]:
            text = f"E-mails wait: the relay {process['relay']} cannot be used ({process['trouble']})"
            found.append(_finding("problem", text, process["trouble_since"]))
            break
    if not any(process["kind"] == "worker" for process in alive):
        what = " and ".join(_some(lane.due, lane) for lane in waiting)
        text = f"No worker runs: {what + ' due' if what else 'what becomes due will wait'}"
        found.append(_finding("problem", text))
    else:
        found += [_stalled(name, since) for name, since in stalled.items()]
    if not any(process["kind"] == "scheduler" for process in alive):
        found.append(_finding("problem", "No scheduler runs: send times and retries wait"))
    for lane in waiting:
        if lane.oldest_due_seconds > LATE.total_seconds() and not found:
            found.append(_finding("problem", f"The lane {lane.name} lags behind: {_some(lane.due, lane)} due"))
    return found


def _stalled(lane: str, since: timedelta) -> dict[str, Any]:
    text = (
        f"The lane {lane} stands still: something has been due for {since.total_seconds():,.0f} s, and no worker takes"
        " it; `varsel doctor` looks for the cause, beginning with Redis, which wakes workers"
    )
    return _finding("problem", text)


def _clocks(alive: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Machines whose clocks are off: delivery goes by the database's, but tokens and sessions by theirs."""
    off = {
        process["host"]: timedelta(milliseconds=process["skew_ms"])
        for process in alive
        if process["skew_ms"] is not None and abs(process["skew_ms"]) > SKEWED // MILLISECOND
    }
    found = []
    for host, skew in sorted(off.items()):
        how = f"{abs(skew).total_seconds():,.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} the database's"
        found.append(
            _finding("warning", f"The clock of {host} is {how}: good tokens are refused there, or old ones taken")
        )
    return found


def _warnings(figures: Sequence[LaneFigures], left_alone: int) -> list[dict[str, Any]]:
    found = []
    for lane in figures:
        held = f"{_some(lane.held, lane)} held back" if lane.held else ""
        if lane.paused:
            found.append(_finding("warning", f"The lane {lane.name} is paused {lane.paused}{held and f'; {held}'}"))
        elif held:
            of = " of a subscription" if lane.name == due.WEBHOOKS.name else ""
            found.append(_finding("warning", f"{held} by a pause{of}"))
    if left_alone:
        whose = (
            "The endpoint of 1 subscription" if left_alone == 1 else f"The endpoints of {left_alone:,} subscriptions"
        )
        found.append(_finding("warning", f"{whose} kept failing or asked for time: webhooks wait"))
    return found


def _some(count: int, lane: LaneFigures) -> str:
    names = {"emails": ("e-mail", "e-mails"), "fan_outs": ("fan-out", "fan-outs")}
    one, many = names.get(lane.name, (lane.name.removesuffix("s"), lane.name))
    return f"{count:,} {one} is" if count == 1 else f"{count:,} {many} are"


def _finding(level: str, text: str, since: datetime | None = None) -> dict[str, Any]:
    return {"level": level, "text": text, "since": since}


@dataclass(frozen=True, slots=True)
class _Counted:
    """Rows of one standing: how many, how many of them were tried before, and since when the first has been due."""

    rows: int = 0
    tried: int = 0
    since: datetime | None = None


def _standings(connection: Connection, looked_at: Select[Any]) -> defaultdict[str, _Counted]:
    """By standing, the rows of a query with `word`, `attempts` and `since`."""
    each = looked_at.subquery()
    tried = func.count().filter(each.c.attempts > 0)
    chosen = select(each.c.word, func.count(), tried, func.min(each.c.since)).group_by(each.c.word)
    return defaultdict(_Counted, {word: _Counted(*counts) for word, *counts in connection.execute(chosen)})


def _of_rows(connection: Connection, lane: due.Lane, stands: Standings, dead: ColumnElement[bool]) -> LaneFigures:
    table, due_at = lane.table, lane.table.c.due_at
    oldest, later = (due_at <= Now(),), (due_at > Now(), due_at < HELD)
    columns = (stands.word(due_at).label("word"), table.c.attempts, stands.since.label("since"))
    soonest = select(*columns).order_by(due_at).limit(due.NEAREST)
    found = _standings(connection, soonest.where(*later))
    first = _standings(connection, soonest.where(*oldest))[Standing.DUE].since
    in_flight, early = found[Standing.IN_HAND].rows, found[Standing.DUE]
    return LaneFigures(
        name=lane.name,
        waiting=max(0, _count(connection, table, *later) - in_flight - early.rows),
        due=min(COUNTED, _count(connection, table, *oldest) + early.rows),
        in_flight=in_flight,
        retrying=found[Standing.LATER].tried,
        held=_count(connection, table, due_at == HELD),
        dead=_count(connection, table, dead),
        oldest_due_seconds=_age(connection, first, early.since),
    )


def _age(connection: Connection, *moments: datetime | None) -> float:
    """For how long the first of these moments has passed, in seconds."""
    known = [moment for moment in moments if moment is not None]
    return max(0.0, (store.now(connection) - min(known)).total_seconds()) if known else 0.0


def _of_fan_outs(connection: Connection) -> LaneFigures:
    """Of fan-outs, what is counted are events: each is due, or in the hands of a step that nobody sees."""
    first = select(func.min(waiting_events.c.event_seq)).scalar_subquery()
    stored = connection.scalar(select(events.c.registered).where(events.c.seq == first))
    return LaneFigures(
        name=due.FAN_OUTS.name,
        waiting=0,
        due=_count(connection, waiting_events),
        in_flight=0,
        retrying=0,
        held=0,
        dead=0,
        oldest_due_seconds=_age(connection, stored),
    )


def _of_webhooks(connection: Connection) -> LaneFigures:
    """Of webhooks, what waits are deliveries; what workers hold are subscriptions."""
    stands = of_deliveries()
    columns = (stands.word(webhooks.c.due_at).label("word"), webhooks.c.attempts, stands.since.label("since"))
    kept = (webhooks.c.due_at.is_not(None), subscriptions.c.removed.is_(None))
    first = select(*columns).select_from(webhooks.join(subscriptions)).where(*kept)
    found = _standings(connection, first.order_by(webhooks.c.seq).limit(DELIVERIES))
    return LaneFigures(
        name=due.WEBHOOKS.name,
        waiting=found[Standing.LATER].rows,
        due=found[Standing.DUE].rows,
        in_flight=_count(connection, subscriptions, subscriptions.c.due_at > Now(), subscriptions.c.unresolved > 0),
        retrying=found[Standing.LATER].tried,
        held=found[Standing.HELD].rows,
        dead=_count(connection, webhooks, DELIVERY_DEAD),
        oldest_due_seconds=_age(connection, found[Standing.DUE].since),
    )


def _count(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    matching = select(literal(1)).select_from(table).where(*conditions).limit(COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(matching)).scalar_one()


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
        .where(history.c.minute >= EPOCH + first * MILLISECOND)
        .group_by(place, history.c.series)
    )
    for row in connection.execute(chosen):
        if row.series in found and row.place < len(found[row.series]):
            found[row.series][row.place] = int(row.sum)
    return found
