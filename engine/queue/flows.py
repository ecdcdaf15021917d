"""Flows: the ready rows of one creator and one priority. Claims look at flows by steps through an index, not at rows.

A ready row that has to wait for somebody, such as a relay, is in no flow of its lane. Its `waits_for` says whom it
waits for, and those that wait for the same have flows of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import (
    BigInteger,
    Integer,
    SmallInteger,
    Text,
    bindparam,
    exists,
    literal,
    select,
    true,
    type_coerce,
    union_all,
    update,
)

from engine.db.dialects import Now
from engine.db.rows import Rows
from engine.db.tables import emails
from engine.models import Priority

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, FromClause, ScalarSelect, Select, Update
    from sqlalchemy.sql.selectable import CompoundSelect

    from engine.queue.due import Claimed, Lane

FLOWS = 64  # flows that one claim looks at; with more of them, the next claim goes on behind
READIED = 1_000  # due rows of a priority that one claim makes ready
TARGETS = 64  # of those whom rows wait for, so many are looked at
CREATORS = Rows(creator=Text())
_TARGET = bindparam("target", type_=Text())
_BEHIND = bindparam("behind", type_=Text())


class Flow(NamedTuple):
    """The ready rows of one creator and one priority."""

    priority: int
    creator: str


def ready(table: FromClause, *, waiting: bool) -> Sequence[ColumnElement[bool]]:  # type: ignore[explicit-any]
    """The condition of ready rows; `waiting`: of those that wait for the parameter `target`."""
    ranked = table.c.rank.is_not(None)
    if "waits_for" not in table.c:
        return (ranked,)
    return ranked, table.c.waits_for == _TARGET if waiting else table.c.waits_for.is_(None)


def look(
    lane: Lane[Claimed],
    levels: Sequence[int],
    fit: ColumnElement[bool] | None,
    *,
    waiting: bool = False,
    most: int = FLOWS,
) -> CompoundSelect[int, str]:
    """Of each priority, the first creators behind one, `most` of them; and "", if it has due rows that are not ready.

    Rows that do not `fit` are never ready; None: all are. Each step of the walk is one look into the index, which goes
    to the first row of the next creator.
    """
    parts: list[Select[int, str]] = []
    for level in levels:
        its = literal(level, SmallInteger)
        its_ready, row = lane.table.alias(f"ready_{level}"), lane.table.alias(f"row_{level}")
        following = select(its_ready.c.seq).where(*ready(its_ready, waiting=waiting), its_ready.c.priority == its)
        following = following.order_by(its_ready.c.creator, its_ready.c.rank, its_ready.c.seq).limit(1)
        first = following.where(its_ready.c.creator > bindparam(f"behind_{level}", type_=Text()))
        start = select(row.c.creator, literal(1, Integer).label("number"))
        walk = start.where(row.c.seq == first.scalar_subquery()).cte(f"walk_{level}", recursive=True)
        second = following.where(its_ready.c.creator > walk.c.creator).correlate(walk).scalar_subquery()
        step = select(row.c.creator, walk.c.number + 1).select_from(walk.join(row, row.c.seq == second))
        walk = walk.union_all(step.where(walk.c.number < most))
        parts.append(select(its, walk.c.creator))
        if fit is not None:
            unready = exists().where(*_unready(lane, fit), lane.table.c.priority == its)
            parts.append(select(its, literal("", Text)).where(unready))
    return union_all(*parts)


def making_ready(lane: Lane[Claimed], fit: ColumnElement[bool], copied: Mapping[str, ScalarSelect[object]]) -> Update:
    """Make the oldest due rows of the priority `level` ready."""
    table = lane.table
    level = bindparam("level", type_=SmallInteger())
    oldest = select(table.c.seq).where(*_unready(lane, fit), table.c.priority == level)
    oldest = oldest.order_by(table.c.due_at, table.c.seq).limit(READIED).with_for_update(skip_locked=True)
    chosen = select(oldest.cte("oldest").c.seq)
    return update(table).where(table.c.seq.in_(chosen)).values(rank=type_coerce(table.c.due_at, BigInteger), **copied)


def first_of_each(lane: Lane[Claimed], dialect: str, *, waiting: bool) -> Select[tuple[int]]:
    """Of each creator, the first `quota` ready rows of the priority `level`.

    SQLite has no LATERAL, and PostgreSQL would scan the whole table for the other form.
    """
    given, its_ready = CREATORS.source, lane.table.alias("ready")
    of_one = (
        select(its_ready.c.seq)
        .where(
            *ready(its_ready, waiting=waiting),
            its_ready.c.priority == bindparam("level", type_=SmallInteger()),
            its_ready.c.creator == CREATORS["creator"],
        )
        .order_by(its_ready.c.rank, its_ready.c.seq)
        .limit(bindparam("quota", type_=Integer()))
    )
    if dialect == "sqlite":
        row = lane.table.alias("row")
        return select(row.c.seq).select_from(given.join(row, true())).where(row.c.seq.in_(of_one.correlate(given)))
    each = of_one.with_for_update(skip_locked=True).lateral("each")
    return select(select(each.c.seq).select_from(given.join(each, true())).cte("first").c.seq)


def targets(connection: Connection, behind: str = "") -> Mapping[str, bool]:
    """Whom e-mails wait for, the first TARGETS behind one; and whether instant e-mails are among them."""
    return {row.name: row.instant for row in connection.execute(_TARGETS, {"behind": behind})}


def some_ready(connection: Connection) -> bool:
    """Whether e-mails are ready and wait for nobody."""
    return connection.scalar(_SOME_READY) is not None


def some_wait(connection: Connection) -> bool:
    """Whether e-mails wait for somebody, who may let them go before they are due."""
    return connection.scalar(_SOME_WAIT) is not None


def _unready(lane: Lane[Claimed], fit: ColumnElement[bool]) -> Sequence[ColumnElement[bool]]:
    table = lane.table
    return table.c.rank.is_(None), table.c.due_at <= Now(), fit


def _walk_of_targets() -> Select[tuple[str, bool]]:
    waits = emails.alias("waits")
    named = waits.c.rank.is_not(None), waits.c.waits_for.is_not(None)

    def following(behind: ColumnElement[str]) -> Select[tuple[str]]:
        return select(waits.c.waits_for).where(*named, waits.c.waits_for > behind).order_by(waits.c.waits_for).limit(1)

    start = select(following(_BEHIND).scalar_subquery().label("name"), literal(1, Integer).label("number"))
    walk = start.cte("walk", recursive=True)
    second = following(walk.c.name).correlate(walk).scalar_subquery()
    step = select(second, walk.c.number + 1).where(walk.c.name.is_not(None), walk.c.number < TARGETS)
    walk = walk.union_all(step)
    hurried = exists().where(*named, waits.c.waits_for == walk.c.name, waits.c.priority == Priority.INSTANT.level)
    return select(walk.c.name, hurried.label("instant")).where(walk.c.name.is_not(None))


_TARGETS = _walk_of_targets()
# In the order of an index: a condition alone may look cheaper to answer by a scan of the table.
_WAITING = select(emails.c.waits_for).where(emails.c.rank.is_not(None), emails.c.waits_for.is_not(None))
_SOME_WAIT = _WAITING.order_by(emails.c.waits_for).limit(1)
_READY = select(emails.c.priority).where(*ready(emails, waiting=False))
_SOME_READY = _READY.order_by(emails.c.priority, emails.c.creator).limit(1)
