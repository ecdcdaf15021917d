"""Recipients that followed their order and have no e-mails yet: without a person, or only it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json
from sqlalchemy import select, tuple_, update

from engine.db.tables import portions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from engine.admin.persons.person import Person

AT_ONCE = 20  # portions of one transaction
_KEY = tuple_(portions.c.order_seq, portions.c.number)


class Place(NamedTuple):
    """Up to which portion a walk has come."""

    order_seq: int = 0
    number: int = 0


def take_out(connection: Connection, person: Person, after: Place) -> tuple[int, Place | None]:
    """Empty a person's entries in some portions; returns how many those were, and where others begin (None: nowhere).

    Others keep their places, as in orders.
    """
    found, end = _with(connection, person, after, lock=True)
    changed = 0
    for place, entries in found:
        left = [{} if person.has(entry.get("emailAddress", "")) else entry for entry in entries]
        if left != entries:
            changed += 1
            text = to_json(left).decode()
            its = (portions.c.order_seq == place.order_seq, portions.c.number == place.number)
            connection.execute(update(portions).where(*its).values(recipients=text))
    return changed, end


def entries_of(connection: Connection, person: Person, after: Place) -> tuple[Sequence[dict[str, Any]], Place | None]:
    """A person's entries in some portions, and where others begin."""
    found, end = _with(connection, person, after, lock=False)
    its = [
        {"order": place.order_seq, "recipient": entry}
        for place, entries in found
        for entry in entries
        if person.has(entry.get("emailAddress", ""))
    ]
    return its, end


def _with(
    connection: Connection, person: Person, after: Place, *, lock: bool
) -> tuple[Sequence[tuple[Place, Sequence[Mapping[str, Any]]]], Place | None]:
    """Of the next portions, those that may have the person."""
    piece = (
        select(portions.c.order_seq, portions.c.number)
        .where(tuple_(*after) < _KEY)
        .order_by(*_KEY.clauses)
        .limit(AT_ONCE)
    )
    places = [Place(*row) for row in connection.execute(piece)]
    if not places:
        return (), None
    chosen = select(portions).where(_KEY.in_(places), person.may_stand_in(portions.c.recipients))
    rows = connection.execute(chosen.with_for_update() if lock else chosen).all()
    return [(Place(row.order_seq, row.number), json.loads(row.recipients)) for row in rows], places[-1]
