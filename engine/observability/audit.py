"""The audit log: who did what to what."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, update

from engine.db.dialects import Now, after, now
from engine.db.tables import audit_log

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

FOLDED = timedelta(minutes=1)  # an action that is repeated within it is counted in the first line
ITSELF = "varsel"  # who acts when nobody asked
TIMES = ("last", "until", "since", "at")  # in details: of the newest of several, a pause's end, a replay's bounds
NEWEST = 1_000  # lines that are searched for the first one
CONSUMERS_LINES = 100  # of one consumer and one action, within PERIOD; further ones share one line
PERIOD = timedelta(hours=1)


def note(  # noqa: PLR0913 a line has so many parts
    connection: Connection,
    who: str,
    action: str,
    target: str,
    detail: Mapping[str, object] | None = None,
    *,
    any_detail: bool = False,
    within: timedelta = FOLDED,
) -> None:
    """Write a line, in the transaction of the act itself. `target`: such as subscriptions/12.

    The same action again `within` that time adds to the line's `times`, and sets its `last`: so nobody fills the log by
    doing and undoing, and it still says what was done last.
    `any_detail`: the action is the same whatever its detail; the first detail stays.
    """
    given = json.loads(json.dumps(detail or {}))
    newest = select(func.max(audit_log.c.seq)).scalar_subquery() - NEWEST
    alike = (audit_log.c.who == who, audit_log.c.action == action, audit_log.c.target == target)
    recent = (audit_log.c.seq > newest, audit_log.c.at > after(-within))
    chosen = select(audit_log.c.seq, audit_log.c.detail).where(*alike, *recent).order_by(audit_log.c.seq.desc())
    for row in connection.execute(chosen.with_for_update()).all():
        kept = json.loads(row.detail)
        times, _ = kept.pop("times", 1), kept.pop("last", None)
        if any_detail or kept == given:
            last = now(connection).isoformat(timespec="milliseconds")
            folded = json.dumps(kept | {"times": times + 1, "last": last})
            connection.execute(update(audit_log).where(audit_log.c.seq == row.seq).values(detail=folded))
            return
    line = {"at": Now(), "who": who, "action": action, "target": target, "detail": json.dumps(given)}
    connection.execute(audit_log.insert().values(line))


def begin(connection: Connection, who: str, action: str, target: str, detail: Mapping[str, object]) -> int:
    """Write a line of its own for an act that goes on; returns its number, for `add`."""
    line = {"at": Now(), "who": who, "action": action, "target": target, "detail": json.dumps(detail)}
    return int(connection.execute(audit_log.insert().values(line).returning(audit_log.c.seq)).scalar_one())


def add(connection: Connection, seq: int, detail: Mapping[str, object]) -> None:
    """Add to a line what became of its act."""
    kept = connection.scalar(select(audit_log.c.detail).where(audit_log.c.seq == seq).with_for_update())
    if kept is not None:
        added = json.dumps(json.loads(kept) | dict(detail))
        connection.execute(update(audit_log).where(audit_log.c.seq == seq).values(detail=added))


def detail_of(text: str) -> dict[str, Any]:
    """A line's detail as it is read: what is one of TIMES is a time."""
    found: dict[str, Any] = json.loads(text)
    return found | {name: datetime.fromisoformat(found[name]) for name in TIMES if name in found}


def note_consumer(
    connection: Connection, who: str, action: str, target: str, detail: Mapping[str, object] | None = None
) -> None:
    """Write a consumer's line; for one with many lines already, count in one: nobody buries what others did."""
    alike = (audit_log.c.who == who, audit_log.c.action == action, audit_log.c.at > after(-PERIOD))
    if connection.execute(select(func.count()).where(*alike)).scalar_one() < CONSUMERS_LINES:
        note(connection, who, action, target, detail)
    else:
        note(connection, who, action, target.partition("/")[0], any_detail=True, within=PERIOD)
