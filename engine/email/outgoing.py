"""E-mails in hand, with what their orders say; and which of the claimed ones may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select

from engine.db.bounded import read_within, weight
from engine.db.records import Email, Letter, columns, read
from engine.db.tables import orders
from engine.email.timetable import keep_times
from engine.queue import due

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.queue.calendars import Calendars
    from engine.queue.pauses import Pauses

CONTENTS = 8_000_000  # bytes of the texts of a batch's orders, unless one order's are larger
_ITS_ORDERS = orders.c.seq.in_(bindparam("seqs", expanding=True))
_LETTERS = select(*columns(Letter, orders.c)).where(_ITS_ORDERS).order_by(orders.c.seq)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An e-mail in hand, with its order's texts."""

    seq: int
    claim: int
    unresolved: int
    due_at: datetime
    email: Email
    letter: Letter
    until: datetime  # from then on it must not be sent: it has expired, or its window has closed


def outgoing(
    connection: Connection, claimed: Sequence[Email], paused: Pauses, calendars: Calendars, now: datetime
) -> tuple[Sequence[Outgoing], bool]:
    """The claimed e-mails that may go now; and whether none was handed back since their orders' texts are too large."""
    letters, whole = letters_of(connection, {email.order_seq for email in claimed})
    if not whole:
        due.hand_back(connection, due.EMAILS, [email for email in claimed if email.order_seq not in letters])
    readable = [email for email in claimed if email.order_seq in letters]
    going, closings = keep_times(connection, readable, letters, calendars, now)
    return admitted(connection, going, letters, paused, closings), whole


def letters_of(connection: Connection, order_seqs: set[int]) -> tuple[dict[int, Letter], bool]:
    """The texts of orders by `seq`, up to CONTENTS; and whether these are all."""
    rows, whole = read_within(
        connection, _LETTERS, CONTENTS, lambda row: weight(row.subject, row.body), {"seqs": [*order_seqs]}
    )
    return {letter.seq: letter for letter in read(Letter, rows)}, whole


def admitted(
    connection: Connection,
    claimed: Sequence[Email],
    letters: Mapping[int, Letter],
    paused: Pauses,
    closings: Mapping[int, datetime],
) -> list[Outgoing]:
    """The e-mails that no pause stops; the others are paused. `closings`: when their windows close, by their `seq`."""
    stopped = {
        email.seq: cause
        for email in claimed
        if (cause := paused.cause(letters[email.order_seq].creator, email.address))
    }
    due.pause(connection, due.EMAILS, claimed, stopped)
    return [
        Outgoing(
            email.seq,
            email.claim,
            email.unresolved,
            email.due_at,
            email,
            letters[email.order_seq],
            min(email.expires_at, closings.get(email.seq, email.expires_at)),
        )
        for email in _together(claimed, letters)
        if email.seq not in stopped
    ]


def _together(claimed: Sequence[Email], letters: Mapping[int, Letter]) -> Sequence[Email]:
    """E-mails in their order, but those of one order with attachments side by side: only few orders' stay encoded."""
    first: dict[int, int] = {}
    places = []
    for place, email in enumerate(claimed):
        has_files = letters[email.order_seq].attachments > 0
        places.append((first.setdefault(email.order_seq, place) if has_files else place, place))
    return [claimed[place] for _, place in sorted(places)]
