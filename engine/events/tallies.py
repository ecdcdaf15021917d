"""What has become of the e-mails of a large order, counted as it happens: nobody walks through them to tell.

An order is counted from its first e-mails on if it has more than SMALL of them, or if its recipients follow it. The
e-mails of other orders are counted when somebody looks. A process counts in a slot of its own, so that workers which
settle e-mails of one order do not wait for each other; the sum over the slots is exact at each commit.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Integer, SmallInteger, Text, case, delete, select, type_coerce
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from engine.db.dialects import Now, now
from engine.db.rows import Rows, run
from engine.db.tables import EPOCH, MILLISECOND, Instant, tallies
from engine.models import EmailState

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import Connection, Insert, Select

    Counts = Mapping[str, int]

SMALL = 200  # e-mails of an order that are counted when somebody looks: a list shows 50 orders
SLOTS = 32  # of an order; two processes that share one may wait for each other
OPEN = EmailState.NEW.value  # counts those that are being sent, too
MINUTE = timedelta(minutes=1)
_BEGINNING = 0  # the slot in which an order's first e-mails count: an order without it is not counted
_MILLISECONDS = MINUTE // MILLISECOND
_ROWS = Rows(order_seq=BigInteger(), slot=SmallInteger(), state=Text(), number=Integer(), lately=Integer())


@dataclass(slots=True)
class Tally:
    """How many e-mails of an order are in each state, and how many were settled `lately`: since that moment.

    `changed`: when that was last another number, to the minute.
    """

    states: dict[str, int] = field(default_factory=dict)
    lately: int = 0
    since: datetime = EPOCH
    changed: datetime = EPOCH


def begin(connection: Connection, made: Mapping[int, Counts], always: Collection[int] = ()) -> None:
    """Count the first e-mails of orders, by order and state; of small orders only those of `always`."""
    large = {seq: counts for seq, counts in made.items() if seq in always or sum(counts.values()) > SMALL}
    _add(connection, _BEGINNING, {seq: {OPEN: 0} | dict(counts) for seq, counts in large.items()})


def move(connection: Connection, changes: Mapping[int, Counts], *, attempts: bool = False) -> None:
    """Count how many e-mails more, or fewer, are in a state, by order and state; only of orders that are counted.

    `attempts`: these changes tell how quickly an order is sent.
    """
    begun = (tallies.c.slot == _BEGINNING, tallies.c.state == OPEN)
    counted = connection.scalars(select(tallies.c.order_seq).where(tallies.c.order_seq.in_(changes), *begun)).all()
    if counted:
        own = 1 + os.getpid() % (SLOTS - 1)
        _add(connection, own, {seq: changes[seq] for seq in counted}, attempts=attempts)


def settle(connection: Connection, ended: Mapping[int, Counter[str]], *, attempts: bool = False) -> None:
    """Count e-mails that were open and have ended, by order and state."""
    move(connection, {seq: {**states, OPEN: -states.total()} for seq, states in ended.items()}, attempts=attempts)


def forget(connection: Connection, seqs: Select[int]) -> None:
    """Of orders whose e-mails are to be made anew."""
    connection.execute(delete(tallies).where(tallies.c.order_seq.in_(seqs)))


def of_orders(connection: Connection, seqs: Collection[int]) -> dict[int, Tally]:
    """The tallies of those of the orders that are counted."""
    moment = now(connection)
    this = moment.replace(second=0, microsecond=0)
    found: dict[int, Tally] = {}
    for row in connection.execute(select(tallies).where(tallies.c.order_seq.in_(seqs))):
        tally = found.setdefault(row.order_seq, Tally(since=this - MINUTE))
        tally.changed = max(tally.changed, row.minute)
        tally.states[row.state] = tally.states.get(row.state, 0) + row.number
        if row.slot == _BEGINNING:
            tally.since = max(tally.since, row.minute)
        elif row.minute >= this - MINUTE:
            tally.lately += row.lately + (row.before if row.minute >= this else 0)
    for tally in found.values():
        tally.states = {state: count for state, count in tally.states.items() if count > 0}
    return found


def _add(connection: Connection, slot: int, changes: Mapping[int, Counts], *, attempts: bool = False) -> None:
    """Sorted, so that two processes lock the rows in the same order."""

    def rows() -> Iterator[dict[str, object]]:
        for seq, counts in sorted(changes.items()):
            for state, count in sorted(counts.items()):
                yield {
                    "order_seq": seq,
                    "slot": slot,
                    "state": state,
                    "number": count,
                    "lately": count if attempts and state != OPEN else 0,
                }

    if changes:
        run(connection, _upsert(connection.dialect.name), rows())


@cache
def _upsert(dialect: str) -> Insert:
    """Adds to a slot's counts; of the minute, those of this one and of the one before are kept."""
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert
    its = type_coerce(Now(), BigInteger)
    this = type_coerce(case((_ROWS["slot"] == _BEGINNING, its), else_=its - its % _MILLISECONDS), Instant)
    added = _ROWS.complete(insert(tallies), minute=this)
    new, old = added.excluded, tallies.c
    follows = type_coerce(old.minute, BigInteger) == type_coerce(new.minute, BigInteger) - _MILLISECONDS
    return added.on_conflict_do_update(
        index_elements=[old.order_seq, old.slot, old.state],
        set_={
            "number": old.number + new.number,
            "before": case((old.minute == new.minute, old.before), (follows, old.lately), else_=0),
            "lately": case((old.minute == new.minute, old.lately + new.lately), else_=new.lately),
            "minute": new.minute,
        },
    )
