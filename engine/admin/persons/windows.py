"""Tables without an index on addresses, walked through in pieces by their numbers: each takes a bounded time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, func, or_, select

from engine.db.tables import audit_log, delivery_attempts, email_attempts, events, jobs, orders, subscriptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection, Row, Table

    from engine.admin.persons.person import Person

    Step = Callable[[Connection], bool]

WINDOW = 5_000  # rows of a piece
MATCHES = 50  # of them that may have the address


@dataclass(frozen=True, slots=True)
class Walk:
    """A table, and its columns that may have an address."""

    table: Table
    columns: Sequence[str]

    def piece(
        self, connection: Connection, person: Person, after: int, *, lock: bool = False
    ) -> tuple[Sequence[Row[Any]], int | None]:
        """The rows behind a number that may have the address; and where the next piece begins (None: there is none)."""
        seq: Column[int] = self.table.c.seq
        piece = select(seq).where(seq > after).order_by(seq).limit(WINDOW).subquery()
        end = connection.scalar(select(func.max(piece.c.seq)))
        if end is None:
            return (), None
        texts = or_(*(person.may_stand_in(self.table.c[name]) for name in self.columns))
        chosen = select(self.table).where(seq > after, seq <= end, texts).order_by(seq).limit(MATCHES)
        found = connection.execute(chosen.with_for_update() if lock else chosen).all()
        return found, found[-1].seq if len(found) == MATCHES else end


class Steps:
    """Steps, each in a transaction of its own, or on a view; call `step` until it returns False."""

    def __init__(self, steps: Iterator[Step]) -> None:
        self._steps = steps
        self._step = next(steps, None)

    def step(self, connection: Connection) -> bool:
        """Do some; returns whether there is more to do."""
        if self._step and not self._step(connection):
            self._step = next(self._steps, None)
        return self._step is not None


def walking(
    walk: Walk, person: Person, act: Callable[[Connection, Sequence[Row[Any]]], None], *, lock: bool = False
) -> Step:
    """A step that goes through a table, piece by piece."""
    after = 0

    def step(connection: Connection) -> bool:
        nonlocal after
        rows, end = walk.piece(connection, person, after, lock=lock)
        if rows:
            act(connection, rows)
        after = end or after
        return end is not None

    return step


ORDERS = Walk(orders, ("recipients",))
TEXTS = {  # what the address is taken out of, wherever it stands
    "replies of relays": Walk(email_attempts, ("reply",)),
    "events": Walk(events, ("text", "source", "subject", "alternative_subject")),
    "answers of subscribers": Walk(delivery_attempts, ("reply",)),
    "subscriptions": Walk(
        subscriptions,
        ("endpoint", "subject_filter", "alternative_subject_filter", "source_filter", "source_prefix", "last_error"),
    ),
    "lines of the audit log": Walk(audit_log, ("detail",)),
    "jobs": Walk(jobs, ("filter", "argument")),
}
